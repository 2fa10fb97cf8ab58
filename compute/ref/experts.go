package ref

import (
	"lian/compute"
	"lian/compute/host"
)

var _ = provides(groupByExpert)

func groupByExpert(o *compute.GroupByExpert) error {
	indices, starts, rows, positions := host.I32(o.Indices), host.I32(o.Starts), host.I32(o.Rows), host.I32(o.Positions)
	experts := len(starts) - 1
	if err := host.CheckIndex(indices, experts); err != nil {
		return err
	}
	place := int32(0)
	for e := range experts {
		starts[e] = place
		for choice, index := range indices {
			if int(index) == e {
				rows[place], positions[choice] = int32(choice/o.Indices.Columns()), place
				place++
			}
		}
	}
	starts[experts] = place
	return nil
}

var _ = provides(combineExperts)

func combineExperts(o *compute.CombineExperts) error {
	x, w, positions, out, n, k := host.F32(o.X), host.F32(o.Weights), host.I32(o.Positions), host.F32(o.Out), o.Out.Columns(), o.Weights.Columns()
	if err := host.CheckIndex(positions, o.X.Rows()); err != nil {
		return err
	}
	for i := range o.Out.Rows() {
		for c := range n {
			sum := 0.0
			for j := range k {
				sum += float64(w[i*k+j]) * float64(x[int(positions[i*k+j])*n+c])
			}
			out[i*n+c] = float32(sum)
		}
	}
	return nil
}

var _ = provides(combineExpertsBackward)

func combineExpertsBackward(o *compute.CombineExpertsBackward) error {
	x, w, positions, d, n, k := host.F32(o.X), host.F32(o.Weights), host.I32(o.Positions), host.F32(o.DOut), o.DOut.Columns(), o.Weights.Columns()
	dx, dw := host.F32(o.DX), host.F32(o.DWeights)
	if err := host.CheckIndex(positions, o.X.Rows()); err != nil {
		return err
	}
	for choice, at := range positions {
		i, sum := choice/k, 0.0
		for c := range n {
			sum += float64(d[i*n+c]) * float64(x[int(at)*n+c])
			if dx != nil {
				dx[int(at)*n+c] = w[choice] * d[i*n+c]
			}
		}
		if dw != nil {
			dw[choice] = float32(sum)
		}
	}
	return nil
}
