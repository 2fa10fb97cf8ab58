package step

import "runtime/debug"

// openingPercent is how much a heap may grow before it is looked through for garbage while a model opens.
const openingPercent = 400

// opening lets the collector rest while a model opens, and returns what ends that. A tokenizer's tables grow the heap from nothing, which
// is eight collections of things that all stay: a tenth of the time to the first token.
func opening() (done func()) {
	usual := debug.SetGCPercent(openingPercent)
	if usual < 0 || usual > openingPercent { // as the user wishes
		debug.SetGCPercent(usual)
	}
	return func() { debug.SetGCPercent(usual) }
}
