package ref

import (
	"fmt"
	"math"

	"lian/compute"
	"lian/compute/host"
	"lian/dtype"
)

// slots are the cache slots of a sequence's keys, in the order of their positions; −1 where no query sees the key's block.
func slots(o *compute.Attention, s int) ([]int, error) {
	start, n := int(host.I32(o.QueryStart)[s]), int(host.I32(o.KeyLength)[s])
	out, seen := make([]int, n), 0
	if position := n - int(host.I32(o.QueryStart)[s+1]) + start; o.Window > 0 {
		seen = max(position+1-o.Window, 0) / max(o.BlockSize, 1) * o.BlockSize
	}
	for p := range out {
		out[p] = start + p
		if o.Blocks != nil {
			row := host.I32(o.Blocks)[s*o.Blocks.Shape[1]:]
			if p/o.BlockSize >= o.Blocks.Shape[1] {
				return nil, fmt.Errorf("sequence %d has %d keys but only %d blocks of %d", s, n, o.Blocks.Shape[1], o.BlockSize)
			}
			if out[p] = -1; row[p/o.BlockSize] >= 0 {
				out[p] = int(row[p/o.BlockSize])*o.BlockSize + p%o.BlockSize
			} else if p < seen {
				continue
			}
		}
		if out[p] < 0 || out[p] >= o.K.Shape[0] {
			return nil, fmt.Errorf("key %d of sequence %d is in slot %d of %d", p, s, out[p], o.K.Shape[0])
		}
	}
	return out, nil
}

// cached are keys or values of any type as numbers.
func cached(t, scale *compute.Tensor, head int) ([]float64, error) {
	if t.Type != dtype.U8 {
		return values(t)
	}
	codes, scales := host.Bytes(t), host.F32(scale)
	out := make([]float64, t.Shape[0]*t.Shape[1]*head)
	for i := range out {
		row, x := i/head, i%head
		code := 0
		if half := (head + 1) / 2; t.Shape[2] == head {
			code = int(codes[i])
		} else {
			code = int(codes[row*half+x%half]) >> (4 * (x / half)) & 15
		}
		out[i] = float64(scales[2*row])*float64(code) + float64(scales[2*row+1])
	}
	return out, nil
}

// query is one query row, and the keys it sees: positions [first, last) in slots keys.
type query struct {
	row, position, first int
	keys                 []int
}

// attended is an attention with its operands as numbers.
type attended struct {
	*compute.Attention
	q       []float32
	k, v    []float64
	slopes  []float32
	sinks   []float32
	heads   int
	kv      int
	head    int
	value   int
	queries []query
}

func attend(o *compute.Attention) (*attended, error) {
	a := &attended{Attention: o, q: host.F32(o.Q), slopes: host.F32(o.Slopes), sinks: host.F32(o.Sinks), heads: o.Q.Shape[1], kv: o.K.Shape[1], head: o.Q.Shape[2], value: o.ValueHead()}
	var err error
	if a.k, err = cached(o.K, o.KScale, a.head); err != nil {
		return nil, err
	}
	if a.v, err = cached(o.V, o.VScale, a.value); err != nil {
		return nil, err
	}
	starts, lengths := host.I32(o.QueryStart), host.I32(o.KeyLength)
	for s := range lengths {
		keys, err := slots(o, s)
		if err != nil {
			return nil, err
		}
		from, to := int(starts[s]), int(starts[s+1])
		for row := from; row < to; row++ {
			first, last := 0, len(keys)
			position := len(keys) - (to - from) + row - from
			if o.Causal {
				last = position + 1
				if o.Prefix != nil {
					last = max(last, int(host.I32(o.Prefix)[s]))
				}
			}
			if o.Window > 0 {
				first = position + 1 - o.Window
			}
			last = min(max(last, 0), len(keys))
			first = min(max(first, 0), last)
			a.queries = append(a.queries, query{row, position, first, keys[first:last]})
		}
	}
	return a, nil
}

