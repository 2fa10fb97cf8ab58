package nn

import (
	"fmt"
	"maps"

	"lian/compute"
	"lian/dtype"
)

// Extend gives the decoder with rows of its embedding (and head) set anew: row
// first + i is the mean of the rows of[i]. The vocabulary grows to hold them, at
// least to vocab; rows that nothing names are the mean of all old ones. The other
// weights are shared with d. Embedding and head must be float32.
//
// New tokens that begin where the tokens they stand for are let a model read and
// write them at once. Source: Hewitt 2021, "Initializing New Word Embeddings".
func (d *Decoder) Extend(b compute.Backend, first int, of [][]int32, vocab int) (*Decoder, error) {
	spec, old := d.Spec, d.Spec.Vocab
	if first < 0 {
		return nil, fmt.Errorf("the first new token has the id %d, expected at least 0", first)
	}
	spec.Vocab = max(old, first+len(of), vocab)
	weights := map[string]*compute.Tensor{}
	for _, p := range d.parameters.All() {
		weights[p.Name] = p.Tensor
	}
	grown := map[string]*compute.Tensor{}
	stream := b.NewStream()
	for _, name := range []string{"embedding", "head", "head.bias"} {
		t := weights[name]
		if t == nil {
			continue
		}
		if t.Type != dtype.F32 || t.Packed != nil {
			return nil, fmt.Errorf("weight %s is %v; expected float32 to add rows", name, t.Type)
		}
		width := t.Elements() / old
		values := make([]float32, spec.Vocab*width)
		if err := stream.Read(t, compute.HostBytes(values[:old*width])); err != nil {
			return nil, err
		}
		all := make([]int32, old)
		for i := range all {
			all[i] = int32(i)
		}
		whole := mean(values, width, all)
		for i := old; i < spec.Vocab; i++ {
			copy(values[i*width:], whole)
		}
		rows := make([][]float32, len(of)) // of the old rows, also where new ones take their place
		for i, ids := range of {
			rows[i] = whole
			if len(ids) > 0 {
				for _, id := range ids {
					if id < 0 || int(id) >= old {
						return nil, fmt.Errorf("new token %d: id %d is outside the vocabulary of %d", i, id, old)
					}
				}
				rows[i] = mean(values, width, ids)
			}
		}
		for i, row := range rows {
			copy(values[(first+i)*width:], row)
		}
		shape := append([]int{spec.Vocab}, t.Shape[1:]...)
		grown[name] = compute.NewTensor(b, dtype.F32, shape...)
		stream.Write(grown[name], compute.HostBytes(values))
	}
	maps.Copy(weights, grown)
	return New(b, spec, weights)
}

// mean is the mean of some rows.
func mean(values []float32, width int, rows []int32) []float32 {
	sums := make([]float64, width)
	for _, r := range rows {
		for k, x := range values[int(r)*width : (int(r)+1)*width] {
			sums[k] += float64(x)
		}
	}
	out := make([]float32, width)
	for k, x := range sums {
		out[k] = float32(x / float64(len(rows)))
	}
	return out
}
