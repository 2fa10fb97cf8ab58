package cpu

import (
	"fmt"
	"math"

	"lian/compute"
	"lian/compute/host"
)

// sequences is the ragged layout of an attention, read and checked once.
type sequences struct {
	starts, lengths, blocks []int32
	blocksOfSequence, size  int
}

func layout(o *compute.Attention) (sequences, error) {
	q := sequences{host.I32(o.QueryStart), host.I32(o.KeyLength), host.I32(o.Blocks), 0, o.BlockSize}
	if o.Blocks != nil {
		q.blocksOfSequence = o.Blocks.Shape[1]
	}
	slots, rows := o.K.Shape[0], o.Q.Shape[0]
	for s, length := range q.lengths {
		from, to := int(q.starts[s]), int(q.starts[s+1])
		switch {
		case from < 0 || to < from || to > rows:
			return q, fmt.Errorf("sequence %d has the query rows %d to %d of %d", s, from, to, rows)
		case length < 0:
			return q, fmt.Errorf("sequence %d has %d keys", s, length)
		case q.blocks == nil && from+int(length) > slots:
			return q, fmt.Errorf("sequence %d has keys to row %d of %d", s, from+int(length), slots)
		case q.blocks != nil && (int(length)+q.size-1)/q.size > q.blocksOfSequence:
			return q, fmt.Errorf("sequence %d has %d keys but only %d blocks of %d", s, length, q.blocksOfSequence, q.size)
		}
		if q.blocks == nil {
			continue
		}
		for i := range (int(length) + q.size - 1) / q.size {
			block := int(q.blocks[s*q.blocksOfSequence+i])
			if last := min(int(length), (i+1)*q.size) - 1; block < 0 || block*q.size+last%q.size >= slots {
				return q, fmt.Errorf("key %d of sequence %d is in block %d; there are %d slots", last, s, block, slots)
			}
		}
	}
	return q, nil
}

// slot is where key position p of sequence s lies.
func (q *sequences) slot(s, p int) int {
	if q.blocks == nil {
		return int(q.starts[s]) + p
	}
	return int(q.blocks[s*q.blocksOfSequence+p/q.size])*q.size + p%q.size
}

// sees is the range of key positions that a query row of sequence s sees.
func (q *sequences) sees(o *compute.Attention, s, row int) (first, last int) {
	keys := int(q.lengths[s])
	position := keys - int(q.starts[s+1]) + row
	first, last = 0, keys
	if o.Causal {
		last = min(max(position+1, 0), keys)
	}
	if o.Window > 0 {
		first = min(max(position+1-o.Window, 0), last)
	}
	return first, last
}

func (b *backend) attention(o *compute.Attention) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	seqs, err := layout(o)
	if err != nil {
		return err
	}
	q, k, v, out, lse := host.F32(o.Q), host.F32(o.K), host.F32(o.V), host.F32(o.Out), host.F32(o.LogSumExp)
	heads, kv, head := o.Q.Shape[1], o.K.Shape[1], o.Q.Shape[2]
	type row struct{ sequence, row int }
	var rows []row
	for s := range seqs.lengths {
		for r := seqs.starts[s]; r < seqs.starts[s+1]; r++ {
			rows = append(rows, row{s, int(r)})
		}
	}
	b.spans(len(rows), 1, func(s *scratch, from, to int) {
		p := s.need(slotA, compute.KeyTile)
		for _, r := range rows[from:to] {
			first, last := seqs.sees(o, r.sequence, r.row)
			for h := range heads {
				y := out[(r.row*heads+h)*head:][:head]
				clear(y)
				most, sum := float32(math.Inf(-1)), float32(0)
				for tile := first / compute.KeyTile * compute.KeyTile; tile < last; tile += compute.KeyTile {
					lo, hi := max(first, tile), min(last, tile+compute.KeyTile)
					if lo >= hi {
						continue
					}
					for i := lo; i < hi; i++ {
						slot := seqs.slot(r.sequence, i)
						p[i-lo] = b.dot(at(q, (r.row*heads+h)*head), at(k, (slot*kv+h*kv/heads)*head), head) * o.Scale
					}
					m := b.most(at(p, 0), hi-lo)
					m = max(m, most)
					correct := exp32(most - m)
					if m == float32(math.Inf(-1)) {
						correct = 1
					}
					sum = sum*correct + b.expSum(at(p, 0), at(p, 0), hi-lo, 1, m)
					most = m
					b.scale(at(y, 0), head, correct)
					for i := lo; i < hi; i++ {
						slot := seqs.slot(r.sequence, i)
						x := v[(slot*kv+h*kv/heads)*head:][:head]
						for j := range y {
							y[j] += float32(p[i-lo] * x[j])
						}
					}
				}
				if last > first {
					b.scale(at(y, 0), head, 1/sum)
				}
				if lse != nil {
					lse[r.row*heads+h] = most + float32(math.Log(float64(sum)))
				}
			}
		}
	})
	return nil
}

func (b *backend) attentionBackward(o *compute.AttentionBackward) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	seqs, err := layout(&o.Attention)
	if err != nil {
		return err
	}
	q, k, v, out, lse := host.F32(o.Q), host.F32(o.K), host.F32(o.V), host.F32(o.Out), host.F32(o.LogSumExp)
	d, dq, dk, dv := host.F32(o.DOut), host.F32(o.DQ), host.F32(o.DK), host.F32(o.DV)
	heads, kv, head := o.Q.Shape[1], o.K.Shape[1], o.Q.Shape[2]
	clear(dq)
	clear(dk)
	clear(dv)
	b.each(len(seqs.lengths)*kv, func(_ *scratch, task int) {
		s, g := task/kv, task%kv
		for r := int(seqs.starts[s]); r < int(seqs.starts[s+1]); r++ {
			first, last := seqs.sees(&o.Attention, s, r)
			for h := g * heads / kv; h < (g+1)*heads/kv; h++ {
				x := (r*heads + h) * head
				mean := b.dot(at(d, x), at(out, x), head)
				for i := first; i < last; i++ {
					y := (seqs.slot(s, i)*kv + g) * head
					p := exp32(b.dot(at(q, x), at(k, y), head)*o.Scale - lse[r*heads+h])
					ds := p * (b.dot(at(d, x), at(v, y), head) - mean) * o.Scale
					for j := range head {
						dv[y+j] += float32(p * d[x+j])
						dk[y+j] += float32(ds * q[x+j])
						dq[x+j] += float32(ds * k[y+j])
					}
				}
			}
		}
	})
	return nil
}
