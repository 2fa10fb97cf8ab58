package computetest

import (
	"fmt"

	"lian/compute"
	"lian/dtype"
)

// Cases are all operations on odd shapes.
func Cases() []Case {
	var cases []Case
	for _, f := range []func() []Case{matmulCases, kQuantCases, elementCases, indexCases, ropeCases, attentionCases, optimizerCases} {
		cases = append(cases, f()...)
	}
	for _, s := range compute.Samples() {
		cases = append(cases, Case{Name: s.Name, Make: func(b *Build) compute.Op { return s.Make(b) }, Tolerance: s.Tolerance, Floor: s.Floor, gradient: s.GradientTolerance, finite: s.Finite})
	}
	for i := range cases {
		cases[i].number = i
	}
	return cases
}

func matmulCases() []Case {
	var cases []Case
	shapes := [][3]int{{0, 5, 7}, {1, 1, 1}, {1, 33, 19}, {3, 7, 5}, {5, 64, 0}, {12, 32, 64}, {13, 33, 65}, {17, 31, 129}, {37, 100, 77}, {64, 48, 300}, {130, 70, 1100}, {50, 40, 2100}}
	for _, s := range shapes {
		m, n, k := s[0], s[1], s[2]
		for trans := range 4 {
			for extra := range 4 {
				if extra > 0 && trans != extra {
					continue // each extra once for each shape
				}
				cases = append(cases, Case{Name: fmt.Sprintf("matmul/%dx%dx%d/trans%d/extra%d", m, n, k, trans, extra), Make: func(b *Build) compute.Op {
					o := &compute.MatMul{TransA: trans&1 != 0, TransB: trans&2 != 0, Out: b.Normal(1, m, n)}
					o.A, o.B = b.Normal(1, m, k), b.Normal(1, k, n)
					if o.TransA {
						o.A = b.Normal(1, k, m)
					}
					if o.TransB {
						o.B = b.Normal(1, n, k)
					}
					switch extra {
					case 1:
						o.Alpha, o.Accumulate = 0.5, true
					case 2:
						o.Alpha, o.Bias, o.Residual = -1.25, b.Normal(1, n), b.Normal(1, m, n)
						o.B.Constant = true
					case 3:
						o.Accumulate, o.Bias, o.Residual = true, b.Normal(1, n), o.Out
					}
					return o
				}, Tolerance: 5e-6})
			}
		}
	}
	for _, s := range [][3]int{{1, 33, 19}, {7, 5, 16}, {9, 40, 33}, {12, 32, 64}, {13, 33, 65}, {20, 70, 130}, {64, 48, 300}, {40, 64, 2500}} {
		m, n, k := s[0], s[1], s[2]
		for trans := range 4 {
			cases = append(cases, Case{Name: fmt.Sprintf("matmul/bf16/%dx%dx%d/trans%d", m, n, k, trans), Make: func(b *Build) compute.Op {
				o := &compute.MatMul{TransA: trans&1 != 0, TransB: trans&2 != 0, Out: b.Normal(1, m, n), Accumulate: trans == 1, A: b.Normal(1, m, k), B: b.Normal(1, k, n), BF16: true}
				if o.TransA {
					o.A = b.Normal(1, k, m)
				}
				if o.TransB {
					o.B = b.Normal(1, n, k)
					o.B.Constant = m < 10
				}
				return o
			}, Tolerance: 5e-6, gradient: rounds})
			for _, out := range []dtype.Type{dtype.F32, dtype.BF16} {
				tolerance := 5e-6
				if out == dtype.BF16 {
					tolerance = 8e-3 // neighbouring values of bfloat16
				}
				cases = append(cases, Case{Name: fmt.Sprintf("matmul/bf16_stored/%v/%dx%dx%d/trans%d", out, m, n, k, trans), Make: func(b *Build) compute.Op {
					o := &compute.MatMul{TransA: trans&1 != 0, TransB: trans&2 != 0, Out: b.Zero(out, m, n), A: b.Packed(dtype.BF16, 1, m, k), B: b.Packed(dtype.BF16, 1, k, n), BF16: true}
					if o.TransA {
						o.A = b.Packed(dtype.BF16, 1, k, m)
					}
					if o.TransB {
						o.B = b.Packed(dtype.BF16, 1, n, k)
						o.Bias, o.Residual = b.Normal(1, n), b.Normal(1, m, n)
					}
					return o
				}, Tolerance: tolerance, gradient: rounds})
			}
		}
	}
	for _, kind := range []dtype.Type{dtype.F16, dtype.BF16, dtype.Q8_0, dtype.Q4_0, dtype.Q4_1, dtype.Q5_0, dtype.Q5_1} {
		for mode := range 4 {
			fast, constant := mode&1 != 0, mode&2 != 0
			for _, m := range []int{1, 3, 8, 16, 40} {
				for _, nk := range [][2]int{{5, 32}, {70, 96}, {64, 320}} {
					cases = append(cases, Case{Name: fmt.Sprintf("matmul/%v/fast=%v/constant=%v/%dx%dx%d", kind, fast, constant, m, nk[0], nk[1]), Make: func(b *Build) compute.Op {
						o := &compute.MatMul{A: b.Normal(1, m, nk[1]), B: b.Packed(kind, 0.1, nk[0], nk[1]), Out: b.Zero(dtype.F32, m, nk[0]), TransB: true, Fast: fast, Bias: b.Normal(1, nk[0])}
						o.B.Constant = constant
						if o.Outliers = m%2 == 0; o.Outliers {
							o.A = b.Spread(m, nk[1])
						}
						return o
					}, Tolerance: 5e-6, gradient: gradientOf(fast)})
				}
			}
		}
	}
	return cases
}

