package cpu

import (
	"lian/compute"
	"lian/compute/host"
)

var _ = provides((*backend).groupByExpert)

// groupByExpert sorts by counting, on one worker: it is a few operations for each choice.
func (b *backend) groupByExpert(o *compute.GroupByExpert) error {
	indices, starts, rows, positions := host.I32(o.Indices), host.I32(o.Starts), host.I32(o.Rows), host.I32(o.Positions)
	experts, k := len(starts)-1, o.Indices.Columns()
	if err := host.CheckIndex(indices, experts); err != nil {
		return err
	}
	clear(starts)
	for _, e := range indices {
		starts[e+1]++
	}
	for e := range experts {
		starts[e+1] += starts[e]
	}
	for choice, e := range indices {
		at := starts[e]
		rows[at], positions[choice] = int32(choice/k), at
		starts[e]++
	}
	copy(starts[1:], starts[:experts]) // each has moved to where the next begins
	starts[0] = 0
	return nil
}

var _ = provides((*backend).combineExperts)

func (b *backend) combineExperts(o *compute.CombineExperts) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := host.CheckIndex(host.I32(o.Positions), o.X.Rows()); err != nil {
		return err
	}
	spansWith(b, o.Out.Rows(), 1, o, (*backend).combineRows)
	return nil
}

func (b *backend) combineRows(o *compute.CombineExperts, _ *scratch, from, to int) {
	x, w, positions, out, n, k := host.F32(o.X), host.F32(o.Weights), host.I32(o.Positions), host.F32(o.Out), o.Out.Columns(), o.Weights.Columns()
	for i := from; i < to; i++ {
		dst := at(out, i*n)
		b.scaleTo(dst, at(x, int(positions[i*k])*n), n, w[i*k])
		for j := 1; j < k; j++ {
			b.axpy(dst, at(x, int(positions[i*k+j])*n), n, w[i*k+j])
		}
	}
}

var _ = provides((*backend).combineExpertsBackward)

func (b *backend) combineExpertsBackward(o *compute.CombineExpertsBackward) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := host.CheckIndex(host.I32(o.Positions), o.X.Rows()); err != nil {
		return err
	}
	spansWith(b, o.Positions.Elements(), 4, o, (*backend).combineBackwardRows)
	return nil
}

func (b *backend) combineBackwardRows(o *compute.CombineExpertsBackward, _ *scratch, from, to int) {
	x, w, positions, d, n, k := host.F32(o.X), host.F32(o.Weights), host.I32(o.Positions), host.F32(o.DOut), o.DOut.Columns(), o.Weights.Columns()
	dx, dw := host.F32(o.DX), host.F32(o.DWeights)
	for choice := from; choice < to; choice++ {
		place, di := int(positions[choice])*n, at(d, choice/k*n)
		if dw != nil {
			dw[choice] = b.dot(di, at(x, place), n)
		}
		if dx != nil {
			b.scaleTo(at(dx, place), di, n, w[choice])
		}
	}
}
