package step

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"lian/compute"
	"lian/compute/cpu"
	"lian/dtype"
	"lian/random"
)

// BenchComputeOptions are the settings of lian bench compute.
type BenchComputeOptions struct {
	Runs    int     `yaml:"runs" help:"runs of each measurement" default:"5" range:"1..1000"`
	Seconds float64 `yaml:"seconds" help:"least time of a run in seconds" default:"0.1" range:"0.001..60"`
}

// product is a matrix multiplication x[rows, in] · W[out, in]ᵀ to be measured.
type product struct {
	rows, out, in int
	weight        dtype.Type
	fast          bool
}

// products are squares, a training step's and a decoding step's.
var products = []product{
	{256, 256, 256, dtype.F32, false},
	{512, 512, 512, dtype.F32, false},
	{1024, 1024, 1024, dtype.F32, false},
	{2048, 576, 1536, dtype.F32, false},
	{128, 2048, 2048, dtype.BF16, false},
	{128, 2048, 2048, dtype.Q8_0, true},
	{1, 4096, 4096, dtype.F32, false},
	{1, 4096, 4096, dtype.BF16, false},
	{1, 4096, 4096, dtype.Q8_0, true},
	{1, 4096, 4096, dtype.Q4_0, true},
	{1, 4096, 4096, dtype.Q4_K, true},
}

// BenchCompute measures matrix multiplication: GFLOP/s with the share of what this machine's kernels reach in the level-1
// cache, measured in the same run; for one row, GB/s of weights read.
func BenchCompute(ctx context.Context, o BenchComputeOptions, show func(Benched) error) error {
	b, err := Backend()
	if err != nil {
		return err
	}
	peak := cpu.MeasurePeak(ctx, b)
	common := []Setting{{"kernels", peak.Level}, {"workers", peak.Workers}}
	if err := show(summed("compute", "peak f32", "GFLOP/s", []float64{peak.GFLOPS}, common...)); err != nil {
		return err
	}
	for _, p := range products {
		values, err := p.measure(ctx, b, o)
		if err != nil {
			return err
		}
		settings := append(slices.Clone(common), Setting{"rows", p.rows}, Setting{"out", p.out}, Setting{"in", p.in}, Setting{"weight", p.weight.String()}, Setting{"fast", p.fast})
		name, unit := fmt.Sprintf("matmul %dx%dx%d %v", p.rows, p.out, p.in, p.weight), "GFLOP/s"
		scale := 2 * float64(p.rows) * float64(p.out) * float64(p.in) / 1e9
		if p.rows == 1 { // bound by memory
			unit, scale = "GB/s", float64(p.weight.Bytes(p.out*p.in))/1e9
		}
		for i := range values {
			values[i] *= scale
		}
		line := summed("compute", name, unit, values, settings...)
		if p.weight == dtype.F32 && p.rows > 1 && peak.GFLOPS > 0 {
			line.Settings = append(line.Settings, Setting{"share_of_peak", math.Round(1000*line.Value/peak.GFLOPS) / 1000})
		}
		if err := show(line); err != nil {
			return err
		}
	}
	return nil
}

// measure gives products a second, run by run.
func (p product) measure(ctx context.Context, b compute.Backend, o BenchComputeOptions) ([]float64, error) {
	stream := b.NewStream()
	fill := func(t *compute.Tensor, name string) error { // every row is the same: quantising takes longer than measuring
		values, key := make([]float32, t.Columns()), random.New(1, "bench", name)
		for i := range values {
			values[i] = float32(key.Float64(i)) - 0.5
		}
		row := make([]byte, t.Type.Bytes(len(values)))
		if err := dtype.Quantize(t.Type, values, row); err != nil {
			return err
		}
		stream.Write(t, bytes.Repeat(row, t.Rows()))
		return stream.Err()
	}
	x, w, y := compute.NewTensor(b, dtype.F32, p.rows, p.in), compute.NewTensor(b, p.weight, p.out, p.in), compute.NewTensor(b, dtype.F32, p.rows, p.out)
	for name, t := range map[string]*compute.Tensor{"x": x, "w": w} {
		if err := fill(t, name); err != nil {
			return nil, err
		}
	}
	w.Constant = true
	op := &compute.MatMul{A: x, B: w, Out: y, TransB: true, Fast: p.fast}
	stream.Launch(op) // packs what will be kept
	if err := stream.Err(); err != nil {
		return nil, err
	}
	var values []float64
	for range o.Runs {
		n, begun := 0, time.Now()
		for time.Since(begun).Seconds() < o.Seconds {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			stream.Launch(op)
			if err := stream.Err(); err != nil {
				return nil, err
			}
			n++
		}
		values = append(values, float64(n)/time.Since(begun).Seconds())
	}
	return values, nil
}
