package ref

import (
	"math"

	"lian/compute"
	"lian/compute/host"
	"lian/dtype"
)

// The values of a state are float32, so that what is written is the same as elsewhere.

var _ = provides(adamw8)

func adamw8(o *compute.AdamW8) error {
	c1, c2 := 1-math.Pow(o.Beta1, float64(o.Step)), 1-math.Pow(o.Beta2, float64(o.Step))
	p, m, v := host.F32(o.Param), states(o.M, o.ScaleM, true), states(o.V, o.ScaleV, false)
	for i, grad := range host.F32(o.Grad) {
		g := float64(grad) * scaleOf(o.GradScale)
		m[i] = float32(o.Beta1*float64(m[i]) + (1-o.Beta1)*g)
		v[i] = float32(o.Beta2*float64(v[i]) + (1-o.Beta2)*g*g)
		p[i] = float32((1-o.LearningRate*o.Decay)*float64(p[i]) - o.LearningRate/c1*float64(m[i])/(math.Sqrt(float64(v[i])/c2)+o.Epsilon))
	}
	putStates(o.M, o.ScaleM, true, m)
	putStates(o.V, o.ScaleV, false, v)
	return nil
}

var _ = provides(lion8)

func lion8(o *compute.Lion8) error {
	p, m := host.F32(o.Param), states(o.M, o.ScaleM, true)
	for i, grad := range host.F32(o.Grad) {
		g := float64(grad) * scaleOf(o.GradScale)
		p[i] = float32((1-o.LearningRate*o.Decay)*float64(p[i]) - o.LearningRate*sign(o.Beta1*float64(m[i])+(1-o.Beta1)*g))
		m[i] = float32(o.Beta2*float64(m[i]) + (1-o.Beta2)*g)
	}
	putStates(o.M, o.ScaleM, true, m)
	return nil
}

// sign is 0 of 0 and of NaN.
func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return 0
}

// states are the values of an 8-bit state.
func states(codes, scales *compute.Tensor, signed bool) []float32 {
	table, scale := dtype.DynamicCodes(signed), host.F32(scales)
	out := make([]float32, codes.Elements())
	for i, code := range host.Bytes(codes)[:len(out)] {
		out[i] = table.Values[code] * scale[i/dtype.Block8]
	}
	return out
}

func putStates(codes, scales *compute.Tensor, signed bool, values []float32) {
	table, raw := dtype.DynamicCodes(signed), host.Bytes(codes)
	for i := range host.F32(scales) {
		from, to := i*dtype.Block8, min((i+1)*dtype.Block8, len(values))
		host.F32(scales)[i] = table.Encode(raw[from:to], values[from:to])
	}
}
