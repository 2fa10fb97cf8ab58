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
		{4, 8, 2, 512, 64, 64}, {1, 4, 4, 1024, 192, 128}}
	for _, level := range available[1:] {
		for _, workers := range []int{1, 2} {
			be := newBackend(level, workers)
			for _, s := range shapes {
				b.Run(fmt.Sprintf("%s/w%d/forward/%v", level.level, workers, s), func(b *testing.B) {
					benchmarkShare(b, be, s.forward(be), s.pairs()*float64(2*s.head+2*s.value))
				})
				b.Run(fmt.Sprintf("%s/w%d/backward/%v", level.level, workers, s), func(b *testing.B) {
					f := s.forward(be)
					be.NewStream().Launch(f)
					o := &compute.AttentionBackward{Forward: *f, DOut: normal(be, f.Out.Shape...), DQ: normal(be, f.Q.Shape...), DK: normal(be, f.K.Shape...), DV: normal(be, f.V.Shape...)}
					benchmarkShare(b, be, o, s.pairs()*float64(6*s.head+4*s.value))
				})
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
