package cpu

import "golang.org/x/sys/cpu"

// older are levels without the newest of the instructions for int8 that this processor has.
func older() []*kernels {
	if !cpu.X86.HasAVXVNNI {
		return nil
	}
	k := levelAVX2()
	k.addBlocks32AVX2(false)
	return []*kernels{k}
}
