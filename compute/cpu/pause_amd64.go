package cpu

// pause tells the processor that this is a spinning loop.
func pause()
