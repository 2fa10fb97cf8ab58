package cpu

import (
	"slices"
	"testing"

	"lian/compute"
	"lian/compute/computetest"
	"lian/compute/host"
	"lian/compute/ref"
	"lian/dtype"
	"lian/format/safetensors"
)

func TestPackedWeightsMeanWhatTheirProgramsSay(t *testing.T) {
	open := func(path string) (computetest.Vectors, error) {
		f, err := safetensors.Open(path)
		return vectors{f}, err
	}
	backends := []compute.Backend{ref.New()}
	for _, k := range available {
		backends = append(backends, newBackend(k, 2))
	}
	for _, b := range backends {
		t.Run(b.Name(), func(t *testing.T) { computetest.GoldenPacked(t, b, open) })
	}
}

func TestPackedWeightsThatDoNotFitAreRefused(t *testing.T) {
	be := newBackend(available[len(available)-1], 1)
	cases := []struct {
		why   string
		spoil func(w *compute.PackedWeight, b *computetest.Build)
	}{
		{"too few values", func(w *compute.PackedWeight, b *computetest.Build) { w.Values = b.Zero(dtype.I32, 15, 64) }},
		{"values of another type", func(w *compute.PackedWeight, b *computetest.Build) { w.Values = b.Zero(dtype.F32, 16, 64) }},
		{"no zeros", func(w *compute.PackedWeight, b *computetest.Build) { w.Zeros = nil }},
		{"zeros of fewer groups", func(w *compute.PackedWeight, b *computetest.Build) { w.Zeros = b.Zero(dtype.I32, 3, 8) }},
		{"scales of fewer groups", func(w *compute.PackedWeight, b *computetest.Build) { w.Group = 16 }},
		{"groups of nothing", func(w *compute.PackedWeight, b *computetest.Build) { w.Group = 0 }},
		{"five bits", func(w *compute.PackedWeight, b *computetest.Build) { w.Bits = 5 }},
		{"a group that is not there", func(w *compute.PackedWeight, b *computetest.Build) { w.GroupIndex = b.Ints(b.Below(128, 3, 5)) }},
		{"a short group index", func(w *compute.PackedWeight, b *computetest.Build) { w.GroupIndex = b.Ints(b.Below(127, 0, 4)) }},
		{"outputs that are not whole words", func(w *compute.PackedWeight, b *computetest.Build) { w.Outputs = 63 }},
		{"negative", func(w *compute.PackedWeight, b *computetest.Build) { w.Inputs = -128 }},
		{"an unknown layout", func(w *compute.PackedWeight, b *computetest.Build) { w.Layout = 77 }},
		{"codes of no table", func(w *compute.PackedWeight, b *computetest.Build) { w.Layout = compute.PackedCodes }},
	}
	for _, c := range cases {
		b := computetest.NewBuild(be, 1)
		w := compute.PackedWeight{Layout: compute.PackedGPTQ, Outputs: 64, Inputs: 128, Bits: 4, Group: 32,
			Values: b.Zero(dtype.I32, 16, 64), Zeros: b.Zero(dtype.I32, 4, 8), Scales: b.Zero(dtype.F16, 4, 64)}
		st := be.NewStream()
		o := &compute.PackedMatMul{A: b.Normal(1, 2, 128), Weight: w, Out: b.Zero(dtype.F32, 2, 64)}
		if st.Launch(o); st.Err() != nil {
			t.Fatal(st.Err())
		}
		c.spoil(&o.Weight, b)
		if st.Launch(o); st.Err() == nil {
			t.Errorf("%s: accepted", c.why)
		}
	}
}

// TestFastPackedProductsHaveTheSameBits: at every level; and, exact ones too, for a row alone as among others.
func TestFastPackedProductsHaveTheSameBits(t *testing.T) {
	const n, k, most = 104, 1344, 19
	weights := func(b *computetest.Build) []compute.PackedWeight {
		words := func(shape ...int) *compute.Tensor {
			count := shape[0] * shape[1]
			v, more := b.Below(count, 0, 1<<30), b.Below(count, 0, 4)
			for i := range v {
				v[i] |= more[i] << 30
			}
			return b.Ints(v, shape...)
		}
		scales := b.Packed(dtype.F16, 0.1, k/64, n)
		return []compute.PackedWeight{
			{Layout: compute.PackedAWQ, Outputs: n, Inputs: k, Group: 64, Values: words(k, n/8), Zeros: words(k/64, n/8), Scales: scales},
			{Layout: compute.PackedGPTQ, Outputs: n, Inputs: k, Bits: 4, ZeroOffset: 1, Group: 64, Values: words(k/8, n), Zeros: words(k/64, n/8), Scales: scales},
		}
	}
	for which := range 2 {
		var first []float32
		for _, level := range available {
			be := newBackend(level, 2)
			b := computetest.NewBuild(be, 5)
			w, a := weights(b)[which], b.Normal(1, most, k)
			st := be.NewStream()
			fast := true
			run := func(from, to int) []float32 {
				o := &compute.PackedMatMul{A: a.Slice(from, to), Weight: w, Fast: fast, Out: b.Zero(dtype.F32, to-from, n)}
				st.Launch(o)
				if err := st.Err(); err != nil {
					t.Fatal(err)
				}
				return host.F32(o.Out)
			}
			whole := run(0, most)
			if first == nil {
				first = whole
			}
			if !slices.Equal(whole, first) {
				t.Errorf("layout %v: level %s differs from %s", w.Layout, level.level, available[0].level)
			}
			for _, fast = range []bool{true, false} {
				whole := run(0, most)
				for _, count := range []int{1, 2, 7, 8} {
					for from := 0; from+count <= most; from += 5 {
						if !slices.Equal(run(from, from+count), whole[from*n:(from+count)*n]) {
							t.Errorf("layout %v, level %s, fast %v: rows %d to %d differ from the same among %d", w.Layout, level.level, fast, from, from+count, most)
						}
					}
				}
			}
		}
	}
}
