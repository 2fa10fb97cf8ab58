package computetest

import (
	"math"
	"slices"
	"sync"
	"testing"

	"lian/compute"
	"lian/compute/ref"
)

// RunAll runs every case on a backend. The others are the same backend with other numbers of workers: they must give
// the same bits.
func RunAll(t *testing.T, backend compute.Backend, others ...compute.Backend) {
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) { c.check(t, backend, others) })
	}
	t.Run("rows", func(t *testing.T) { rowsAlone(t, backend) })
	t.Run("aliasing", func(t *testing.T) { aliasing(t, backend) })
	t.Run("nan", func(t *testing.T) { nan(t, backend) })
}

// Case is one operation with operands.
type Case struct {
	Name      string
	Make      func(b *Build) compute.Op
	Tolerance float64 // 0 means 2e-6: float32 chains of a few hundred
	Floor     float64 // magnitude that differences are relative to, at least; for results that cancel

	gradient float64 // see compute.Sample.GradientTolerance
	finite   bool    // see compute.Sample.Finite
	number   int     // among all cases
}

func (c *Case) check(t *testing.T, backend compute.Backend, others []compute.Backend) {
	t.Helper()
	want, names := c.reference(t)
	got, _ := c.run(t, backend)
	tolerance := c.Tolerance
	if tolerance == 0 {
		tolerance = 2e-6
	}
	for i := range want {
		if worst, at := differ(got[i], want[i], c.Floor); worst > tolerance {
			t.Errorf("output %d (%s): value %d is %v, ref says %v: relative difference %.3g, allowed %.3g", i, names[i], at, got[i][at], want[i][at], worst, tolerance)
		}
	}
	for w, other := range others {
		again, _ := c.run(t, other)
		for i := range got {
			if at := firstDifference(got[i], again[i]); at >= 0 {
				t.Errorf("output %d (%s): value %d is %v, but %v on backend %d of the others: the result depends on the workers", i, names[i], at, got[i][at], again[i][at], w)
			}
		}
	}
}

// references are what the reference backend says of each case: every level of a backend asks for the same.
var references sync.Map

type reference struct {
	once   sync.Once
	values [][]float64
	names  []string
}

func (c *Case) reference(t *testing.T) ([][]float64, []string) {
	t.Helper()
	kept, _ := references.LoadOrStore(c.number, &reference{})
	r := kept.(*reference)
	r.once.Do(func() { r.values, r.names = c.run(t, ref.New()) })
	if r.values == nil {
		t.Fatal("the reference could not compute this")
	}
	return r.values, r.names
}

// run gives the outputs' values after the operation.
func (c *Case) run(t *testing.T, backend compute.Backend) (values [][]float64, names []string) {
	t.Helper()
	b := NewBuild(backend, seedOf(c.Name))
	op := c.Make(b)
	b.stream.Launch(op)
	for _, out := range op.Outputs(nil) {
		v, err := b.values(out)
		if err != nil {
			t.Fatalf("%s: %v", backend.Name(), err)
		}
		values, names = append(values, v), append(names, out.String())
	}
	return values, names
}

func seedOf(name string) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range []byte(name) {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

// firstDifference compares bits; −1 if equal.
func firstDifference(a, b []float64) int {
	if slices.EqualFunc(a, b, func(x, y float64) bool { return math.Float64bits(x) == math.Float64bits(y) }) {
		return -1
	}
	for i := range a {
		if math.Float64bits(a[i]) != math.Float64bits(b[i]) {
			return i
		}
	}
	return len(a)
}
