package cpu

import (
	"lian/compute"
	"lian/compute/host"
)

var _ = provides((*backend).unpack)

func (b *backend) unpack(o *compute.Unpack) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	rows := &packedRows{}
	if err := rows.open(&o.Weight); err != nil {
		return err
	}
	out, n, k := host.F32(o.Out), o.Weight.Outputs, o.Weight.Inputs
	if rows.words == nil { // rows of inputs
		b.spans(n, 1, func(s *scratch, from, to int) {
			for i := from; i < to; i++ {
				rows.row(b.kernels, s, i, 0, k, out[i*k:(i+1)*k])
			}
		})
		return nil
	}
	b.spans(max(n/8, 1), 1, func(s *scratch, from, to int) { // rows of outputs, which AWQ has in eights
		from, to = 8*from, 8*to
		if to+8 > n {
			to = n
		}
		rows.start(s, from, to)
		line := s.need(slotA, to-from)
		for i := range k {
			rows.row(b.kernels, s, i, from, to, line)
			for j, v := range line {
				out[(from+j)*k+i] = v
			}
		}
	})
	return nil
}
