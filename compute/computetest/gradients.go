package computetest

import (
	"math"
	"math/rand/v2"
	"testing"

	"lian/compute"
	"lian/compute/autograd"
	"lian/compute/ref"
	"lian/dtype"
)

// Gradients holds the backward rule of every differentiable case against finite differences on the reference backend: with a
// random weight for each output and a random direction for each float32 input, the change of the weighted outputs along the
// direction must be what the gradients say. Losses make their gradients in the forward pass; those are held against the change of the
// sum of their losses.
func Gradients(t *testing.T) {
	for _, c := range Cases() {
		if c.gradient < 0 {
			continue
		}
		probe := NewBuild(ref.New(), seedOf(c.Name))
		if o, ok := c.Make(probe).(*compute.LinearCrossEntropy); ok && o.DHidden != nil && o.DWeight != nil && !o.AccumulateWeight && !o.BF16 && elements(o.Inputs(nil)) < 30000 {
			t.Run(c.Name, func(t *testing.T) { c.checkLoss(t) })
			continue
		}
		probe = NewBuild(ref.New(), seedOf(c.Name))
		op, ok := c.Make(probe).(compute.Differentiable)
		if !ok || elements(op.Inputs(nil)) > 40000 || inPlace(op) {
			continue
		}
		t.Run(c.Name, func(t *testing.T) { c.checkGradient(t) })
	}
}

func elements(tensors []*compute.Tensor) int {
	n := 0
	for _, x := range tensors {
		n += x.Elements()
	}
	return n
}

// checkGradient compares one directional derivative.
func (c *Case) checkGradient(t *testing.T) {
	// value runs the operation with its float32 inputs moved along the direction and sums the weighted outputs.
	seed := seedOf(c.Name)
	value := func(step float64) float64 {
		b := NewBuild(ref.New(), seed)
		op := c.Make(b)
		move(t, b, op, seed, step)
		b.stream.Launch(op)
		random, sum := rand.New(rand.NewPCG(seed, 3)), 0.0
		for _, out := range op.Outputs(nil) {
			v, err := b.values(out)
			if err != nil {
				t.Fatal(err)
			}
			for _, y := range v {
				sum += y * random.NormFloat64()
			}
			break // the first output; others are statistics that nothing differentiates
		}
		return sum
	}
	b := NewBuild(ref.New(), seed)
	op := c.Make(b).(compute.Differentiable)
	var wanted []*compute.Tensor
	for _, x := range op.Inputs(nil) {
		if moves(x) {
			wanted = append(wanted, x)
		}
	}
	if len(wanted) == 0 || op.Outputs(nil)[0].Elements() == 0 {
		return
	}
	gradients := autograd.NewGradients(b.Backend, wanted)
	tape := autograd.NewTape(b.stream, compute.NewArena(b.Backend, 0), gradients)
	tape.Launch(op)
	out := op.Outputs(nil)[0]
	weights, random := make([]float32, out.Elements()), rand.New(rand.NewPCG(seed, 3))
	for i := range weights {
		weights[i] = float32(random.NormFloat64())
	}
	tape.Seed(out, b.Set(b.Zero(dtype.F32, out.Shape...), weights))
	if err := tape.Backward(); err != nil {
		t.Fatal(err)
	}
	got, size := 0.0, 0.0
	direction := rand.New(rand.NewPCG(seed, 5))
	for _, x := range wanted {
		g, err := b.Floats(gradients.Of(x))
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range g {
			d := direction.NormFloat64()
			got += float64(v) * d
			size += float64(v) * float64(v)
		}
	}
	const h = 2e-3
	want := (value(h) - value(-h)) / (2 * h)
	tolerance := c.gradient
	if tolerance == 0 {
		tolerance = 2e-3
	}
	if scale := math.Sqrt(size) + math.Abs(want) + 1e-2; math.Abs(got-want) > tolerance*scale || got != got {
		t.Errorf("the gradients say %v along a random direction, finite differences %v", got, want)
	}
}

// inPlace says whether an operation updates one of its inputs. The tape then holds one gradient for two contents.
func inPlace(op compute.Op) bool {
	for _, out := range op.Outputs(nil) {
		for _, x := range op.Inputs(nil) {
			if x.Buffer == out.Buffer && x.Offset == out.Offset {
				return true
			}
		}
	}
	return false
}

// moves says whether an input has a gradient that is checked: what is constant has none.
func moves(x *compute.Tensor) bool {
	return x.Type == dtype.F32 && x.Elements() > 0 && !x.Constant
}

// move adds step times a random direction to the float32 inputs.
func move(t *testing.T, b *Build, op compute.Op, seed uint64, step float64) {
	direction := rand.New(rand.NewPCG(seed, 5))
	for _, x := range op.Inputs(nil) {
		if !moves(x) {
			continue
		}
		v, err := b.Floats(x)
		if err != nil {
			t.Fatal(err)
		}
		for i := range v {
			v[i] += float32(step * direction.NormFloat64())
		}
		b.Set(x, v)
	}
}

// checkLoss compares the gradients of a loss along a random direction of its hidden rows and its weight.
func (c *Case) checkLoss(t *testing.T) {
	seed := seedOf(c.Name)
	run := func(step float64) (total float64, o *compute.LinearCrossEntropy, b *Build) {
		b = NewBuild(ref.New(), seed)
		o = c.Make(b).(*compute.LinearCrossEntropy)
		weights := o.Weights
		o.Weights = nil // not moved
		move(t, b, o, seed, step)
		o.Weights = weights
		b.stream.Launch(o)
		losses, err := b.values(o.Loss)
		if err != nil {
			t.Fatal(err)
		}
		for i, l := range losses {
			if weights != nil {
				w, _ := b.Floats(weights)
				l *= float64(w[i])
			}
			total += l * float64(o.Scale)
		}
		return total, o, b
	}
	_, o, b := run(0)
	got, size, direction := 0.0, 0.0, rand.New(rand.NewPCG(seed, 5))
	for _, d := range []*compute.Tensor{o.DHidden, o.DWeight, o.DBias} {
		if d == nil {
			continue
		}
		g, err := b.Floats(d)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range g {
			got += float64(v) * direction.NormFloat64()
			size += float64(v) * float64(v)
		}
	}
	const h = 2e-3
	above, _, _ := run(h)
	below, _, _ := run(-h)
	if want := (above - below) / (2 * h); math.Abs(got-want) > 2e-3*(math.Sqrt(size)+math.Abs(want)+1e-2) || got != got {
		t.Errorf("the gradients say %v along a random direction, finite differences %v", got, want)
	}
}
