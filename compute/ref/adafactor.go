package ref

import (
	"math"

	"lian/compute"
	"lian/compute/host"
)

var _ = provides(adaFactor)

func adaFactor(o *compute.AdaFactor) error {
	p, grad, m := host.F32(o.Param), host.F32(o.Grad), host.F32(o.M)
	if len(p) == 0 {
		return nil
	}
	g, u := make([]float64, len(p)), make([]float64, len(p))
	for i, x := range grad {
		g[i] = float64(x) * scaleOf(o.GradScale)
	}
	size := 1.0
	if o.ScaleByParam {
		weights, _ := values(o.Param)
		size = max(o.Epsilon2, rms(weights))
	}
	added := 0.0 // to squares
	if o.Additive {
		added = o.Epsilon1
	}
	if v := host.F32(o.V); v != nil {
		for i, x := range g {
			square := (1-o.Fresh)*float64(v[i]) + o.Fresh*(x*x+added)
			v[i] = float32(square)
			if !o.Additive {
				square = max(square, o.Epsilon1*o.Epsilon1)
			}
			u[i] = x / math.Sqrt(square)
		}
	} else {
		n, r, c := o.Matrices()
		for k := range n {
			factored(o, g[k*r*c:(k+1)*r*c], u[k*r*c:(k+1)*r*c], host.F32(o.Row)[k*r:(k+1)*r], host.F32(o.Col)[k*c:(k+1)*c], added)
		}
	}
	clip := max(1, rms(u)/o.Clip)
	shrink := o.Shrink
	if o.Additive {
		shrink *= size
	}
	for i := range p {
		step := size * o.Rate * u[i] / clip
		if m != nil {
			step = o.Beta1*float64(m[i]) + (1-o.Beta1)*step
			m[i] = float32(step)
		}
		p[i] = float32((1-shrink)*float64(p[i]) - step)
	}
	return nil
}

// factored is the direction of one matrix, unclipped.
func factored(o *compute.AdaFactor, g, u []float64, row, col []float32, added float64) {
	rows, columns := make([]float64, len(row)), make([]float64, len(col))
	for i := range row {
		for j := range col {
			x := g[i*len(col)+j]
			rows[i] += (x*x + added) / float64(len(col))
			columns[j] += (x*x + added) / float64(len(row))
		}
	}
	mean := 0.0
	for i := range rows {
		rows[i] = (1-o.Fresh)*float64(row[i]) + o.Fresh*rows[i]
		row[i] = float32(rows[i])
		mean += rows[i] / float64(len(row))
	}
	for j := range columns {
		columns[j] = (1-o.Fresh)*float64(col[j]) + o.Fresh*columns[j]
		col[j] = float32(columns[j])
	}
	for i := range row {
		for j := range col {
			var square float64
			if o.Additive {
				square = rows[i] / mean * columns[j]
			} else {
				square = max(rows[i]*columns[j]/max(mean, o.Epsilon1), o.Epsilon1*o.Epsilon1)
			}
			u[i*len(col)+j] = g[i*len(col)+j] / math.Sqrt(square)
		}
	}
}

// rms is the root of the mean square.
func rms(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v * v
	}
	return math.Sqrt(sum / float64(len(x)))
}
