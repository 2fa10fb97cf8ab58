package cpu

import (
	"fmt"
	"math"

	"lian/compute"
	"lian/compute/host"
	"lian/dtype"
)

var _ = provides((*backend).crossEntropy)

// crossEntropy makes the logits of a chunk of rows, turns them into losses and, with a tape, into their own gradients in
// place, and multiplies those on. The weight is packed once for all chunks, in both orders.
func (b *backend) crossEntropy(o *compute.LinearCrossEntropy) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	vocab, n, rows := o.Weight.Shape[0], o.Weight.Shape[1], o.Hidden.Shape[0]
	targets, loss, best, weights := host.I32(o.Targets), host.F32(o.Loss), host.I32(o.Best), host.F32(o.Weights)
	for i, t := range targets {
		if int(t) >= vocab {
			return fmt.Errorf("target %d at row %d is outside the vocabulary of %d", t, i, vocab)
		}
	}
	hidden, dhidden, dweight := host.F32(o.Hidden), host.F32(o.DHidden), host.F32(o.DWeight)
	if dweight != nil && !o.AccumulateWeight {
		b.spans(len(dweight), stretch, func(_ *scratch, from, to int) { clear(dweight[from:to]) })
	}
	weight := b.weight(o.Weight, vocab, n, true)
	chunk := compute.CrossEntropyRows(vocab)
	asPairs := o.BF16 && weight.kind == dtype.F32
	var packed, packedBack []float32
	if rows > chunk && weight.kind == dtype.F32 && (!asPairs || b.packsPairs()) {
		packed = b.shared.need(slotI, (vocab+b.columns-1)/b.columns*b.columns*depth(n, asPairs))
		if err := b.packAll(packed, &weight, vocab, n, asPairs); err != nil {
			return err
		}
	}
	back := b.weight(o.Weight, n, vocab, false)
	if dhidden != nil && rows > chunk && back.kind == dtype.F32 && (!asPairs || b.packsPairs()) {
		packedBack = b.shared.need(slotJ, (n+b.columns-1)/b.columns*b.columns*depth(vocab, asPairs))
		if err := b.packAll(packedBack, &back, n, vocab, asPairs); err != nil {
			return err
		}
	}
	a := operand{hidden, n, true}
	if o.Fast && o.Weight.Type.Quantized() {
		a = b.roundToInt8(a, rows, n, o.Weight.Type.BlockSize())
	}
	logits := b.shared.need(slotH, min(chunk, rows)*vocab)
	for from := 0; from < rows; from += chunk {
		count := min(chunk, rows-from)
		err := b.multiply(&product{m: count, n: vocab, k: n, alpha: 1, pairs: asPairs, out: logits, stride: vocab,
			a: plain(operand{a.data[from*n:], n, true}), b: weight, packed: packed})
		if err != nil {
			return err
		}
		gradient := dhidden != nil || dweight != nil
		b.spans(count, 1, func(s *scratch, first, last int) {
			for i := first; i < last; i++ {
				at := -1
				scale := o.Scale
				if weights != nil {
					scale *= weights[from+i]
				}
				loss[from+i], at = b.rowLoss(s, logits[i*vocab:(i+1)*vocab], int(targets[from+i]), scale, gradient, best != nil)
				if best != nil {
					best[from+i] = int32(at)
				}
			}
		})
		if dhidden != nil {
			err := b.multiply(&product{m: count, n: n, k: vocab, alpha: 1, pairs: asPairs, out: dhidden[from*n:], stride: n,
				a: plain(operand{logits, vocab, true}), b: back, packed: packedBack})
			if err != nil {
				return err
			}
		}
		if dweight != nil {
			err := b.multiply(&product{m: vocab, n: n, k: count, alpha: 1, pairs: asPairs, out: dweight, stride: n, accumulate: true,
				a: plain(operand{logits, vocab, false}), b: plain(operand{hidden[from*n:], n, false})})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// rowLoss is one row's loss and best id; with gradient the logits become dLogits.
func (b *backend) rowLoss(s *scratch, logits []float32, target int, scale float32, gradient, wantBest bool) (loss float32, best int) {
	if target < 0 && !wantBest {
		if gradient {
			clear(logits)
		}
		return 0, 0
	}
	vocab := len(logits)
	most := b.most(at(logits, 0), vocab)
	if wantBest {
		for i, v := range logits {
			if v == most {
				best = i
				break
			}
		}
	}
	if target < 0 {
		if gradient {
			clear(logits)
		}
		return 0, best
	}
	e := s.need(slotE, min(vocab, stretch))
	sum := float32(0)
	for from := 0; from < vocab; from += stretch {
		sum += b.expSum(at(e, 0), at(logits, from), min(stretch, vocab-from), most)
	}
	lse := most + float32(math.Log(float64(sum)))
	loss = lse - logits[target]
	if gradient {
		for from := 0; from < vocab; from += stretch {
			x := at(logits, from)
			b.expScale(x, x, min(stretch, vocab-from), lse, scale)
		}
		logits[target] -= scale
	}
	return loss, best
}
