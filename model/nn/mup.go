package nn

import (
	"fmt"
	"math"

	"lian/compute"
)

// MuP is the maximal update parametrisation: what was chosen for a model of hidden size Base, its learning rate above all, holds for wider ones.
// Against Base, a model w times as wide starts with matrices 1/√w as large and moves them at 1/w of the rate; embeddings, biases and gains are
// as they were. What the head multiplies with is 1/w: here that stands in the gain of the last norm, which starts at 1/w and moves at 1/w of the
// rate, so that the model's files say it and nobody has to know. Heads must be as large as in Base, there may be more of them. It is made for rules whose steps do
// not depend on the gradient's size, as Adam's.
//
// Source: Yang et al., Tensor Programs V, arXiv 2203.03466, table 8.
type MuP struct{ Base int }

// Rates are factors of the learning rate by pattern, as groups of an optimizer have it.
func (m MuP) Rates(s *Spec) map[string]float64 {
	narrower := float64(m.Base) / float64(s.Hidden)
	return map[string]float64{"matrix": narrower, "norm": narrower}
}

// Scale turns the initial weights of a scheme that is the same for every width (normal, gpt2) into those of the parametrisation.
func (m MuP) Scale(stream compute.Stream, d *Decoder, scheme Scheme) error {
	switch {
	case m.Base < 1:
		return fmt.Errorf("base width %d, expected ≥ 1", m.Base)
	case scheme != Normal && scheme != GPT2:
		return fmt.Errorf("initial weights %q depend on the width already; a base width goes with %s or %s", scheme, Normal, GPT2)
	case d.Spec.NoFinalNorm || d.Spec.Norm.NoGain || d.Spec.Norm.Offset != 0:
		return fmt.Errorf("a base width needs a last norm with a gain, which this model does not have")
	}
	narrower := float64(m.Base) / float64(d.Spec.Hidden)
	for _, w := range d.Spec.Weights() {
		by := 1.0
		switch {
		case w.Kind == Matrix || w.Kind == Residual:
			by = math.Sqrt(narrower)
		case w.Name == "norm":
			by = narrower
		}
		if by != 1 {
			x := d.Parameters().Get(w.Name)
			stream.Launch(&compute.Scale{X: x, Out: x, By: float32(by)})
		}
	}
	return stream.Err()
}
