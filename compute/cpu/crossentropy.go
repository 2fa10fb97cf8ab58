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
	expInPlace  func(x *float32, n int, shift float32) float32 // x = exp(x − shift), and the sum
	softcap     func(x *float32, n int, cap, inverse float32)  // x = cap·tanh(x·inverse)
	softcapGrad func(y, e *float32, n int, inverse float32)    // y = e·(1 − (y·inverse)²)
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
	e := r.exponentials(b, s)
	lse = e.most + float32(math.Log(e.sum))
	if ignored {
		return 0, lse, best
	}
	loss = lse - e.asked
	if r.LabelSmoothing > 0 {
		loss += r.LabelSmoothing * (e.asked - e.total/float32(len(r.logits)))
	}
	if r.ZLoss != 0 {
		loss += r.ZLoss * lse * lse
	}
	if r.gradient {
		r.differentiate(b, e, lse)
	}
	return loss, lse, best
}

// exponentials are those of a row's logits, each computed once. A stretch of them has a base of its own, so that it is read from memory
// once; they are where the logits were, unless the slope of a softcap still needs those: then only their sums are kept.
type exponentials struct {
	bases   []float32 // largest logit of each stretch
	most    float32   // of all
	sum     float64   // Σ exp(logit − most)
	asked   float32   // the target's logit
	total   float32   // of the logits, with LabelSmoothing
	scratch []float32 // a stretch, with Softcap
}

func (r *rowLoss) exponentials(b *backend, s *scratch) (e exponentials) {
	vocab := len(r.logits)
	count := (vocab + stretch - 1) / stretch
	parts := s.need(slotC, 2*count)
	sums := parts[count:]
	e.bases, e.most = parts[:count], float32(math.Inf(-1))
	for i := range e.bases {
		from := i * stretch
		x, n := at(r.logits, from), min(stretch, vocab-from)
		if r.Softcap > 0 {
			b.softcap(x, n, r.Softcap, 1/r.Softcap)
		}
		if r.target >= from && r.target < from+n {
			e.asked = r.logits[r.target]
		}
		if r.LabelSmoothing > 0 {
			e.total += b.sumOf(r.logits[from : from+n])
		}
		base := b.most(x, n)
		e.most = max(e.most, base)
		if math.IsInf(float64(base), -1) {
			base = 0 // none of them counts
		}
		e.bases[i] = base
		if r.Softcap > 0 {
			e.scratch = s.need(slotE, stretch)
			sums[i] = b.expSum(at(e.scratch, 0), x, n, base)
		} else {
			sums[i] = b.expInPlace(x, n, base)
		}
	}
	for i, sum := range sums {
		if sum != 0 {
			e.sum += float64(sum) * math.Exp(float64(e.bases[i])-float64(e.most))
		}
	}
	return e
}

// differentiate turns the logits, or their exponentials, into their gradient.
func (r *rowLoss) differentiate(b *backend, e exponentials, lse float32) {
	vocab, factor, share := len(r.logits), float64(r.scale*(1+2*r.ZLoss*lse))/e.sum, r.scale*r.LabelSmoothing/float32(len(r.logits))
	for i, base := range e.bases {
		from := i * stretch
		n, y := min(stretch, vocab-from), r.logits[from:]
		d, factor := y, float32(factor*math.Exp(float64(base)-float64(e.most)))
		if r.Softcap > 0 {
			d = e.scratch
			b.expScale(at(d, 0), at(y, 0), n, base, factor)
		} else {
			b.scale(at(d, 0), n, factor)
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
	k.expInPlace = func(x *float32, n int, shift float32) float32 { return genericExpSum(x, x, n, shift) }
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
