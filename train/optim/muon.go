package optim

import (
	"math"

	"lian/compute"
)

func init() {
	rules["muon"] = func(o Options, p parameter) Rule {
		if p.kind != Matrix {
			return adamw{o, p.shape}
		}
		return muon{o, p.shape}
	}
}

// muon moves matrices by their momentum with all singular values near 1 (Jordan et al. 2024); other kinds move by AdamW. A tensor of
// more axes is many matrices.
type muon struct {
	Options
	shape []int
}

func (u muon) States() []State { return []State{like("momentum", u.shape)} }

func (u muon) Step(s compute.Launcher, m Move) {
	// the gradient is spent after this
	s.Launch(&compute.Momentum{Grad: m.Grad, M: m.States[0], Out: m.Grad, GradScale: m.Scale, Beta: u.Momentum, Nesterov: u.Nesterov})
	n := len(u.shape)
	rows, columns := u.shape[n-2], u.shape[n-1]
	rate := m.Rate * math.Sqrt(max(1, float64(rows)/float64(columns)))
	if u.MuonScale != "original" { // Moonlight, arXiv 2502.16982
		rate = m.Rate * 0.2 * math.Sqrt(float64(max(rows, columns)))
	}
	all := []int{elements(u.shape) / max(rows*columns, 1), rows, columns}
	momentum, param, direction := m.Grad.View(all...), m.Param.View(all...), m.Scratch.Slice(0, rows*columns).View(rows, columns)
	for i := range all[0] {
		s.Launch(&compute.Orthogonalize{X: momentum.Slice(i, i+1).View(rows, columns), Out: direction, Steps: 5, BF16: u.BF16})
		s.Launch(&compute.Update{Param: param.Slice(i, i+1).View(rows, columns), Direction: direction, Rate: rate, Shrink: m.Rate * m.Decay})
	}
}
