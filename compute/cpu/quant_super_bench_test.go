package cpu

import (
	"fmt"
	"testing"
	"unsafe"

	"lian/dtype"
)

// BenchmarkSuperBlocks are the parts of a product with super-blocks, in the level-1 cache: unpacking a chunk of a panel and
// multiplying it, in nanoseconds for each super-block of all lanes.
func BenchmarkSuperBlocks(b *testing.B) {
	for _, level := range available[1:] {
		lanes := level.superLanes
		x, rounded, sums, scale := aligned(8*superSize), make([]int8, 8*superSize), make([]byte, 8*64), make([]float32, 8)
		for i := range x {
			x[i] = float32(i%77) - 38
		}
		b.Run(level.level+"/round", func(b *testing.B) {
			for b.Loop() {
				level.superRound(&rounded[0], &scale[0], &sums[0], at(x, 0), 8, superSize, 4, 64, 16, 0)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/8, "ns/block")
		})
		for _, kind := range []dtype.Type{dtype.Q4_K, dtype.Q5_K, dtype.Q6_K, dtype.Q2_K, dtype.Q3_K, dtype.IQ4_XS} {
			subs, size := superTypes[kind].subs, kind.BlockBytes()
			raw := make([]byte, lanes*superChunk*size)
			panel := aligned(superElements(subs) * lanes * superChunk)
			p := (*byte)(unsafe.Pointer(unsafe.SliceData(panel)))
			report := func(b *testing.B) {
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/superChunk, "ns/block")
			}
			b.Run(fmt.Sprintf("%s/%v/unpack", level.level, kind), func(b *testing.B) {
				for b.Loop() {
					level.superUnpack[kind](p, &raw[0], superChunk*size, superChunk)
				}
				report(b)
			})
			kernels := level.superMultiply[superTypes[kind].form]
			values, sums, scales := make([]int8, len(kernels)*superChunk*superSize), make([]byte, len(kernels)*superChunk*subs*4), make([]float32, len(kernels)*superChunk)
			out := aligned(len(kernels) * lanes)
			for rows, multiply := range kernels {
				t := &superTile{panel: p, values: &values[0], sums: &sums[0], scales: &scales[0], out: at(out, 0), blocks: superChunk, stride: lanes * 4}
				b.Run(fmt.Sprintf("%s/%v/rows%d", level.level, kind, rows+1), func(b *testing.B) {
					for b.Loop() {
						multiply(t)
					}
					report(b)
					b.ReportMetric(float64((rows+1)*lanes*superSize*2*superChunk)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GOP/s")
				})
			}
		}
	}
}
