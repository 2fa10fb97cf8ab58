package nn

import (
	"math"
	"math/bits"

	"lian/compute"
	"lian/model"
)

// A head's values have a few elements that are far larger than the others, and codes of 4 bits between the smallest and the largest leave
// little for the rest. Where the cache has such codes, heads of values are therefore multiplied by a Hadamard matrix, which is
// orthogonal and its own inverse: what attention mixes of them is multiplied once more. Sources: QuaRot, Ashkboos et al.,
// arXiv 2404.00456; QuIP#, Tseng et al., arXiv 2402.04396.

// spreads are the Hadamard matrices [n, n] of a decoder, by n.
type spreads map[int]*compute.Tensor

// spreadOf is the largest power of 2 that divides the size of a head; pieces of it are spread each on its own.
func spreadOf(head int) int { return head & -head }

func (d *Decoder) addSpread(b compute.Backend, stream compute.Stream, head int) {
	n := spreadOf(head)
	if n == 1 || d.spreads[n] != nil {
		return
	}
	values := make([]float32, n*n)
	for i := range n {
		for j := range n {
			values[i*n+j] = float32(1 / math.Sqrt(float64(n)))
			if bits.OnesCount(uint(i&j))%2 == 1 {
				values[i*n+j] = -values[i*n+j]
			}
		}
	}
	d.spreads[n] = constant(b, stream, values).View(n, n)
}

// spread is x [rows, heads, size] with each head spread, if values are kept as codes of 4 bits.
func (f *forward) spread(kv model.KVType, x *compute.Tensor) *compute.Tensor {
	n := spreadOf(x.Columns())
	if kv != model.KVInt4 || n == 1 {
		return x
	}
	out := f.Tensor(x.Shape...)
	model.Launch(f.Pass, compute.MatMul{A: x.View(x.Elements()/n, n), B: f.d.spreads[n], Out: out.View(x.Elements()/n, n)})
	return out
}

// kvType is how this forward keeps keys and values; float32 where it trains.
func (f *forward) kvType() model.KVType {
	switch {
	case f.Cache != nil:
		return f.Cache.Type
	case f.Training():
		return model.KVF32
	}
	return f.KV.For(f.Precision)
}
