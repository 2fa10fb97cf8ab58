package computetest

import (
	"fmt"
	"math"
	"testing"

	"lian/compute"
	"lian/compute/ref"
	"lian/dtype"
)

// specials are values that arithmetic treats in ways of its own.
var specials = []struct {
	name  string
	value float32
}{
	{"nan", float32(math.NaN())},
	{"inf", float32(math.Inf(1))},
	{"-inf", float32(math.Inf(-1))},
	{"denormal", 3e-40},
}

// mostSpecial is how many elements a case may have to be run with special values: what they do does not depend on size.
const mostSpecial = 6000

// Specials runs every small case with one special value in one float32 input at a time: a result must be NaN where the
// reference's is and close to it elsewhere. Where an infinite operand makes the reference infinite or NaN, anything goes.
func Specials(t *testing.T, backend compute.Backend) {
	for _, c := range Cases() {
		if c.finite {
			continue
		}
		probe := NewBuild(ref.New(), seedOf(c.Name))
		op := c.Make(probe)
		if elements(op.Inputs(nil))+elements(op.Outputs(nil)) > mostSpecial {
			continue
		}
		for i, x := range op.Inputs(nil) {
			if x.Type != dtype.F32 || x.Elements() == 0 {
				continue
			}
			for _, s := range specials {
				t.Run(fmt.Sprintf("%s/input%d/%s", c.Name, i, s.name), func(t *testing.T) { c.checkSpecial(t, backend, i, s.value) })
			}
		}
	}
}

func (c *Case) checkSpecial(t *testing.T, backend compute.Backend, input int, value float32) {
	t.Helper()
	run := func(on compute.Backend) (values [][]float64) {
		b := NewBuild(on, seedOf(c.Name))
		op := c.Make(b)
		x := op.Inputs(nil)[input]
		v, err := b.Floats(x)
		if err != nil {
			t.Fatal(err)
		}
		v[int(seedOf(c.Name)%uint64(len(v)))] = value
		b.Set(x, v)
		b.stream.Launch(op)
		for _, out := range op.Outputs(nil) {
			v, err := b.values(out)
			if err != nil {
				t.Fatalf("%s: %v", on.Name(), err)
			}
			values = append(values, v)
		}
		return values
	}
	want, got := run(ref.New()), run(backend)
	strict := value-value == 0 || value != value
	for i := range want {
		if !strict { // ∞ − ∞ and 0 · ∞ may come up in one formula and not in another: what stays finite must be right, that is all
			for at, w := range want[i] {
				if w-w != 0 {
					got[i][at] = w
				}
			}
		}
		tolerance := max(4*c.Tolerance, 1e-5)
		if worst, at := differ(got[i], want[i], max(c.Floor, 1e-30)); worst > tolerance {
			t.Errorf("output %d: value %d is %v, ref says %v", i, at, got[i][at], want[i][at])
		}
	}
}