// Spread is rows of cubes of normal values: some are outliers.
func (b *Build) Spread(rows, columns int) *compute.Tensor {
	x := b.Normal(1, rows, columns)
	values, err := b.Floats(x)
	if err != nil {
		panic(err)
	}
	for i, v := range values {
		values[i] = v * v * v
	}
	return b.Set(x, values)
}

// rounds marks a case whose operands are rounded: its derivative is not that of the formula.
const rounds = -1

func gradientOf(rounded bool) float64 {
	if rounded {
		return rounds
	}
	return 0
}

func kQuantCases() []Case {
	var cases []Case
	for _, kind := range []dtype.Type{dtype.Q2_K, dtype.Q3_K, dtype.Q4_K, dtype.Q5_K, dtype.Q6_K, dtype.IQ4_XS} {
		for _, m := range []int{1, 5, 9, 33} {
			for mode := range 3 {
				cases = append(cases, Case{Name: fmt.Sprintf("matmul/%v/%d/%d", kind, m, mode), Make: func(b *Build) compute.Op {
					o := &compute.MatMul{A: b.Normal(1, m, 512), B: b.PackedAtRandom(kind, 37, 512), Out: b.Zero(dtype.F32, m, 37), TransB: true, Fast: mode > 0}
					o.B.Constant = mode == 2
					if o.Outliers = m != 5; o.Outliers {
						o.A, o.Alpha = b.Spread(m, 512), 0.3
					}
					return o
				}, Tolerance: 5e-6, gradient: gradientOf(mode > 0)})
			}
		}
	}
	return cases
}

var odd = compute.OddSizes()

func elementCases() []Case {
	var cases []Case
	for _, n := range odd {
		add := func(name string, tolerance float64, f func(b *Build) compute.Op) {
			cases = append(cases, Case{Name: fmt.Sprintf("%s/%d", name, n), Make: f, Tolerance: tolerance})
		}
		add("add", 0, func(b *Build) compute.Op {
			return &compute.Add{A: b.Normal(1, n), B: b.Normal(1, n), Out: b.Zero(dtype.F32, n)}
		})
		add("copy", 0, func(b *Build) compute.Op { return &compute.Add{A: b.Normal(1, n), Out: b.Zero(dtype.F32, n)} })
	}
	for _, s := range [][2]int{{0, 5}, {1, 7}, {5, 1}, {17, 33}, {300, 65}} {
		for _, acc := range []bool{false, true} {
			cases = append(cases, Case{Name: fmt.Sprintf("sum_rows/%v/%v", s, acc), Make: func(b *Build) compute.Op {
				return &compute.SumRows{X: b.Normal(1, s[0], s[1]), Out: b.Normal(1, s[1]), Accumulate: acc}
			}})
		}
	}
	return cases
}

