package ref

import (
	"fmt"
	"math"

	"lian/compute"
	"lian/compute/host"
)

// slots are the cache slots of a sequence's keys, in the order of their positions.
func slots(o *compute.Attention, s int) ([]int, error) {
	start, n := int(host.I32(o.QueryStart)[s]), int(host.I32(o.KeyLength)[s])
	out := make([]int, n)
	for p := range out {
		out[p] = start + p
		if o.Blocks != nil {
			row := host.I32(o.Blocks)[s*o.Blocks.Shape[1]:]
			if p/o.BlockSize >= o.Blocks.Shape[1] {
				return nil, fmt.Errorf("sequence %d has %d keys but only %d blocks of %d", s, n, o.Blocks.Shape[1], o.BlockSize)
			}
			out[p] = int(row[p/o.BlockSize])*o.BlockSize + p%o.BlockSize
		}
		if out[p] < 0 || out[p] >= o.K.Shape[0] {
			return nil, fmt.Errorf("key %d of sequence %d is in slot %d of %d", p, s, out[p], o.K.Shape[0])
		}
	}
	return out, nil
}

// eachQuery calls f for every query row with the slots of the keys it sees.
func eachQuery(o *compute.Attention, f func(row int, keys []int)) error {
	starts, lengths := host.I32(o.QueryStart), host.I32(o.KeyLength)
	for s := range lengths {
		keys, err := slots(o, s)
		if err != nil {
			return err
		}
		from, to := int(starts[s]), int(starts[s+1])
		for row := from; row < to; row++ {
			first, last := 0, len(keys)
			position := len(keys) - (to - from) + row - from
			if o.Causal {
				last = position + 1
			}
			if o.Window > 0 {
				first = position + 1 - o.Window
			}
			last = max(last, 0)
			f(row, keys[min(max(first, 0), last):last])
		}
	}
	return nil
}

// probabilities are the softmax of one query's scores, and the logarithm of its denominator.
func probabilities(o *compute.Attention, row, h int, keys []int) ([]float64, float64) {
	q, k := host.F32(o.Q), host.F32(o.K)
	heads, kv, d := o.Q.Shape[1], o.K.Shape[1], o.Q.Shape[2]
	p := make([]float64, len(keys))
	most := math.Inf(-1)
	for i, slot := range keys {
		for x := range d {
			p[i] += float64(q[(row*heads+h)*d+x]) * float64(k[(slot*kv+h*kv/heads)*d+x])
		}
		p[i] *= float64(o.Scale)
		most = math.Max(most, p[i])
	}
	sum := 0.0
	for i := range p {
		p[i] = math.Exp(p[i] - most)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p, most + math.Log(sum)
}

var _ = provides(attention)

func attention(o *compute.Attention) error {
	v, out, lse := host.F32(o.V), host.F32(o.Out), host.F32(o.LogSumExp)
	heads, kv, d := o.Q.Shape[1], o.K.Shape[1], o.Q.Shape[2]
	return eachQuery(o, func(row int, keys []int) {
		for h := range heads {
			p, l := probabilities(o, row, h, keys)
			for x := range d {
				sum := 0.0
				for i, slot := range keys {
					sum += p[i] * float64(v[(slot*kv+h*kv/heads)*d+x])
				}
				out[(row*heads+h)*d+x] = float32(sum)
			}
			if lse != nil {
				lse[row*heads+h] = float32(l)
			}
		}
	})
}

var _ = provides(attentionBackward)

func attentionBackward(o *compute.AttentionBackward) error {
	q, k, v, dout := host.F32(o.Q), host.F32(o.K), host.F32(o.V), host.F32(o.DOut)
	dq, dk, dv := host.F32(o.DQ), host.F32(o.DK), host.F32(o.DV)
	heads, kv, d := o.Q.Shape[1], o.K.Shape[1], o.Q.Shape[2]
	sumK, sumV := make([]float64, len(dk)), make([]float64, len(dv))
	clear(dq)
	err := eachQuery(&o.Attention, func(row int, keys []int) {
		for h := range heads {
			p, _ := probabilities(&o.Attention, row, h, keys)
			at := (row*heads + h) * d
			dp, mean := make([]float64, len(p)), 0.0
			for i, slot := range keys {
				for x := range d {
					dp[i] += float64(dout[at+x]) * float64(v[(slot*kv+h*kv/heads)*d+x])
				}
				mean += p[i] * dp[i]
			}
			sumQ := make([]float64, d)
			for i, slot := range keys {
				ds := p[i] * (dp[i] - mean) * float64(o.Scale)
				key := (slot*kv + h*kv/heads) * d
				for x := range d {
					sumQ[x] += ds * float64(k[key+x])
					sumK[key+x] += ds * float64(q[at+x])
					sumV[key+x] += p[i] * float64(dout[at+x])
				}
			}
			for x := range d {
				dq[at+x] = float32(sumQ[x])
			}
		}
	})
	for i := range sumK {
		dk[i], dv[i] = float32(sumK[i]), float32(sumV[i])
	}
	return err
}
