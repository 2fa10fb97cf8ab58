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
// place, and multiplies those on. Where chunks are small the weight is packed once for all of them, in both orders.
func (b *backend) crossEntropy(o *compute.LinearCrossEntropy) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	vocab, n, rows := o.Weight.Shape[0], o.Weight.Shape[1], o.Hidden.Shape[0]
	for i, t := range host.I32(o.Targets) {
		if int(t) >= vocab {
			return fmt.Errorf("target %d at row %d is outside the vocabulary of %d", t, i, vocab)
		}
	}
	hidden, dhidden, dweight := host.F32(o.Hidden), host.F32(o.DHidden), host.F32(o.DWeight)
	dbias := host.F32(o.DBias)
	if !o.AccumulateBias {
		clear(dbias)
	}
	if rows == 0 && dweight != nil && !o.AccumulateWeight {
		b.zero(dweight)
	}
	w := frame[lossWeights](b)
	w.weight, w.back = b.weight(o.Weight, vocab, n, true), b.weight(o.Weight, n, vocab, false)
	weight, back := &w.weight, &w.back
	chunk := compute.CrossEntropyRows(vocab)
	if dweight != nil {
		chunk = compute.CrossEntropyGradientRows(rows, vocab)
	}
	asPairs := o.BF16 && weight.kind == dtype.F32
	var packed, packedBack []float32
	again := rows > chunk && chunk < 128 // with so few rows packing the weight for each chunk would be felt
	if again && weight.kind == dtype.F32 && (!asPairs || b.packsPairs()) {
		packed = b.shared.need(slotI, (vocab+b.columns-1)/b.columns*b.columns*depth(n, asPairs))
		if err := b.packAll(packed, weight, vocab, n, asPairs); err != nil {
			return err
		}
	}
	if dhidden != nil && again && back.kind == dtype.F32 && (!asPairs || b.packsPairs()) {
		packedBack = b.shared.need(slotJ, (n+b.columns-1)/b.columns*b.columns*depth(vocab, asPairs))
		if err := b.packAll(packedBack, back, n, vocab, asPairs); err != nil {
			return err
		}
	}
	a := operand{hidden, n, true}
	if o.Fast && compute.RoundsActivations(o.Weight.Type) {
		a = b.roundToInt8(a, rows, n, o.Weight.Type.BlockSize(), true)
	}
	logits := b.shared.need(slotH, min(chunk, rows)*vocab)
	for from := 0; from < rows; from += chunk {
		count := min(chunk, rows-from)
		err := b.multiplyOne(product{m: count, n: vocab, k: n, alpha: o.LogitFactor(), pairs: asPairs, out: logits, stride: vocab,
			a: plain(operand{a.data[from*n:], n, true}), b: *weight, packed: packed, bias: host.F32(o.Bias)})
		if err != nil {
			return err
		}
		t := frame[lossTask](b)
		*t = lossTask{b, o, logits, from}
		b.spansOf(count, 1, t)
		if dbias != nil {
			t := frame[biasTask](b)
			*t = biasTask{logits[:count*vocab], dbias}
			b.spansOf(vocab, 256, t)
		}
		if dhidden != nil {
			err := b.multiplyOne(product{m: count, n: n, k: vocab, alpha: 1, pairs: asPairs, out: dhidden[from*n:], stride: n,
				a: plain(operand{logits, vocab, true}), b: *back, packed: packedBack})
			if err != nil {
				return err
			}
		}
		if dweight != nil {
			err := b.multiplyOne(product{m: vocab, n: n, k: count, alpha: 1, pairs: asPairs, out: dweight, stride: n, accumulate: from > 0 || o.AccumulateWeight,
				a: plain(operand{logits, vocab, false}), b: plain(operand{hidden[from*n:], n, false})})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// lossWeights are the head's weight in both orders.
type lossWeights struct{ weight, back source }

// lossTask is the rows of a chunk whose logits are there, from row `first` of the operation on.
type lossTask struct {
	b      *backend
	o      *compute.LinearCrossEntropy
	logits []float32
	first  int
}

func (t *lossTask) span(s *scratch, from, to int) {
	o, vocab := t.o, t.o.Weight.Shape[0]
	targets, loss, best, sums, weights := host.I32(o.Targets), host.F32(o.Loss), host.I32(o.Best), host.F32(o.LogSumExp), host.F32(o.Weights)
	for i := from; i < to; i++ {
		row := t.first + i
		r := rowLoss{LinearCrossEntropy: o, logits: t.logits[i*vocab : (i+1)*vocab], target: int(targets[row]), scale: o.Scale * o.LogitFactor(),
			gradient: o.DHidden != nil || o.DWeight != nil || o.DBias != nil}
		if weights != nil {
			r.scale *= weights[row]
		}
		l, lse, at := r.run(t.b, s)
		loss[row] = l
		if best != nil {
			best[row] = int32(at)
		}
		if sums != nil {
			sums[row] = lse
		}
	}
}

// biasTask adds the gradients of a chunk's logits, in ascending rows, to that of the bias.
type biasTask struct{ gradients, dbias []float32 }

func (t *biasTask) span(_ *scratch, from, to int) {
	vocab := len(t.dbias)
	for at := 0; at < len(t.gradients); at += vocab {
		for v, g := range t.gradients[at+from : at+to] {
			t.dbias[from+v] += g
		}
	}
}

// crossEntropyKernels are the kernels that the loss has beside those of softmax.
type crossEntropyKernels struct {
	softcap     func(x *float32, n int, cap, inverse float32) // x = cap·tanh(x·inverse)
	softcapGrad func(y, e *float32, n int, inverse float32)   // y = e·(1 − (y·inverse)²)
}

// rowLoss is what one row's loss is made of.
type rowLoss struct {
	*compute.LinearCrossEntropy
	logits   []float32
	target   int
	scale    float32 // of the gradient
	gradient bool    // turn the logits into it
}

// run gives the row's loss, the logsumexp if someone wants it, and the best id.
func (r *rowLoss) run(b *backend, s *scratch) (loss, lse float32, best int) {
	ignored := r.target < 0
	defer func() {
		if ignored && r.gradient {
			clear(r.logits)
		}
	}()
	if r.Best != nil {
		_, best = b.largest(r.logits)
	}
	if ignored && r.LogSumExp == nil {
		return 0, 0, best
	}
	vocab := len(r.logits)
	if r.Softcap > 0 {
		for from := 0; from < vocab; from += stretch {
			b.softcap(at(r.logits, from), min(stretch, vocab-from), r.Softcap, 1/r.Softcap)
		}
	}
	var asked, mean float32 // of the logits, before exponentials take their place
	if !ignored {
		if asked = r.logits[r.target]; r.LabelSmoothing > 0 {
			mean = b.sumOf(r.logits) / float32(vocab)
		}
	}
	e := exponentials{most: b.most(at(r.logits, 0), vocab), inPlace: r.gradient && r.Softcap == 0}
	e.scratch = s.need(slotE, min(vocab, stretch))
	for from := 0; from < vocab; from += stretch {
		dst := e.scratch
		if e.inPlace {
			dst = r.logits[from:]
		}
		e.sum += b.expSum(at(dst, 0), at(r.logits, from), min(stretch, vocab-from), e.most)
	}
	lse = e.most + float32(math.Log(float64(e.sum)))
	if ignored {
		return 0, lse, best
	}
	loss = lse - asked
	if r.LabelSmoothing > 0 {
		loss += r.LabelSmoothing * (asked - mean)
	}
	if r.ZLoss != 0 {
		loss += r.ZLoss * lse * lse
	}
	if r.gradient {
		r.differentiate(b, e, lse)
	}
	return loss, lse, best
}

// exponentials are exp(logit − most) of a row. They are where the logits were, so that each is computed once, unless the
// slope of a softcap still needs those: then only their sum is kept.
type exponentials struct {
	most, sum float32
	inPlace   bool
	scratch   []float32 // a stretch
}

// differentiate turns the logits, or their exponentials, into their gradient.
func (r *rowLoss) differentiate(b *backend, e exponentials, lse float32) {
	vocab, factor, share := len(r.logits), r.scale*(1+2*r.ZLoss*lse)/e.sum, r.scale*r.LabelSmoothing/float32(len(r.logits))
	for from := 0; from < vocab; from += stretch {
		n, y := min(stretch, vocab-from), r.logits[from:]
		d := y
		if e.inPlace {
			b.scale(at(d, 0), n, factor)
		} else {
			d = e.scratch
			b.expScale(at(d, 0), at(y, 0), n, e.most, factor)
		}
		if share != 0 {
			b.shift(at(d, 0), at(d, 0), n, share)
		}
		if i := r.target - from; i >= 0 && i < n {
			d[i] -= r.scale * (1 - r.LabelSmoothing)
		}
		if r.Softcap > 0 {
			b.softcapGrad(at(y, 0), at(d, 0), n, 1/r.Softcap)
		}
	}
}

var _ = kernelsOf("generic", func(k *kernels) {
	k.softcap = func(x *float32, n int, cap, inverse float32) {
		y := slice(x, n)
		for i, v := range y {
			y[i] = cap * float32(math.Tanh(float64(v*inverse)))
		}
	}
	k.softcapGrad = func(y, e *float32, n int, inverse float32) {
		o, d := slice(y, n), slice(e, n)
		for i, v := range o {
			t := v * inverse
			o[i] = d[i] * (1 - float32(t*t))
		}
	}
})
