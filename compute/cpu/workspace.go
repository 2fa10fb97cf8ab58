package cpu

import (
	"lian/compute"
	"lian/dtype"
)

// Workspace is about how many bytes a backend with so many workers keeps beside the operands of an operation of training: logits, panels of the
// smaller operand, and what each worker packs for itself.
func Workspace(op compute.Op, workers int) int64 {
	own := int64(workers) * (3 << 20)
	switch o := op.(type) {
	case *compute.LinearCrossEntropy:
		rows, vocab, n := o.Hidden.Shape[0], o.Weight.Shape[0], o.Hidden.Shape[1]
		chunk := min(rows, compute.CrossEntropyRows(vocab))
		if o.DWeight != nil {
			chunk = min(rows, compute.CrossEntropyGradientRows(rows, vocab))
		}
		panels := min(4*int64(chunk)*int64(n), int64(sharedBytes))
		if o.DHidden != nil { // sums over the vocabulary, of which the weight's part is the smaller operand
			panels = min(4*int64(vocab)*int64(n), int64(sharedBytes))
		}
		return own + 4*int64(chunk)*int64(vocab) + panels
	case *compute.MatMul:
		m, n, k := o.Dimensions()
		return own + min(int64(sharedBytes), 4*int64(min(m, n))*int64(k))
	case *compute.AttentionBackward:
		f := &o.Forward
		return own + int64(dtype.F32.Bytes(4*f.Q.Elements()+4*f.Out.Elements()))
	}
	return own
}

// Workspace is what the backend keeps beside operands: it grows to what the largest operation needs.
func (b *backend) Workspace() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := int64(0)
	for _, f := range b.shared.floats {
		n += int64(4 * cap(f))
	}
	for i := range b.scratch {
		for _, f := range b.scratch[i].floats {
			n += int64(4 * cap(f))
		}
	}
	return n
}
