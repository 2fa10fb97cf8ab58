package train

import (
	"fmt"
	"math"
	"strings"

	"lian/compute"
	"lian/dtype"
	"lian/model"
)

// trace runs a batch again and looks at every tensor as it is made: where is the first number that is not finite? inWeights says that it
// was there before the batch. Nothing moves; the gradients are those of the batch's beginning up to there.
func (t *Trainer) trace(a attempt) (where string, inWeights bool, err error) {
	for _, w := range t.Model.Parameters().All() {
		if at, ok := t.firstBad(w.Tensor); ok {
			return fmt.Sprintf("weight %s holds %s", w.Name, at), true, nil
		}
	}
	for _, w := range t.Weights.All() {
		if at, ok := t.firstBad(w.Tensor); ok {
			return fmt.Sprintf("weight %s holds %s", w.Name, at), true, nil
		}
	}
	real := t.stream
	w := &watch{Stream: real, look: t.firstBad, names: map[compute.Buffer][]model.Parameter{}}
	for _, list := range []*model.Parameters{t.Model.Parameters(), t.Weights} {
		for _, p := range list.All() {
			w.names[p.Tensor.Buffer] = append(w.names[p.Tensor.Buffer], p)
			if g := t.gradients.Of(p.Tensor); g != nil {
				w.names[g.Buffer] = append(w.names[g.Buffer], model.Parameter{Name: "gradient of " + p.Name, Tensor: g})
			}
		}
	}
	taps := t.Taps
	t.stream, t.Taps = w, nil
	defer func() { t.stream, t.Taps = real, taps }()
	t.gradients.Reset()
	for number, m := range split(a.sequences, t.Options.MicroTokens) {
		if err := t.accumulate(m, float32(1/a.total), make([]float64, len(a.sequences))); err != nil {
			return "", false, err
		}
		if w.found != "" {
			return fmt.Sprintf("%s, in micro-batch %d", w.found, number), false, nil
		}
	}
	return "no tensor of the pass; the sum over the batch overflows", false, nil
}

// firstBad is where a tensor of floats has its first number that is not finite.
func (t *Trainer) firstBad(x *compute.Tensor) (string, bool) {
	if x == nil || x.Packed != nil || x.Type != dtype.F32 && x.Type != dtype.BF16 {
		return "", false
	}
	raw := make([]byte, x.Bytes())
	s := t.stream
	if w, ok := s.(*watch); ok {
		s = w.Stream
	}
	if s.Read(x, raw) != nil {
		return "", false
	}
	values := make([]float32, x.Elements())
	if dtype.Dequantize(x.Type, raw, values) != nil {
		return "", false
	}
	for i, v := range values {
		if d := float64(v); math.IsNaN(d) || math.IsInf(d, 0) {
			columns := max(x.Columns(), 1)
			return fmt.Sprintf("%v at row %d, column %d of %v", v, i/columns, i%columns, x.Shape), true
		}
	}
	return "", false
}

// watch is a stream that looks at what each operation makes.
type watch struct {
	compute.Stream
	look  func(*compute.Tensor) (string, bool)
	names map[compute.Buffer][]model.Parameter
	found string // the first find
	last  string // weight seen last
}

// Launch implements compute.Launcher.
func (w *watch) Launch(op compute.Op) {
	w.Stream.Launch(op)
	if w.found != "" {
		return
	}
	for _, x := range op.Inputs(nil) {
		if n := w.name(x); n != "" {
			w.last = n
		}
	}
	for _, x := range op.Outputs(nil) {
		at, bad := w.look(x)
		if !bad {
			continue
		}
		what := op.Name()
		if n := w.name(x); n != "" {
			what += " into " + n
		} else if w.last != "" {
			what += ", with or after " + w.last
		}
		if strings.HasSuffix(op.Name(), "_backward") {
			what += " (backward)"
		}
		w.found = fmt.Sprintf("%s made %s", what, at)
		return
	}
}

// name is the weight or gradient that a tensor is, or is a view of.
func (w *watch) name(x *compute.Tensor) string {
	if x == nil || x.Packed != nil {
		return ""
	}
	for _, p := range w.names[x.Buffer] {
		if x.Offset >= p.Tensor.Offset && x.Offset < p.Tensor.Offset+max(p.Tensor.Bytes(), 1) {
			return p.Name
		}
	}
	return ""
}
