package cpu

import (
	"math"

	"lian/compute"
	"lian/compute/host"
)

// loads writes f of RouterLosses.
func loads(f []float32, indices *compute.Tensor) error {
	chosen := host.I32(indices)
	if err := host.CheckIndex(chosen, len(f)); err != nil {
		return err
	}
	clear(f)
	for _, e := range chosen {
		f[e]++ // whole numbers: exact
	}
	for e := range f {
		f[e] /= float32(indices.Shape[0])
	}
	return nil
}

// shares writes the softmax of a row of logits and gives its logsumexp.
func (b *backend) shares(p, row []float32) (lse float32) {
	n := len(row)
	most := b.most(at(row, 0), n)
	sum := b.expSum(at(p, 0), at(row, 0), n, most)
	b.scaleTo(at(p, 0), at(p, 0), n, 1/sum)
	return most + float32(math.Log(float64(sum)))
}

var _ = provides((*backend).routerLosses)

func (b *backend) routerLosses(o *compute.RouterLosses) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	logits, rows, experts := host.F32(o.Logits), o.Logits.Shape[0], o.Logits.Shape[1]
	f, parts := b.shared.need(slotA, experts), b.shared.need(slotB, 2*rows)
	if err := loads(f, o.Indices); err != nil {
		return err
	}
	b.spans(rows, 4, func(s *scratch, from, to int) {
		p := s.need(slotA, experts)
		for i := from; i < to; i++ {
			parts[2*i+1] = b.shares(p, logits[i*experts:(i+1)*experts])
			parts[2*i] = b.dot(at(f, 0), at(p, 0), experts)
		}
	})
	balance, z := 0.0, 0.0
	for i := range rows {
		balance += float64(parts[2*i])
		z += float64(parts[2*i+1]) * float64(parts[2*i+1])
	}
	host.F32(o.Balance)[0] = float32(balance * float64(experts) / float64(rows))
	host.F32(o.Z)[0] = float32(z / float64(rows))
	return nil
}

var _ = provides((*backend).routerLossesBackward)

func (b *backend) routerLossesBackward(o *compute.RouterLossesBackward) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	logits, dl, rows, experts := host.F32(o.Logits), host.F32(o.DLogits), o.Logits.Shape[0], o.Logits.Shape[1]
	c, dz := b.shared.need(slotA, experts), float32(0)
	if err := loads(c, o.Indices); err != nil {
		return err
	}
	if o.DBalance != nil {
		b.scaleTo(at(c, 0), at(c, 0), experts, host.F32(o.DBalance)[0]*float32(experts)/float32(rows))
	} else {
		clear(c)
	}
	if o.DZ != nil {
		dz = 2 * host.F32(o.DZ)[0] / float32(rows)
	}
	b.spans(rows, 4, func(s *scratch, from, to int) {
		p := s.need(slotA, experts)
		for i := from; i < to; i++ {
			lse := b.shares(p, logits[i*experts:(i+1)*experts])
			b.softmaxBack(at(dl, i*experts), at(p, 0), at(c, 0), experts, b.dot(at(c, 0), at(p, 0), experts)-dz*lse)
		}
	})
	return nil
}
