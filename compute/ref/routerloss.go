package ref

import (
	"lian/compute"
	"lian/compute/host"
)

// loads are f of RouterLosses.
func loads(indices *compute.Tensor, experts int) ([]float64, error) {
	chosen, f := host.I32(indices), make([]float64, experts)
	if err := host.CheckIndex(chosen, experts); err != nil {
		return nil, err
	}
	for _, e := range chosen {
		f[e] += 1 / float64(indices.Shape[0])
	}
	return f, nil
}

var _ = provides(routerLosses)

func routerLosses(o *compute.RouterLosses) error {
	logits, rows, experts := host.F32(o.Logits), o.Logits.Shape[0], o.Logits.Shape[1]
	f, err := loads(o.Indices, experts)
	if err != nil {
		return err
	}
	balance, z := 0.0, 0.0
	for i := range rows {
		row := logits[i*experts : (i+1)*experts]
		for e, p := range routeScores(row, false) {
			balance += f[e] * p
		}
		z += logSumExp(row) * logSumExp(row)
	}
	host.F32(o.Balance)[0] = float32(balance * float64(experts) / float64(rows))
	host.F32(o.Z)[0] = float32(z / float64(rows))
	return nil
}

var _ = provides(routerLossesBackward)

func routerLossesBackward(o *compute.RouterLossesBackward) error {
	logits, dl, rows, experts := host.F32(o.Logits), host.F32(o.DLogits), o.Logits.Shape[0], o.Logits.Shape[1]
	f, err := loads(o.Indices, experts)
	if err != nil {
		return err
	}
	db, dz := or(host.F32(o.DBalance), 0, 0)*float64(experts)/float64(rows), or(host.F32(o.DZ), 0, 0)*2/float64(rows)
	for i := range rows {
		row := logits[i*experts : (i+1)*experts]
		p, dot := routeScores(row, false), 0.0
		for e := range p {
			dot += db * f[e] * p[e]
		}
		for e := range p {
			dl[i*experts+e] = float32(p[e]*(db*f[e]-dot) + dz*logSumExp(row)*p[e])
		}
	}
	return nil
}
