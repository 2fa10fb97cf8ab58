package cpu

import (
	"math"

	"lian/compute"
	"lian/compute/host"
)

var _ = provides((*backend).argmax)

func (b *backend) argmax(o *compute.Argmax) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	x, out, n := host.F32(o.X), host.I32(o.Out), o.X.Columns()
	b.spans(o.X.Rows(), 1, func(_ *scratch, from, to int) {
		for i := from; i < to; i++ {
			_, best := b.largest(x[i*n : (i+1)*n])
			out[i] = int32(best)
		}
	})
	return nil
}

var _ = provides((*backend).topK)

func (b *backend) topK(o *compute.TopK) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	x, n, k := host.F32(o.X), o.X.Columns(), o.Indices.Columns()
	values, indices := host.F32(o.Values), host.I32(o.Indices)
	b.spans(o.X.Rows(), 1, func(s *scratch, from, to int) {
		ranks := s.need(slotA, k)
		for i := from; i < to; i++ {
			row, at := x[i*n:(i+1)*n], indices[i*k:(i+1)*k]
			b.best(row, ranks, at)
			if values != nil {
				for j, t := range at {
					values[i*k+j] = row[t]
				}
			}
		}
	})
	return nil
}

// sieve is the number of values that are passed over together when none of them is large enough.
const sieve = 128

// best finds the largest values of a row, sorted: how large they are goes to ranks (NaN as −∞), where they stand to where.
func (b *backend) best(row, ranks []float32, where []int32) {
	k, have := len(where), 0
	for from := 0; from < len(row); from += sieve {
		part := row[from:min(from+sieve, len(row))]
		if have == k && !(b.most(at(part, 0), len(part)) > ranks[k-1]) {
			continue
		}
		for j, v := range part {
			if v != v {
				v = float32(math.Inf(-1))
			}
			if have == k {
				if !(v > ranks[k-1]) {
					continue
				}
				have--
			}
			low, high := 0, have // the first that is smaller: equal ones before it have smaller indices
			for low < high {
				if middle := (low + high) / 2; ranks[middle] >= v {
					low = middle + 1
				} else {
					high = middle
				}
			}
			copy(ranks[low+1:have+1], ranks[low:have])
			copy(where[low+1:have+1], where[low:have])
			ranks[low], where[low] = v, int32(from+j)
			have++
		}
	}
}
