package cpu

import (
	"fmt"

	"lian/compute"
	"lian/compute/host"
)

// sequences is the ragged layout of an attention, read and checked once.
type sequences struct {
	starts, lengths, blocks []int32
	prefix                  []int32 // nil without
	blocksOfSequence, size  int
}

func layout(o *compute.Attention) (sequences, error) {
	q := sequences{host.I32(o.QueryStart), host.I32(o.KeyLength), host.I32(o.Blocks), host.I32(o.Prefix), 0, o.BlockSize}
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
		for i := firstSeen(o, int(length)-(to-from)) / q.size; i*q.size < int(length); i++ {
			block := int(q.blocks[s*q.blocksOfSequence+i])
			if last := min(int(length), (i+1)*q.size) - 1; block < 0 || block*q.size+last%q.size >= slots {
				return q, fmt.Errorf("key %d of sequence %d is in block %d; there are %d slots", last, s, block, slots)
			}
		}
	}
	return q, nil
}

// firstSeen is the first key that a query at a position sees, or one after it.
func firstSeen(o *compute.Attention, position int) int {
	if o.Window == 0 {
		return 0
	}
	return max(position+1-o.Window, 0)
}

// slot is where key position p of sequence s lies; negative in a block that was given back.
func (q *sequences) slot(s, p int) int {
	if q.blocks == nil {
		return int(q.starts[s]) + p
	}
	block := int(q.blocks[s*q.blocksOfSequence+p/q.size])
	if block < 0 {
		return -1
	}
	return block*q.size + p%q.size
}