func indexCases() []Case {
	var cases []Case
	for _, s := range [][3]int{{0, 5, 7}, {1, 1, 1}, {9, 4, 33}, {100, 7, 64}, {3, 50, 129}} {
		rows, entries, n := s[0], s[1], s[2]
		cases = append(cases,
			Case{Name: fmt.Sprintf("gather/%v", s), Make: func(b *Build) compute.Op {
				return &compute.Gather{Table: b.Normal(1, entries, n), Index: b.Ints(b.Below(rows, 0, int32(entries))), Out: b.Zero(dtype.F32, rows, n)}
			}},
			Case{Name: fmt.Sprintf("scatter_add/%v", s), Make: func(b *Build) compute.Op {
				return &compute.ScatterAdd{X: b.Normal(1, rows, n), Index: b.Ints(b.Below(rows, 0, int32(entries))), Out: b.Normal(1, entries, n)}
			}},
			Case{Name: fmt.Sprintf("scatter_add_more/%v", s), Make: func(b *Build) compute.Op {
				return &compute.ScatterAdd{X: b.Normal(1, rows, n), Index: b.Ints(b.Below(rows, 0, int32(entries))), Out: b.Normal(1, entries, n), Accumulate: true}
			}})
	}
	for _, kind := range []dtype.Type{dtype.F16, dtype.BF16, dtype.Q8_0, dtype.Q4_0} {
		cases = append(cases, Case{Name: fmt.Sprintf("gather/%v", kind), Make: func(b *Build) compute.Op {
			return &compute.Gather{Table: b.Packed(kind, 1, 6, 96), Index: b.Ints([]int32{5, 0, 0, 3}), Out: b.Zero(dtype.F32, 4, 96)}
		}})
	}
	cases = append(cases, Case{Name: "scatter", Make: func(b *Build) compute.Op {
		return &compute.Scatter{X: b.Normal(1, 3, 2, 5), Index: b.Ints([]int32{4, 0, 2}), Out: b.Normal(1, 6, 2, 5)}
	}})
	return cases
}

func ropeCases() []Case {
	var cases []Case
	for _, s := range [][4]int{{0, 1, 4, 2}, {1, 1, 2, 1}, {5, 3, 10, 3}, {7, 4, 64, 32}, {40, 2, 48, 20}} {
		for mode := range 4 {
			cases = append(cases, Case{Name: fmt.Sprintf("rope/%v/%d", s, mode), Make: func(b *Build) compute.Op {
				o := &compute.RoPE{X: b.Normal(1, s[0], s[1], s[2]), Positions: b.Ints(b.Below(s[0], 0, 5000)), Interleaved: mode&1 != 0, Inverse: mode&2 != 0}
				f := make([]float32, s[3])
				for i := range f {
					f[i] = 1 / float32(1+3*i)
				}
				o.Frequencies = b.Set(b.Zero(dtype.F32, s[3]), f)
				if mode == 3 {
					o.Scale = 1.3
				}
				return o
			}}, Case{Name: fmt.Sprintf("rope/%v/%d/sets", s, mode), Make: func(b *Build) compute.Op {
				o := &compute.RoPE{X: b.Normal(1, s[0], s[1], s[2]), Positions: b.Ints(b.Below(s[0], 0, 5000)), Sets: b.Ints(b.Below(s[0], 0, 3)),
					Interleaved: mode&1 != 0, Inverse: mode&2 != 0, Scale: 1.3}
				f := make([]float32, 3*s[3])
				for i := range f {
					f[i] = 1 / float32(1+3*i)
				}
				o.Frequencies = b.Set(b.Zero(dtype.F32, 3, s[3]), f)
				return o
			}})
		}
	}
	return cases
}

func optimizerCases() []Case {
	var cases []Case
	for _, n := range odd {
		for _, step := range []int{1, 1000} {
			cases = append(cases, Case{Name: fmt.Sprintf("adamw/%d/%d", n, step), Make: func(b *Build) compute.Op {
				o := &compute.AdamW{Param: b.Normal(1, n), Grad: b.Normal(1, n), M: b.Normal(0.1, n), LearningRate: 1e-2, Beta1: 0.9, Beta2: 0.95, Epsilon: 1e-8, Decay: 0.1, Step: step}
				v, _ := b.Floats(b.Normal(0.3, n))
				for i := range v {
					v[i] = v[i]*v[i] + 1e-3
				}
				o.V = b.Set(b.Zero(dtype.F32, n), v)
				if step > 1 {
					o.GradScale = b.Set(b.Zero(dtype.F32, 1), []float32{0.7})
				}
				return o
			}})
		}
		cases = append(cases, Case{Name: fmt.Sprintf("sum_squares/%d", n), Make: func(b *Build) compute.Op {
			return &compute.SumSquares{X: []*compute.Tensor{b.Normal(1, n), b.Normal(2, 3, n)}, Out: b.Zero(dtype.F64, 1)}
		}, Tolerance: 1e-12})
	}
	for _, limit := range []float32{0, 0.5, 100} {
		cases = append(cases, Case{Name: fmt.Sprintf("clip_factor/%v", limit), Make: func(b *Build) compute.Op {
			s := b.Zero(dtype.F64, 1)
			b.stream.Write(s, bytesOf([]float64{9.5}))
			return &compute.ClipFactor{SumSquares: s, Out: b.Zero(dtype.F32, 1), MaxNorm: limit}
		}})
	}
	return cases
}
