package cpu

// genericCeilings are what plain Go does: its own tiles, and loops over memory.
func (k *kernels) genericCeilings() {
	a, b, c := make([]float32, 4*64), make([]float32, 4*64), make([]float32, 16)
	k.ceilingF32 = ceilingLoop{func(rounds int) {
		for range rounds / 64 {
			t := tile0(at(a, 0), at(b, 0), at(append([]float32(nil), c...), 0), 4, 64)
			genericTile(&t, 4)
		}
	}, 4 * 4 * 2 * float64(ceilingRounds/64*64) / ceilingRounds}
	k.readMemory = func(p *float32, n int) int {
		sum := float32(0)
		for _, v := range slice(p, n/4) {
			sum += v
		}
		return int(sum)
	}
	k.copyMemory = func(dst, src *float32, n int) { copy(slice(dst, n/4), slice(src, n/4)) }
}
