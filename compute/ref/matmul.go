package ref

import (
	"math"

	"lian/compute"
	"lian/compute/host"
	"lian/dtype"
)

var _ = provides(matmul)

func matmul(o *compute.MatMul) error {
	m, n, k := o.Dimensions()
	a, err := values(o.A)
	if err != nil {
		return err
	}
	b, err := values(o.B)
	if err != nil {
		return err
	}
	if o.Fast && compute.RoundsActivations(o.B.Type) {
		roundToInt8(a, k, o.B.Type.BlockSize(), o.Outliers)
	}
	if o.BF16 && (o.B.Type == dtype.F32 || o.B.Type == dtype.BF16) {
		roundToBF16(a)
		roundToBF16(b)
	}
	at := func(i, p int) float64 { return a[i*k+p] }
	if o.TransA {
		at = func(i, p int) float64 { return a[p*m+i] }
	}
	bt := func(p, j int) float64 { return b[p*n+j] }
	if o.TransB {
		bt = func(p, j int) float64 { return b[j*k+p] }
	}
	bias := host.F32(o.Bias)
	var residual, before []float64
	if o.Residual != nil {
		if residual, err = values(o.Residual); err != nil {
			return err
		}
	}
	if o.Accumulate {
		if before, err = values(o.Out); err != nil {
			return err
		}
	}
	out := make([]float32, m*n)
	for i := range m {
		for j := range n {
			sum := 0.0
			for p := range k {
				sum += at(i, p) * bt(p, j)
			}
			sum *= float64(o.Scale())
			if o.Accumulate {
				sum += before[i*n+j]
			}
			if residual != nil {
				sum += residual[i*n+j]
			}
			if bias != nil {
				sum += float64(bias[j])
			}
			if o.Activation != compute.Identity {
				sum, _ = activate(o.Activation, sum)
			}
			out[i*n+j] = float32(sum)
		}
	}
	return dtype.Quantize(o.Out.Type, out, host.Bytes(o.Out))
}

// roundToBF16 rounds every value to bfloat16.
func roundToBF16(a []float64) {
	for i, v := range a {
		a[i] = float64(dtype.BF16ToF32(dtype.F32ToBF16(float32(v))))
	}
}

// roundToInt8 rounds each block of `size` values along rows of k to 127 steps of its largest magnitude, as ggml's Q8_0 (32
// values) and Q8_K (256) do: Q8_0 stores the scale as float16 and rounds with the float32 one.
func roundToInt8(a []float64, k, size int, far bool) {
	for start := 0; start+k <= len(a) && k > 0; start += k {
		outliers := map[int]float64{}
		if far {
			outliers = takeOutliers(a[start : start+k])
		}
		for at := start; at < start+k; at += size {
			block := a[at:min(at+size, start+k)]
			most := 0.0
			for _, v := range block {
				most = max(most, math.Abs(v))
			}
			scale := float32(most) / 127
			inverse := float32(0)
			if scale != 0 {
				inverse = min(1/scale, math.MaxFloat32)
			}
			stored := float64(scale)
			if size == 32 {
				stored = float64(dtype.F16ToF32(dtype.F32ToF16(scale)))
			}
			for i, v := range block {
				block[i] = math.Round(float64(float32(v)*inverse)) * stored
			}
		}
		for i, v := range outliers {
			a[start+i] = v
		}
	}
}

// takeOutliers puts 0 where a row has outliers and returns them.
func takeOutliers(row []float64) map[int]float64 {
	squares, outliers := 0.0, map[int]float64{}
	for _, v := range row {
		squares += v * v
	}
	bound := compute.OutlierBound(squares, len(row))
	for i, v := range row {
		if float32(v)*float32(v) > bound && len(outliers) < compute.MostOutliers {
			outliers[i], row[i] = v, 0
		}
	}
	return outliers
}

var _ = provides(add)

func add(o *compute.Add) error {
	a, b, out := host.F32(o.A), host.F32(o.B), host.F32(o.Out)
	for i := range out {
		if b == nil {
			out[i] = a[i]
		} else {
			out[i] = a[i] + b[i]
		}
	}
	return nil
}

var _ = provides(sumRows)

func sumRows(o *compute.SumRows) error {
	x, out, n := host.F32(o.X), host.F32(o.Out), o.X.Columns()
	for j := range out {
		sum := 0.0
		if o.Accumulate {
			sum = float64(out[j])
		}
		for i := range o.X.Rows() {
			sum += float64(x[i*n+j])
		}
		out[j] = float32(sum)
	}
	return nil
}
