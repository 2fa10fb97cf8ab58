package cpu

import (
	"fmt"
	"testing"
	"time"

	"lian/compute"
	"lian/compute/host"
	"lian/dtype"
)

// attentionShape is a batch of equal causal sequences.
type attentionShape struct{ batch, heads, kv, length, head, value int }

func (s attentionShape) String() string {
	return fmt.Sprintf("%dx%dx%dx%d", s.batch, s.heads, s.length, s.head)
}

// pairs is the query-key pairs that are seen.
func (s attentionShape) pairs() float64 {
	return float64(s.batch*s.heads) * float64(s.length) * float64(s.length+1) / 2
}

func (s attentionShape) forward(be compute.Backend) *compute.Attention {
	rows := s.batch * s.length
	o := &compute.Attention{Q: normal(be, rows, s.heads, s.head), K: normal(be, rows, s.kv, s.head), V: normal(be, rows, s.kv, s.value),
		Out: compute.NewTensor(be, dtype.F32, rows, s.heads, s.value), LogSumExp: compute.NewTensor(be, dtype.F32, rows, s.heads),
		QueryStart: compute.NewTensor(be, dtype.I32, s.batch+1), KeyLength: compute.NewTensor(be, dtype.I32, s.batch), Scale: 0.125, Causal: true}
	for i := range s.batch {
		host.I32(o.QueryStart)[i+1], host.I32(o.KeyLength)[i] = int32((i+1)*s.length), int32(s.length)
	}
	return o
}

// normal is a tensor of numbers about 1 large.
func normal(be compute.Backend, shape ...int) *compute.Tensor {
	t := compute.NewTensor(be, dtype.F32, shape...)
	r := uint32(len(shape) + shape[0])
	x := host.F32(t)
	for i := range x {
		r = r*1664525 + 1013904223
		x[i] = (float32(r>>8)/(1<<24) - 0.5) * 3
	}
	return t
}

// BenchmarkAttention gives the share of the peak measured in the same run, both per second of processor time; only the pairs
// that are seen count.
func BenchmarkAttention(b *testing.B) {
	shapes := []attentionShape{{4, 8, 8, 512, 64, 64}, {1, 8, 8, 2048, 64, 64}, {1, 2, 2, 8192, 64, 64}, {4, 8, 8, 512, 128, 128}, {1, 8, 8, 2048, 128, 128}, {1, 2, 2, 8192, 128, 128},
		{4, 8, 2, 512, 64, 64}, {1, 4, 4, 1024, 192, 128}, {8, 6, 6, 256, 48, 48}, {1, 9, 3, 512, 64, 64}} // the last two: bench train's
	for _, level := range available[1:] {
		for _, workers := range []int{1, 2} {
			be := newBackend(level, workers)
			for _, bf16 := range []bool{false, true} {
				if bf16 && level.gemmPairs == nil || !bf16 && level.amx != nil {
					continue // in float32 that level is the one before
				}
				kind := map[bool]string{true: "_bf16"}[bf16]
				for _, s := range shapes {
					b.Run(fmt.Sprintf("%s/w%d/forward%s/%v", level.level, workers, kind, s), func(b *testing.B) {
						f := s.forward(be)
						f.BF16 = bf16
						benchmarkShare(b, be, f, s.pairs()*float64(2*s.head+2*s.value))
					})
					b.Run(fmt.Sprintf("%s/w%d/backward%s/%v", level.level, workers, kind, s), func(b *testing.B) {
						f := s.forward(be)
						f.BF16 = bf16
						be.NewStream().Launch(f)
						o := &compute.AttentionBackward{Forward: *f, DOut: normal(be, f.Out.Shape...), DQ: normal(be, f.Q.Shape...), DK: normal(be, f.K.Shape...), DV: normal(be, f.V.Shape...)}
						benchmarkShare(b, be, o, s.pairs()*float64(6*s.head+4*s.value))
					})
				}
			}
		}
	}
}

