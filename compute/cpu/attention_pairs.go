package cpu

// pairKernels multiply bfloat16 in pairs, for attention that may round to it; nil if the processor lacks them.
type pairKernels struct {
	stripPairs     stripKernels
	roundRows      func(dst *float32, dstStride int, src *float32, srcStride, rows, n int)  // n a multiple of 16; where they lie too
	interleaveRows func(dst *float32, dstStride int, src *float32, srcStride, pairs, n int) // two rows become one of pairs
}

// paired says whether strips multiply pairs. Operands are rounded where the tile unit's are: packed for all panels of a task, and
// what the softmax left on the way to its products.
func (a *attending) paired() bool { return a.per == 2 }

// loadPairs rounds a tile of keys: scores (and the gradient of the probabilities) take pairs along the head, the other products
// pairs of keys.
func (a *attending) loadPairs(s *scratch, t *tileRows, backward bool) {
	head, value := oddLines(a.deepHead/2), oddLines(a.deepValue/2)
	memory := s.need(slotTiles, keyTile*(head+value+max(a.headRow, a.valueRow)/2))
	rounded := func(x []float32, row, deep, half int) operand {
		to := memory[: keyTile*half : keyTile*half]
		memory = memory[keyTile*half:]
		a.b.roundRows(at(to, 0), half*4, at(x, 0), row*4, t.count, deep)
		return operand{data: to, stride: half}
	}
	turned := func(x []float32, row, deep int) operand {
		if t.count%2 != 0 {
			clear(x[t.count*row:][:deep])
		}
		a.b.interleaveRows(at(memory, 0), row*4, at(x, 0), row*4, ceil(t.count, 2), deep)
		return operand{data: memory, stride: row}
	}
	t.keys = rounded(t.k, a.headRow, a.deepHead, head)
	if !backward {
		t.valuesTurned = turned(t.v, a.valueRow, a.deepValue)
		return
	}
	t.values = rounded(t.v, a.valueRow, a.deepValue, value)
	t.keysTurned = turned(t.k, a.headRow, a.deepHead)
}

// pairKeys makes pairs of the rows of x, a panel wide, for the keys [from, to).
func (a *attending) pairKeys(s *scratch, x []float32, stride, width, from, to int) *float32 {
	if (to-from)%2 != 0 {
		clear(x[to*stride:][:width])
	}
	pairs := s.need(slotI, keyTile/2*width)
	a.b.interleaveRows(at(pairs, 0), width*4, at(x, from*stride), stride*4, ceil(to-from, 2), width)
	return at(pairs, 0)
}

// roundPanel rounds the columns of panel i in rows [from, to) of x, where those of the panels before it, which have been rounded,
// leave room for them: float32 of a panel lie behind the pairs of all panels up to it.
func (a *attending) roundPanel(x []float32, i, from, to int) {
	width, stride := 2*a.b.lanes, a.blockRow()
	a.b.roundRows(at(x, from*stride+i*width/2), stride*4, at(x, from*stride+i*width), stride*4, to-from, width)
}
