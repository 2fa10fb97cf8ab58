package model

import (
	"fmt"
	"math"

	"lian/compute"
	"lian/dtype"
)

// AttentionMap is what each head of a layer looks at in one sequence: Weights [heads, queries, keys], each query's row summing to 1
// (with a sink, to less). The last query stands at the last key.
type AttentionMap struct {
	Heads, Queries, Keys int
	Weights              []float32
}

// AttentionMaps computes the weights of an attention plainly, in float64, one map for each sequence. It takes queries × keys of
// memory for each head, which Attention itself never does: it is for looking inside.
func AttentionMaps(s compute.Stream, o *compute.Attention) ([]AttentionMap, error) {
	if o.KScale != nil {
		return nil, fmt.Errorf("attention maps of a cache with %v codes are not computed; open the model with keys as f32 or bf16", o.K.Type)
	}
	q, err := Floats(s, o.Q)
	if err != nil {
		return nil, err
	}
	k, err := Floats(s, o.K)
	if err != nil {
		return nil, err
	}
	starts, err := integers(s, o.QueryStart)
	if err != nil {
		return nil, err
	}
	lengths, err := integers(s, o.KeyLength)
	if err != nil {
		return nil, err
	}
	var blocks []int32
	if o.Blocks != nil {
		if blocks, err = integers(s, o.Blocks); err != nil {
			return nil, err
		}
	}
	var slopes, sinks []float32
	if o.Slopes != nil {
		if slopes, err = Floats(s, o.Slopes); err != nil {
			return nil, err
		}
	}
	if o.Sinks != nil {
		if sinks, err = Floats(s, o.Sinks); err != nil {
			return nil, err
		}
	}
	heads, kvHeads, size := o.Q.Shape[1], o.K.Shape[1], o.Q.Shape[2]
	maps := make([]AttentionMap, len(lengths))
	for n, keys := range lengths {
		m := AttentionMap{Heads: heads, Queries: int(starts[n+1] - starts[n]), Keys: int(keys)}
		m.Weights = make([]float32, m.Heads*m.Queries*m.Keys)
		slot := func(key int) int {
			if blocks == nil {
				return int(starts[n]) + key
			}
			return int(blocks[n*o.Blocks.Shape[1]+key/o.BlockSize])*o.BlockSize + key%o.BlockSize
		}
		scores := make([]float64, m.Keys)
		for h := range heads {
			for i := range m.Queries {
				at := m.Keys - m.Queries + i
				row := q[((int(starts[n])+i)*heads+h)*size:][:size]
				first, last := 0, m.Keys-1
				if o.Causal {
					last = at
				}
				if o.Window > 0 {
					first = max(0, at-o.Window+1)
				}
				most := math.Inf(-1)
				for j := first; j <= last; j++ {
					key := k[(slot(j)*kvHeads+h/(heads/kvHeads))*size:][:size]
					sum := 0.0
					for c, x := range row {
						sum += float64(x) * float64(key[c])
					}
					sum *= float64(o.Scale)
					if o.Softcap > 0 {
						sum = float64(o.Softcap) * math.Tanh(sum/float64(o.Softcap))
					}
					if slopes != nil {
						sum -= float64(slopes[h]) * float64(at-j)
					}
					scores[j], most = sum, max(most, sum)
				}
				total := 0.0
				if sinks != nil {
					most = max(most, float64(sinks[h]))
					total = math.Exp(float64(sinks[h]) - most)
				}
				for j := first; j <= last; j++ {
					total += math.Exp(scores[j] - most)
				}
				for j := first; j <= last; j++ {
					m.Weights[(h*m.Queries+i)*m.Keys+j] = float32(math.Exp(scores[j]-most) / total)
				}
			}
		}
		maps[n] = m
	}
	return maps, nil
}

func integers(s compute.Stream, t *compute.Tensor) ([]int32, error) {
	if t.Type != dtype.I32 {
		return nil, fmt.Errorf("%v is not int32", t)
	}
	out := make([]int32, t.Elements())
	return out, s.Read(t, compute.HostBytes(out))
}