// benchmarkShare reports an operation's rate, by the clock and as a share of the peak of the processor time it took.
func benchmarkShare(b *testing.B, be *backend, op compute.Op, flops float64) {
	st := be.NewStream()
	st.Launch(op)
	peak, spent, best, runs := 0.0, time.Duration(0), time.Hour, 0
	b.ReportAllocs()
	for b.Loop() {
		if runs%8 == 0 {
			b.StopTimer()
			peak = max(peak, cpuPeak(be.kernels))
			b.StartTimer()
		}
		from, cpu := time.Now(), cpuTime()
		st.Launch(op)
		spent += cpuTime() - cpu
		best = min(best, time.Since(from))
		runs++
	}
	if err := st.Err(); err != nil {
		b.Fatal(err)
	}
	rate := flops * float64(runs) / spent.Seconds() / 1e9
	b.ReportMetric(rate/peak*100, "%peak")
	b.ReportMetric(flops/best.Seconds()/1e9, "GFLOP/s")
	b.ReportMetric(peak, "peak")
}

// BenchmarkAttentionDecode gives the bytes of keys and values that one query of a sequence reads in a second, from a cache in
// blocks of 16 in disorder, and their share of what the same workers read plainly in the same run.
func BenchmarkAttentionDecode(b *testing.B) {
	const kv, group, head, size = 8, 4, 128, 16 // slots are 16384 for any number of sequences
	for _, level := range available[1:] {
		for _, workers := range []int{1, 2} {
			for _, kind := range []struct {
				name string
				kind dtype.Type
				bits int
			}{{"f32", dtype.F32, 32}, {"bf16", dtype.BF16, 16}, {"int8", dtype.U8, 8}, {"int4", dtype.U8, 4}} {
				for _, sequences := range []int{1, 8} {
					b.Run(fmt.Sprintf("%s/w%d/%s/%d", level.level, workers, kind.name, sequences), func(b *testing.B) {
						be, keys := newBackend(level, workers), 16384/sequences
						blocks := keys / size
						slots := sequences * keys
						o := &compute.Attention{Q: normal(be, sequences, kv*group, head), Out: normal(be, sequences, kv*group, head), Scale: 0.1, Causal: true, BlockSize: size,
							QueryStart: compute.NewTensor(be, dtype.I32, sequences+1), KeyLength: compute.NewTensor(be, dtype.I32, sequences), Blocks: compute.NewTensor(be, dtype.I32, sequences, blocks)}
						stored := head
						if kind.bits == 4 {
							stored /= 2
						}
						o.K, o.V = compute.NewTensor(be, kind.kind, slots, kv, stored), compute.NewTensor(be, kind.kind, slots, kv, stored)
						bytes := 2 * o.K.Bytes()
						if kind.kind == dtype.U8 {
							o.KScale, o.VScale = normal(be, slots, kv, 2), normal(be, slots, kv, 2)
							bytes += 2 * o.KScale.Bytes()
						}
						st, index := be.NewStream(), compute.NewTensor(be, dtype.I32, slots)
						for i := range slots {
							host.I32(index)[i] = int32(i)
						}
						st.Launch(&compute.KVWrite{X: normal(be, slots, kv, head), Index: index, Out: o.K, Scales: o.KScale})
						st.Launch(&compute.KVWrite{X: normal(be, slots, kv, head), Index: index, Out: o.V, Scales: o.VScale})
						for s := range sequences {
							host.I32(o.QueryStart)[s+1], host.I32(o.KeyLength)[s] = int32(s+1), int32(keys)
							for i := range blocks {
								host.I32(o.Blocks)[s*blocks+i] = int32((s*blocks + i) * 7 % (sequences * blocks))
							}
						}
						st.Launch(o)
						if err := st.Err(); err != nil {
							b.Fatal(err)
						}
						plain, best, runs := 0.0, time.Hour, 0
						b.ReportAllocs()
						for b.Loop() {
							if runs%8 == 0 {
								b.StopTimer()
								plain = max(plain, plainRead(be))
								b.StartTimer()
							}
							from := time.Now()
							st.Launch(o)
							best = min(best, time.Since(from))
							runs++
						}
						rate := float64(bytes) / best.Seconds() / 1e9
						b.ReportMetric(rate, "GB/s")
						b.ReportMetric(rate/plain*100, "%read")
					})
				}
			}
		}
	}
}

var readMemory []float32

// plainRead is how many GB/s the workers of a backend read in order.
func plainRead(be *backend) float64 {
	if readMemory == nil {
		readMemory = aligned(64 << 20)
		fill(readMemory, 1)
	}
	from := time.Now()
	be.each(64, func(_ *scratch, t int) {
		for i := range 64 {
			x := at(readMemory, t<<20+i<<14)
			be.dot(x, x, 1<<14)
		}
	})
	return float64(len(readMemory)*4) / time.Since(from).Seconds() / 1e9
}
