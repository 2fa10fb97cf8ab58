package ref

import (
	"math"

	"lian/compute"
	"lian/compute/host"
)

var _ = provides(softmax)

func softmax(o *compute.Softmax) error {
	x, out, n := host.F32(o.X), host.F32(o.Out), o.X.Columns()
	for i := range o.X.Rows() {
		row := x[i*n : (i+1)*n]
		most, _ := largest(row)
		sum := 0.0
		for _, v := range row {
			sum += math.Exp(float64(v) - most)
		}
		lse := most + math.Log(sum)
		for j, v := range row {
			y := float64(v) - lse
			if !o.Log {
				y = math.Exp(y)
			}
			out[i*n+j] = float32(y)
		}
	}
	return nil
}

var _ = provides(softmaxBackward)

func softmaxBackward(o *compute.SoftmaxBackward) error {
	y, d, dx, n := host.F32(o.Result), host.F32(o.DOut), host.F32(o.DX), o.Result.Columns()
	for i := range o.Result.Rows() {
		sum := 0.0
		for j := i * n; j < (i+1)*n; j++ {
			if o.Log {
				sum += float64(d[j])
			} else {
				sum += float64(d[j]) * float64(y[j])
			}
		}
		for j := i * n; j < (i+1)*n; j++ {
			if o.Log {
				dx[j] = float32(float64(d[j]) - math.Exp(float64(y[j]))*sum)
			} else {
				dx[j] = float32(float64(y[j]) * (float64(d[j]) - sum))
			}
		}
	}
	return nil
}