// key and val are where a head of a slot begins.
func (a *attended) key(slot, h int) int { return (slot*a.kv + h*a.kv/a.heads) * a.head }
func (a *attended) val(slot, h int) int { return (slot*a.kv + h*a.kv/a.heads) * a.value }

// probabilities are the softmax of one query's scores, the logarithm of its denominator, and dscore/d(Scale·q·k).
func (a *attended) probabilities(u query, h int) (p []float64, logSum float64, slope []float64) {
	p, slope = make([]float64, len(u.keys)), make([]float64, len(u.keys))
	most := math.Inf(-1)
	for i, slot := range u.keys {
		for x := range a.head {
			p[i] += float64(a.q[(u.row*a.heads+h)*a.head+x]) * a.k[a.key(slot, h)+x]
		}
		p[i] *= float64(a.Scale)
		slope[i] = 1
		if cap := float64(a.Softcap); cap > 0 {
			t := math.Tanh(p[i] / cap)
			p[i], slope[i] = cap*t, 1-t*t
		}
		if a.slopes != nil {
			p[i] -= float64(a.slopes[h]) * float64(u.position-u.first-i)
		}
		most = math.Max(most, p[i])
	}
	sum := 0.0
	if a.sinks != nil {
		most = math.Max(most, float64(a.sinks[h]))
		sum = math.Exp(float64(a.sinks[h]) - most)
	}
	for i := range p {
		p[i] = math.Exp(p[i] - most)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p, most + math.Log(sum), slope
}

var _ = provides(attention)

func attention(o *compute.Attention) error {
	a, err := attend(o)
	if err != nil {
		return err
	}
	out, lse := host.F32(o.Out), host.F32(o.LogSumExp)
	for _, u := range a.queries {
		for h := range a.heads {
			p, l, _ := a.probabilities(u, h)
			for x := range a.value {
				sum := 0.0
				for i, slot := range u.keys {
					sum += p[i] * a.v[a.val(slot, h)+x]
				}
				out[(u.row*a.heads+h)*a.value+x] = float32(sum)
			}
			if lse != nil {
				lse[u.row*a.heads+h] = float32(l)
			}
		}
	}
	return nil
}

var _ = provides(attentionBackward)

func attentionBackward(o *compute.AttentionBackward) error {
	a, err := attend(&o.Forward)
	if err != nil {
		return err
	}
	dout, dq, dk, dv := host.F32(o.DOut), host.F32(o.DQ), host.F32(o.DK), host.F32(o.DV)
	sumK, sumV, sumSinks := make([]float64, len(dk)), make([]float64, len(dv)), make([]float64, a.heads)
	clear(dq)
	for _, u := range a.queries {
		for h := range a.heads {
			p, l, slope := a.probabilities(u, h)
			at, from := (u.row*a.heads+h)*a.head, (u.row*a.heads+h)*a.value
			dp, mean := make([]float64, len(p)), 0.0
			for i, slot := range u.keys {
				for x := range a.value {
					dp[i] += float64(dout[from+x]) * a.v[a.val(slot, h)+x]
				}
				mean += p[i] * dp[i]
			}
			if a.sinks != nil {
				sumSinks[h] -= math.Exp(float64(a.sinks[h])-l) * mean
			}
			sumQ := make([]float64, a.head)
			for i, slot := range u.keys {
				ds := p[i] * (dp[i] - mean) * slope[i] * float64(a.Scale)
				key, val := a.key(slot, h), a.val(slot, h)
				for x := range a.head {
					sumQ[x] += ds * a.k[key+x]
					sumK[key+x] += ds * float64(a.q[at+x])
				}
				for x := range a.value {
					sumV[val+x] += p[i] * float64(dout[from+x])
				}
			}
			for x := range a.head {
				dq[at+x] = float32(sumQ[x])
			}
		}
	}
	for i, v := range sumK {
		dk[i] = float32(v)
	}
	for i, v := range sumV {
		dv[i] = float32(v)
	}
	for h, v := range sumSinks {
		if a.sinks != nil {
			host.F32(o.DSinks)[h] = float32(v)
		}
	}
	return nil
}
