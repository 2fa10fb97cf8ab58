package cpu

import (
	"fmt"
	"testing"
	"time"

	"lian/compute"
	"lian/dtype"
)

// matmulShapes are the layers of a Llama of 135 million and of 1.1 billion weights with 512 rows, their heads, and a cube.
var matmulShapes = []struct {
	name    string
	m, n, k int
}{
	{"cube", 1024, 1024, 1024},
	{"135m_q", 512, 576, 576}, {"135m_kv", 512, 192, 576}, {"135m_up", 512, 1536, 576}, {"135m_down", 512, 576, 1536}, {"135m_head", 512, 49152, 576},
	{"1b_q", 512, 2048, 2048}, {"1b_kv", 512, 256, 2048}, {"1b_up", 512, 5632, 2048}, {"1b_down", 512, 2048, 5632}, {"1b_head", 512, 32000, 2048},
}

// BenchmarkMatMul is the ladder of dense products, from plain Go to the fastest level: each layer's product forward (A·Bᵀ) and
// the two of its gradient (A·B with the rows' gradient, Aᵀ·B for the weight), and the share of the peak of as many cores
// measured in the same run: the largest tile on panels in the level-1 cache. Rates are of the fastest run of each.
func BenchmarkMatMul(b *testing.B) {
	for _, level := range available {
		for mode := range 4 {
			workers, bf16 := 1+mode&1, mode >= 2
			if bf16 && level.gemmPairs == nil {
				continue
			}
			be := newBackend(level, workers)
			for _, s := range matmulShapes {
				if level.level == "generic" && s.name != "cube" {
					continue
				}
				for _, order := range []string{"forward", "rows", "weight"} {
					b.Run(fmt.Sprintf("%s/w%d/bf16=%v/%s_%dx%dx%d/%s", level.level, workers, bf16, s.name, s.m, s.n, s.k, order), func(b *testing.B) {
						o := &compute.MatMul{BF16: bf16}
						tensor := func(shape ...int) *compute.Tensor { return compute.NewTensor(be, dtype.F32, shape...) }
						x, w, y := tensor(s.m, s.k), tensor(s.n, s.k), tensor(s.m, s.n)
						switch order {
						case "forward":
							o.A, o.B, o.Out, o.TransB = x, w, y, true
						case "rows":
							o.A, o.B, o.Out = y, w, x
						case "weight":
							o.A, o.B, o.Out, o.TransA = y, x, w, true
						}
						st := be.NewStream()
						st.Launch(o)
						peak, best := 0.0, time.Hour
						for b.Loop() {
							peak = max(peak, tilePeak(be))
							from := time.Now()
							st.Launch(o)
							best = min(best, time.Since(from))
						}
						if err := st.Err(); err != nil {
							b.Fatal(err)
						}
						rate := 2 * float64(s.m) * float64(s.n) * float64(s.k) / best.Seconds() / 1e9
						b.ReportMetric(rate, "GFLOP/s")
						b.ReportMetric(rate/peak*100, "%peak")
						b.ReportMetric(0, "ns/op")
					})
				}
			}
		}
	}
}

// tilePeak is what all workers together do in float32, in GFLOP/s: the largest tile on panels in the level-1 cache.
func tilePeak(be *backend) float64 {
	const deep, calls, parts = 256, 40, 8 // a worker that was parked misses only some parts
	best := 0.0
	for range 4 {
		from := time.Now()
		be.each(be.workers*parts, func(s *scratch, _ int) {
			x, y, z := s.need(slotA, be.rows*deep), s.need(slotB, be.columns*deep), s.need(slotC, be.rows*be.columns)
			for range calls {
				s.tile = tile0(at(x, 0), at(y, 0), at(z, 0), be.columns, deep)
				be.gemm[be.rows-1](&s.tile)
			}
		})
		best = max(best, 2*float64(be.rows*be.columns)*deep*calls*parts*float64(be.workers)/time.Since(from).Seconds()/1e9)
	}
	return best
}

// cpuPeak is tilePeak of one worker per second of processor time.
func cpuPeak(k *kernels) float64 {
	const deep, calls = 128, 400
	s := &scratch{}
	x, y, z := s.need(slotA, k.rows*deep), s.need(slotB, k.columns*deep), s.need(slotC, k.rows*k.columns)
	best := 0.0
	for range 5 {
		from := cpuTime()
		for range calls {
			s.tile = tile0(at(x, 0), at(y, 0), at(z, 0), k.columns, deep)
			k.gemm[k.rows-1](&s.tile)
		}
		best = max(best, 2*float64(k.rows*k.columns)*deep*calls/(cpuTime()-from).Seconds()/1e9)
	}
	return best
}
