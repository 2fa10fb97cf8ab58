package cpu

import (
	"fmt"
	"testing"

	"lian/compute"
	"lian/compute/computetest"
	"lian/compute/host"
	"lian/dtype"
)

// BenchmarkQuantStages is what the parts of a product cost where nothing waits for memory: a weight that lies in the level-2
// cache, one worker, ns for 16 (8) outputs × 32 values.
func BenchmarkQuantStages(b *testing.B) {
	const n, k = 64, 4096
	for _, level := range available[1:] {
		be := newBackend(level, 1)
		for _, kind := range []dtype.Type{dtype.Q4_0, dtype.Q4_1, dtype.Q5_0, dtype.Q8_0, dtype.MXFP4} {
			q := level.quants[kind]
			build := computetest.NewBuild(be, 1)
			w := build.PackedAtRandom(kind, n, k)
			raw, rowBytes := host.Bytes(w), kind.Bytes(k)
			units := float64(n / q.lanes * k / 32)
			report := func(b *testing.B) {
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/units, "ns/block")
				b.ReportMetric(float64(len(raw)*b.N)/b.Elapsed().Seconds()/1e9, "GB/s")
				b.ReportMetric(0, "ns/op")
			}
			const chunk = 16
			columns, panel := make([]byte, chunk*q.bytes*q.lanes+64), bytesOf(aligned(2*chunk*q.panelBytes/4+64))
			each := func(f func(row, first int)) {
				for row := 0; row < n; row += q.lanes {
					for first := 0; first < k/32; first += chunk {
						f(row, first)
					}
				}
			}
			name := func(stage string) string { return fmt.Sprintf("%s/%v/%s", level.level, kind, stage) }
			b.Run(name("transpose"), func(b *testing.B) {
				for b.Loop() {
					each(func(row, first int) {
						transposeRows(q.transpose, q.lanes, columns, raw[row*rowBytes+first*q.bytes:], rowBytes, q.lanes, chunk*q.bytes, &raw[0])
					})
				}
				report(b)
			})
			b.Run(name("unpack"), func(b *testing.B) {
				for b.Loop() {
					each(func(row, first int) { q.unpack(&panel[0], &columns[0], chunk/q.period) })
				}
				report(b)
			})
			for _, m := range []int{1, 8} {
				for _, cached := range []int{1, 2} { // in the level-1 cache, or the level-2 cache
					if m > len(q.few) {
						continue
					}
					b.Run(name(fmt.Sprintf("few%d/L%d", m, cached)), func(b *testing.B) {
						records, out := make([]byte, m*k/32*q.recordBytes), make([]float32, m*q.lanes)
						work := make([]byte, 16*q.lanes*q.bytes)
						for b.Loop() {
							for i := range n / q.lanes * 2 {
								t := quantTile{first: &raw[i/2*(cached-1)*q.lanes*rowBytes], second: &raw[0], records: &records[0], columns: &work[0], out: &out[0], stride: 4 * q.lanes, alpha: 1,
									rowBytes: rowBytes, bytes: fewUnit * q.bytes, blocks: fewUnit, units: k / 32 / fewUnit / 2, ahead: fewAhead}
								q.few[m-1](&t)
							}
						}
						report(b)
					})
				}
			}
			for _, m := range []int{1, 4, len(q.multiply)} {
				if m > len(q.multiply) {
					continue
				}
				b.Run(name(fmt.Sprintf("multiply%d", m)), func(b *testing.B) {
					records, out := make([]byte, m*chunk*q.recordBytes), make([]float32, m*2*q.lanes)
					t := quantTile{first: &panel[0], second: &panel[chunk*q.panelBytes], records: &records[0], out: &out[0], stride: 8 * q.lanes, blocks: chunk, alpha: 1}
					for b.Loop() {
						each(func(row, first int) {
							if row/q.lanes%2 == 0 {
								q.multiply[m-1](&t)
							}
						})
					}
					report(b)
				})
			}
			for _, m := range []int{1, 8} {
				b.Run(name(fmt.Sprintf("all%d", m)), func(b *testing.B) {
					o := &compute.MatMul{A: build.Normal(1, m, k), B: w, Out: build.Zero(dtype.F32, m, n), TransB: true, Fast: true}
					for b.Loop() {
						_ = be.matmul(o)
					}
					report(b)
				})
			}
			b.Run(name("round"), func(b *testing.B) {
				a := build.Normal(1, 1, k)
				records := make([]byte, k/32*q.recordBytes)
				for b.Loop() {
					q.round(q, &records[0], at(host.F32(a), 0), k/32, 1, 0)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(k/32), "ns/block")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
