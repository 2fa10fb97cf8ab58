package cpu

import (
	"fmt"
	"os"
	"sort"
	"testing"
	"time"

	"lian/compute"
	"lian/compute/host"
	"lian/dtype"
)

// step is the operations of one training step of a small Llama, by hand: what autograd would launch, without a tape.
type step struct {
	tokens, hidden, layers, heads, kv, head, ffn, vocab, context int
	b                                                            compute.Backend
	bf16                                                         bool
	ops                                                          []compute.Op
	flops                                                        []float64
}

func (s *step) t(shape ...int) *compute.Tensor {
	t := compute.NewTensor(s.b, dtype.F32, shape...)
	x := host.F32(t)
	r := uint32(len(x))
	for i := range x {
		r = r*1664525 + 1013904223
		x[i] = (float32(r>>8)/(1<<24) - 0.5) * 0.2
	}
	return t
}

func (s *step) add(op compute.Op, flops float64) {
	s.ops, s.flops = append(s.ops, op), append(s.flops, flops)
}

func (s *step) linear(x, w, out, residual *compute.Tensor) {
	o := &compute.MatMul{A: x, B: w, Out: out, TransB: true, Residual: residual, BF16: s.bf16}
	s.add(o, 2*float64(x.Rows())*float64(w.Rows())*float64(w.Columns()))
}

func (s *step) linearBack(x, w, dout, dx, dw *compute.Tensor, acc bool) {
	f := 2 * float64(x.Rows()) * float64(w.Rows()) * float64(w.Columns())
	s.add(&compute.MatMul{A: dout, B: w, Out: dx, Accumulate: acc, BF16: s.bf16}, f)
	s.add(&compute.MatMul{A: dout, B: x, Out: dw, TransA: true, BF16: s.bf16}, f)
}

