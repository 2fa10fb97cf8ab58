package ref

import (
	"math"

	"lian/compute"
	"lian/compute/host"
)

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// activate is an activation and its slope at x.
func activate(kind compute.ActivationKind, x float64) (y, slope float64) {
	switch kind {
	case compute.SiLU:
		s := sigmoid(x)
		return x * s, s * (1 + x*(1-s))
	case compute.GELU:
		phi := math.Erfc(-x/math.Sqrt2) / 2
		return x * phi, phi + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
	case compute.GELUTanh:
		c := math.Sqrt(2 / math.Pi)
		t := math.Tanh(c * (x + 0.044715*x*x*x))
		return x * (1 + t) / 2, (1+t)/2 + x*(1-t*t)/2*c*(1+3*0.044715*x*x)
	case compute.QuickGELU:
		s := sigmoid(compute.QuickGELUAlpha * x)
		return x * s, s * (1 + compute.QuickGELUAlpha*x*(1-s))
	case compute.ReLU:
		return reluOf(x), step(x)
	case compute.ReLU2:
		return reluOf(x) * reluOf(x), 2 * reluOf(x)
	case compute.Sigmoid:
		s := sigmoid(x)
		return s, s * (1 - s)
	case compute.Tanh:
		t := math.Tanh(x)
		return t, 1 - t*t
	case compute.Softplus:
		return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))), sigmoid(x)
	}
	return x, 1
}

func reluOf(x float64) float64 {
	if x <= 0 {
		return 0
	}
	return x
}

// step is the slope of ReLU: 0 at 0, 1 at NaN, as in PyTorch.
func step(x float64) float64 {
	if x <= 0 {
		return 0
	}
	return 1
}

var _ = provides(activation)

func activation(o *compute.Activation) error {
	out := host.F32(o.Out)
	for i, x := range host.F32(o.X) {
		y, _ := activate(o.Kind, float64(x))
		out[i] = float32(y)
	}
	return nil
}

var _ = provides(activationBackward)

func activationBackward(o *compute.ActivationBackward) error {
	d, dx := host.F32(o.DOut), host.F32(o.DX)
	for i, x := range host.F32(o.X) {
		_, slope := activate(o.Kind, float64(x))
		dx[i] = float32(float64(d[i]) * slope)
	}
	return nil
}
