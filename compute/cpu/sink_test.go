package cpu

import (
	"math"
	"testing"

	"lian/compute"
	"lian/compute/computetest"
	"lian/compute/host"
	"lian/dtype"
)

func TestOutputsPastTheCachesAreThoseOfSmallTensors(t *testing.T) {
	const rows, n, few = pastCaches/4096/4 + 3, 4096, 70
	for _, k := range available {
		t.Run(k.level, func(t *testing.T) {
			be := newBackend(k, 2)
			b := computetest.NewBuild(be, 5)
			one := host.F32(b.Normal(1, 1<<16))
			fill := func() *compute.Tensor {
				x := b.Zero(dtype.F32, rows, n)
				for i := range host.F32(x) {
					host.F32(x)[i] = one[i*7&(1<<16-1)]
				}
				return x
			}
			x, y, w := fill(), fill(), b.Normal(1, n)
			for name, make := range map[string]func(x, y, out *compute.Tensor) compute.Op{
				"add":  func(x, y, out *compute.Tensor) compute.Op { return &compute.Add{A: x, B: y, Out: out} },
				"copy": func(x, _, out *compute.Tensor) compute.Op { return &compute.Add{A: x, Out: out} },
				"silu": func(x, _, out *compute.Tensor) compute.Op {
					return &compute.Activation{X: x, Out: out, Kind: compute.SiLU}
				},
				"swiglu": func(x, y, out *compute.Tensor) compute.Op {
					return &compute.Gated{Gate: x, Up: y, Out: out, Kind: compute.SiLU}
				},
				"gate": func(x, y, out *compute.Tensor) compute.Op {
					return &compute.GatedBackward{Gate: x, Up: y, DOut: x, DGate: out, Kind: compute.SiLU}
				},
				"rmsnorm": func(x, _, out *compute.Tensor) compute.Op {
					return &compute.RMSNorm{X: x, Weight: w, Out: out, Epsilon: 1e-5}
				},
				"dx": func(x, y, out *compute.Tensor) compute.Op {
					return &compute.RMSNormBackward{X: x, Weight: w, DOut: y, DX: out, Epsilon: 1e-5}
				},
				"layer": func(x, _, out *compute.Tensor) compute.Op {
					return &compute.LayerNorm{X: x, Weight: w, Out: out, Epsilon: 1e-5}
				},
				"softmax": func(x, _, out *compute.Tensor) compute.Op { return &compute.Softmax{X: x, Out: out} },
				"dropout": func(x, _, out *compute.Tensor) compute.Op { return &compute.Dropout{X: x, Out: out, Key: 3, Rate: 0.2} },
			} {
				out, small := b.Zero(dtype.F32, rows, n), b.Zero(dtype.F32, few, n)
				s := be.NewStream()
				s.Launch(make(x, y, out))
				s.Launch(make(x.Slice(0, few), y.Slice(0, few), small))
				if err := s.Err(); err != nil {
					t.Fatal(err)
				}
				for i, v := range host.F32(small) {
					if math.Float32bits(v) != math.Float32bits(host.F32(out)[i]) {
						t.Fatalf("%s: value %d of the large tensor is %v, of the small one %v", name, i, host.F32(out)[i], v)
					}
				}
				if name == "add" {
					be.zero(host.F32(out)[:rows*n-5])
					for i, v := range host.F32(out) {
						if (v == 0) != (i < rows*n-5) {
							t.Fatalf("value %d is %v after all but the last five were set to 0", i, v)
						}
					}
					continue
				}
				for i := rows - 1; i >= rows-3; i-- { // and the end was written
					if name != "dropout" && host.F32(out)[i*n] == 0 && host.F32(out)[i*n+1] == 0 {
						t.Fatalf("%s: row %d was not written", name, i)
					}
				}
			}
		})
	}
}
