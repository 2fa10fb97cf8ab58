package cpu

import (
	"testing"

	"lian/compute"
	"lian/dtype"
)

// BenchmarkOptimizers takes steps of four million parameters; bytes are those of the parameters.
func BenchmarkOptimizers(b *testing.B) {
	const n = 1 << 22
	backend := New(0)
	zeros := func(t dtype.Type, n int) *compute.Tensor { return compute.NewTensor(backend, t, n) }
	f32 := func() *compute.Tensor { return zeros(dtype.F32, n) }
	codes, scales := func() *compute.Tensor { return zeros(dtype.U8, n) }, func() *compute.Tensor { return zeros(dtype.F32, dtype.Blocks8(n)) }
	g := f32()
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(i*7919%10007)/10007 - 0.5
	}
	backend.NewStream().Write(g, compute.HostBytes(values))
	p := f32()
	for _, op := range []compute.Op{
		&compute.AdamW{Param: p, Grad: g, M: f32(), V: f32(), LearningRate: 1e-3, Beta1: 0.9, Beta2: 0.95, Epsilon: 1e-8, Step: 3},
		&compute.AdamW8{Param: p, Grad: g, M: codes(), ScaleM: scales(), V: codes(), ScaleV: scales(), LearningRate: 1e-3, Beta1: 0.9, Beta2: 0.95, Epsilon: 1e-8, Step: 3},
		&compute.Lion{Param: p, Grad: g, M: f32(), LearningRate: 1e-3, Beta1: 0.9, Beta2: 0.95},
		&compute.Lion8{Param: p, Grad: g, M: codes(), ScaleM: scales(), LearningRate: 1e-3, Beta1: 0.9, Beta2: 0.95},
		&compute.Adaptive{Param: p, Grad: g, V: f32(), M: f32(), Beta1: 0.9, KeepV: 0.95, AddV: 0.05, CorrectV: 1, Epsilon: 1e-8, RateM: 1e-3},
		&compute.ScheduleFree{Param: p, Grad: g, Z: f32(), V: f32(), LearningRate: 1e-3, Beta1: 0.9, Beta2: 0.95, Epsilon: 1e-8, Weight: 0.1, Step: 3},
		&compute.AdaFactor{Param: p.View(2048, 2048), Grad: g.View(2048, 2048), Row: zeros(dtype.F32, 2048), Col: zeros(dtype.F32, 2048), Rate: 1e-3, Fresh: 0.1, Epsilon1: 1e-7, Epsilon2: 1e-3, Clip: 1, ScaleByParam: true},
	} {
		b.Run(op.Name(), func(b *testing.B) {
			s := backend.NewStream()
			b.SetBytes(4 * n)
			for range b.N {
				s.Launch(op)
			}
			if err := s.Err(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
