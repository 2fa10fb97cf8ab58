package cpu

import (
	"fmt"
	"testing"
	"time"

	"lian/compute"
	"lian/dtype"
)

// BenchmarkMatMul gives the share of the peak measured in the same run, both per second of processor time.
func BenchmarkMatMul(b *testing.B) {
	shapes := [][3]int{{1024, 1024, 1024}, {4096, 256, 256}, {4096, 704, 256}, {4096, 256, 704}, {704, 256, 4096}, {256, 256, 4096}}
	for _, level := range available {
		for mode := range 4 {
			workers, bf16 := 1+mode&1, mode >= 2
			if bf16 && level.gemmPairs == nil {
				continue
			}
			be := newBackend(level, workers)
			for _, s := range shapes {
				m, n, k := s[0], s[1], s[2]
				for trans, order := range []string{"AB", "ABt", "AtB"} {
					tensor := func(rows, columns int, transposed bool) *compute.Tensor {
						if transposed {
							rows, columns = columns, rows
						}
						return compute.NewTensor(be, dtype.F32, rows, columns)
					}
					o := &compute.MatMul{TransA: trans == 2, TransB: trans == 1, BF16: bf16, Out: tensor(m, n, false), A: tensor(m, k, trans == 2), B: tensor(k, n, trans == 1)}
					st := be.NewStream()
					b.Run(fmt.Sprintf("%s/w%d/bf16=%v/%v/%s", level.level, workers, bf16, s, order), func(b *testing.B) {
						peak, spent, runs := 0.0, time.Duration(0), 0
						for b.Loop() {
							if runs%8 == 0 {
								peak = max(peak, cpuPeak(level))
							}
							from := cpuTime()
							st.Launch(o)
							spent += cpuTime() - from
							runs++
						}
						if err := st.Err(); err != nil {
							b.Fatal(err)
						}
						rate := 2 * float64(m) * float64(n) * float64(k) * float64(runs) / spent.Seconds() / 1e9
						b.ReportMetric(rate, "GFLOP/s")
						b.ReportMetric(rate/peak*100, "%peak")
					})
				}
			}
		}
	}
}

// cpuPeak is the float32 peak of one worker in GFLOP/s, per second of processor time: the largest tile on panels in the level-1 cache.
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