func newStep(b compute.Backend, bf16 bool) *step {
	s := &step{tokens: 4096, hidden: 256, layers: 6, heads: 4, kv: 2, head: 64, ffn: 704, vocab: 4096, context: 512, b: b, bf16: bf16}
	n, h := s.tokens, s.hidden
	q, kv := s.heads*s.head, s.kv*s.head
	index := compute.NewTensor(b, dtype.I32, n)
	position := compute.NewTensor(b, dtype.I32, n)
	for i := range n {
		host.I32(index)[i], host.I32(position)[i] = int32(i*7919%s.vocab), int32(i%s.context)
	}
	var starts, lengths []int32
	for at := 0; at <= n; at += s.context {
		starts = append(starts, int32(at))
	}
	lengths = make([]int32, len(starts)-1)
	for i := range lengths {
		lengths[i] = int32(s.context)
	}
	start, length := compute.NewTensor(b, dtype.I32, len(starts)), compute.NewTensor(b, dtype.I32, len(lengths))
	copy(host.I32(start), starts)
	copy(host.I32(length), lengths)
	frequencies := s.t(s.head / 2)
	embedding, dembedding := s.t(s.vocab, h), s.t(s.vocab, h)
	type layer struct {
		x, n1, q, k, v, o, mid, n2, gate, up, act         *compute.Tensor
		wn1, wq, wk, wv, wo, wn2, wg, wu, wd              *compute.Tensor
		dwn1, dwq, dwk, dwv, dwo, dwn2, dwg, dwu, dwd, ls *compute.Tensor
	}
	params := [][2]*compute.Tensor{{embedding, dembedding}}
	param := func(shape ...int) (w, d *compute.Tensor) {
		w, d = s.t(shape...), s.t(shape...)
		params = append(params, [2]*compute.Tensor{w, d})
		return w, d
	}
	layers := make([]layer, s.layers)
	x := s.t(n, h)
	s.add(&compute.Gather{Table: embedding, Index: index, Out: x}, 0)
	pairs := 0.0
	for _, l := range lengths {
		pairs += float64(l) * float64(l+1) / 2
	}
	for i := range layers {
		l := &layers[i]
		l.x, l.n1, l.q, l.k, l.v, l.o, l.mid, l.n2 = x, s.t(n, h), s.t(n, q), s.t(n, kv), s.t(n, kv), s.t(n, q), s.t(n, h), s.t(n, h)
		l.gate, l.up, l.act, l.ls = s.t(n, s.ffn), s.t(n, s.ffn), s.t(n, s.ffn), s.t(n, s.heads)
		l.wn1, l.dwn1 = param(h)
		l.wn2, l.dwn2 = param(h)
		l.wq, l.dwq = param(q, h)
		l.wk, l.dwk = param(kv, h)
		l.wv, l.dwv = param(kv, h)
		l.wo, l.dwo = param(h, q)
		l.wg, l.dwg = param(s.ffn, h)
		l.wu, l.dwu = param(s.ffn, h)
		l.wd, l.dwd = param(h, s.ffn)
		next := s.t(n, h)
		s.add(&compute.RMSNorm{X: x, Weight: l.wn1, Out: l.n1, Epsilon: 1e-5}, 0)
		s.linear(l.n1, l.wq, l.q, nil)
		s.linear(l.n1, l.wk, l.k, nil)
		s.linear(l.n1, l.wv, l.v, nil)
		s.add(&compute.RoPE{X: l.q.View(n, s.heads, s.head), Positions: position, Frequencies: frequencies}, 0)
		s.add(&compute.RoPE{X: l.k.View(n, s.kv, s.head), Positions: position, Frequencies: frequencies}, 0)
		s.add(&compute.Attention{Q: l.q.View(n, s.heads, s.head), K: l.k.View(n, s.kv, s.head), V: l.v.View(n, s.kv, s.head), Out: l.o.View(n, s.heads, s.head),
			LogSumExp: l.ls, QueryStart: start, KeyLength: length, Scale: 0.125, Causal: true, BF16: s.bf16}, 4*pairs*float64(q))
		s.linear(l.o, l.wo, l.mid, x)
		s.add(&compute.RMSNorm{X: l.mid, Weight: l.wn2, Out: l.n2, Epsilon: 1e-5}, 0)
		s.linear(l.n2, l.wg, l.gate, nil)
		s.linear(l.n2, l.wu, l.up, nil)
		s.add(&compute.Gated{Gate: l.gate, Up: l.up, Out: l.act, Kind: compute.SiLU}, 0)
		s.linear(l.act, l.wd, next, l.mid)
		x = next
	}
	dx := s.t(n, h)
	loss, targets := s.t(n), index
	s.add(&compute.LinearCrossEntropy{Hidden: x, Weight: embedding, Targets: targets, Loss: loss, DHidden: dx, DWeight: dembedding, Scale: 1 / float32(n), BF16: s.bf16}, 6*float64(n)*float64(h)*float64(s.vocab))
	dn, dq, dk, dv, do := s.t(n, h), s.t(n, q), s.t(n, kv), s.t(n, kv), s.t(n, q)
	dact, dgate, dup := s.t(n, s.ffn), s.t(n, s.ffn), s.t(n, s.ffn)
	for i := s.layers - 1; i >= 0; i-- {
		l := &layers[i]
		s.linearBack(l.act, l.wd, dx, dact, l.dwd, false)
		s.add(&compute.GatedBackward{Kind: compute.SiLU, Gate: l.gate, Up: l.up, DOut: dact, DGate: dgate, DUp: dup}, 0)
		s.linearBack(l.n2, l.wg, dgate, dn, l.dwg, false)
		s.linearBack(l.n2, l.wu, dup, dn, l.dwu, true)
		s.add(&compute.RMSNormBackward{X: l.mid, Weight: l.wn2, DOut: dn, DX: dx, DWeight: l.dwn2, Epsilon: 1e-5, AccumulateX: true}, 0)
		s.linearBack(l.o, l.wo, dx, do, l.dwo, false)
		s.add(&compute.AttentionBackward{Forward: compute.Attention{Q: l.q.View(n, s.heads, s.head), K: l.k.View(n, s.kv, s.head), V: l.v.View(n, s.kv, s.head), Out: l.o.View(n, s.heads, s.head),
			LogSumExp: l.ls, QueryStart: start, KeyLength: length, Scale: 0.125, Causal: true, BF16: s.bf16},
			DOut: do.View(n, s.heads, s.head), DQ: dq.View(n, s.heads, s.head), DK: dk.View(n, s.kv, s.head), DV: dv.View(n, s.kv, s.head)}, 10*pairs*float64(q))
		s.add(&compute.RoPE{X: dq.View(n, s.heads, s.head), Positions: position, Frequencies: frequencies, Inverse: true}, 0)
		s.add(&compute.RoPE{X: dk.View(n, s.kv, s.head), Positions: position, Frequencies: frequencies, Inverse: true}, 0)
		s.linearBack(l.n1, l.wq, dq, dn, l.dwq, false)
		s.linearBack(l.n1, l.wk, dk, dn, l.dwk, true)
		s.linearBack(l.n1, l.wv, dv, dn, l.dwv, true)
		s.add(&compute.RMSNormBackward{X: l.x, Weight: l.wn1, DOut: dn, DX: dx, DWeight: l.dwn1, Epsilon: 1e-5, AccumulateX: true}, 0)
	}
	s.add(&compute.ScatterAdd{X: dx, Index: index, Out: dembedding, Accumulate: true}, 0)
	var grads []*compute.Tensor
	for _, p := range params {
		grads = append(grads, p[1])
	}
	norm, factor := compute.NewTensor(b, dtype.F64, 1), compute.NewTensor(b, dtype.F32, 1)
	s.add(&compute.SumSquares{X: grads, Out: norm}, 0)
	s.add(&compute.ClipFactor{SumSquares: norm, Out: factor, MaxNorm: 1}, 0)
	for _, p := range params {
		s.add(&compute.AdamW{Param: p[0], Grad: p[1], M: s.t(p[0].Shape...), V: compute.NewTensor(b, dtype.F32, p[0].Shape...), GradScale: factor, LearningRate: 1e-5, Beta1: 0.9, Beta2: 0.95, Epsilon: 1e-8, Step: 1}, 0)
	}
	return s
}

