package step

import (
	"math"
	"strings"

	"lian/compute/cpu"
	"lian/dtype"
	"lian/model"
)

// modelWork is what a model's tokens take: bytes from memory, operations.
type modelWork struct {
	m          *Opened
	weights    int64      // bytes of all weights
	parameters int64      // all
	main       dtype.Type // that most weights of the layers are of: embedding and head often have another
}

func workOf(m *Opened) modelWork {
	w := modelWork{m: m}
	of, most := map[dtype.Type]int64{}, int64(0)
	for _, p := range m.Model.Parameters().All() {
		n := int64(p.Tensor.Bytes())
		w.weights += n
		w.parameters += int64(p.Tensor.Elements())
		if !strings.HasPrefix(p.Name, "layers.") || len(p.Tensor.Shape) < 2 {
			continue
		}
		if of[p.Tensor.Type] += int64(p.Tensor.Elements()); of[p.Tensor.Type] > most {
			w.main, most = p.Tensor.Type, of[p.Tensor.Type]
		}
	}
	return w
}

// share is the part of a weight that rows of one step go through, and whether only its rows for the tokens are read. Of a mixture's
// experts it is what so many rows choose on the average if they choose evenly.
func (w modelWork) share(p model.Parameter, rows int) (part float64, gathered bool) {
	switch {
	case p.Tensor == w.m.Model.Head().Weight:
		return 1, false
	case p.Name == "embedding" || p.Name == "positions":
		return 0, true
	case len(p.Tensor.Shape) == 3:
		for l := range w.m.Model.Spec.Layers {
			if e := w.m.Model.Spec.Layer(l).FeedForward.Experts; e.Count == p.Tensor.Shape[0] {
				return 1 - math.Pow(1-float64(e.Chosen)/float64(e.Count), float64(rows)), false
			}
		}
	}
	return 1, false
}

// read are the bytes that a step of decoding reads: each weight once, and the keys and values of every sequence, so many on the
// average.
func (w modelWork) read(kept model.KVType, sequences int, keys float64) (weights, kv float64) {
	for _, x := range w.m.Model.Parameters().All() {
		part, gathered := w.share(x, sequences)
		weights += part * float64(x.Tensor.Bytes())
		if gathered {
			weights += float64(sequences) * float64(x.Tensor.Bytes()) / float64(x.Tensor.Rows())
		}
	}
	for _, l := range w.m.Model.Info().Cache {
		seen := keys
		if l.Window > 0 {
			seen = min(seen, float64(l.Window))
		}
		kv += float64(sequences) * seen * float64(kept.TokenBytes(l))
	}
	return weights, kv
}

// operations are the multiplications and additions of a prompt of so many tokens after depth others, the head on one row.
func (w modelWork) operations(prompt, depth int) float64 {
	sum := 0.0
	for _, x := range w.m.Model.Parameters().All() {
		rows := float64(prompt)
		if x.Tensor == w.m.Model.Head().Weight {
			rows = 1
		}
		if part, gathered := w.share(x, 1); !gathered && len(x.Tensor.Shape) > 1 {
			sum += 2 * rows * part * float64(x.Tensor.Elements())
		}
	}
	for i, l := range w.m.Model.Info().Cache {
		heads, keys := w.m.Model.Spec.Layer(i).Attention.Heads, 0.0
		for p := depth; p < depth+prompt; p++ {
			seen := p + 1
			if l.Window > 0 {
				seen = min(seen, l.Window)
			}
			keys += float64(seen)
		}
		sum += 2 * keys * float64(heads*(l.KeySize+l.ValueSize))
	}
	return sum
}

// ceiling is the arithmetic that most of a prompt's products are done in.
func (w modelWork) ceiling(p model.Precision) cpu.Ceiling {
	switch {
	case w.main == dtype.F16 || w.main == dtype.BF16:
		return cpu.CeilingBF16
	case p == model.Fast && w.main != dtype.F32 && w.main != dtype.Invalid:
		return cpu.CeilingInt8
	}
	return cpu.CeilingF32
}

// typeName is the file's kind as a table shows it.
func (w modelWork) typeName() string {
	if w.main == dtype.Invalid {
		for _, p := range w.m.Model.Parameters().All() {
			if p.Tensor.Packed != nil {
				return p.Tensor.Packed.Layout.String()
			}
		}
	}
	return w.main.String()
}
