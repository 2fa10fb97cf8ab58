package cpu

import (
	"fmt"
	"testing"

	"lian/compute"
	"lian/dtype"
)

func BenchmarkMatMul(b *testing.B) {
	for _, k := range available {
		for _, workers := range []int{1, 2} {
			be := newBackend(k, workers)
			for _, s := range [][3]int{{1024, 1024, 1024}, {4096, 256, 256}, {4096, 704, 256}, {4096, 256, 704}, {704, 256, 4096}, {256, 256, 4096}, {1, 4096, 256}} {
				m, n, kk := s[0], s[1], s[2]
				for trans := range 3 {
					o := &compute.MatMul{TransA: trans == 2, TransB: trans == 1, Out: compute.NewTensor(be, dtype.F32, m, n), A: compute.NewTensor(be, dtype.F32, m, kk), B: compute.NewTensor(be, dtype.F32, kk, n)}
					if o.TransA {
						o.A = compute.NewTensor(be, dtype.F32, kk, m)
					}
					if o.TransB {
						o.B = compute.NewTensor(be, dtype.F32, n, kk)
						o.B.Constant = m < 16
					}
					st := be.NewStream()
					b.Run(fmt.Sprintf("%s/w%d/%v/%s", k.level, workers, s, []string{"AB", "ABt", "AtB"}[trans]), func(b *testing.B) {
						for b.Loop() {
							st.Launch(o)
						}
						if err := st.Err(); err != nil {
							b.Fatal(err)
						}
						b.ReportMetric(2*float64(m)*float64(n)*float64(kk)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
					})
				}
			}
		}
	}
}