// BenchmarkTrainingStep reports the whole step's share of the peak measured in the same run, both per second of processor time,
// so that other programs on the machine change little; with LIAN_PROFILE=1 the time of each kind of operation.
func BenchmarkTrainingStep(b *testing.B) {
	for _, k := range available[1:] {
		for mode := range 4 {
			workers, bf16 := 1+mode&1, mode >= 2
			if bf16 && k.gemmPairs == nil {
				continue
			}
			b.Run(fmt.Sprintf("%s/w%d/bf16=%v", k.level, workers, bf16), func(b *testing.B) {
				be := newBackend(k, workers)
				s := newStep(be, bf16)
				st := be.NewStream()
				total := 0.0
				for _, f := range s.flops {
					total += f
				}
				times, flops := map[string]time.Duration{}, map[string]float64{}
				peak, spent := 0.0, time.Duration(0)
				for b.Loop() {
					peak = max(peak, cpuPeak(k))
					for i, op := range s.ops {
						from := cpuTime()
						st.Launch(op)
						d := cpuTime() - from
						spent += d
						name := op.Name()
						if m, ok := op.(*compute.MatMul); ok {
							name += map[bool]string{false: "_AB", true: "_AtB"}[m.TransA]
							if m.TransB {
								name += "t"
							}
						}
						times[name] += d
						flops[name] += s.flops[i]
					}
				}
				if err := st.Err(); err != nil {
					b.Fatal(err)
				}
				rate := total * float64(b.N) / spent.Seconds() / 1e9
				b.ReportMetric(rate, "GFLOP/s")
				b.ReportMetric(rate/peak*100, "%peak")
				b.ReportMetric(peak, "peak")
				if os.Getenv("LIAN_PROFILE") == "" {
					return
				}
				var names []string
				for n := range times {
					names = append(names, n)
				}
				sort.Slice(names, func(i, j int) bool { return times[names[i]] > times[names[j]] })
				for _, n := range names {
					fmt.Fprintf(os.Stderr, "%-22s %8.2f ms  %5.1f%%  %6.1f GFLOP/s\n", n, times[n].Seconds()*1e3/float64(b.N), 100*times[n].Seconds()/spent.Seconds(), flops[n]/times[n].Seconds()/1e9)
				}
			})
		}
	}
}
