package figure

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// Point is one figure under its full name: what plots, TensorBoard files and the index keep.
type Point struct {
	Name  string
	Value float64
}

// Points are all figures of a step, in a fixed order. Those of domains, groups, layers and kinds of memory have it after a slash.
func (s Step) Points() []Point {
	p := points{}
	p.always("loss", s.Loss)
	p.add("bits_per_byte", s.BitsPerByte)
	for _, d := range s.Domains {
		p.always("loss/"+d.Name, d.Loss)
		p.add("bits_per_byte/"+d.Name, d.BitsPerByte)
		p.always("labels/"+d.Name, float64(d.Labels))
	}
	p.always("lr", s.LearningRate)
	p.always("gradient_norm", s.GradientNorm)
	p.add("tokens_per_second", s.Rate)
	p.add("tokens_per_second_mean", s.Mean)
	p.add("tokens_per_second_moving", s.Moving)
	p.add("seconds", s.Seconds)
	p.add("waited", s.Waited)
	p.add("compute_share", s.Compute)
	p.add("flops", s.FLOPS)
	p.add("mfu", s.MFU)
	p.add("hfu", s.HFU)
	p.add("labels", float64(s.Labels))
	p.add("tokens", float64(s.Tokens))
	p.add("skipped", float64(s.Skipped))
	if d := s.Detail; d != nil {
		p.all("gradient_norms/", d.GradientNorms)
		p.all("update_ratios/", d.UpdateRatios)
		if len(d.AttentionLogits) > 0 {
			p.always("attention_logit", slices.Max(d.AttentionLogits))
		}
		for l, x := range d.AttentionLogits {
			p.always(fmt.Sprintf("attention_logits/%d", l), x)
		}
		for _, kind := range slices.Sorted(maps.Keys(d.Memory)) {
			p.always("memory/"+kind, float64(d.Memory[kind]))
		}
	}
	return p
}

// Points are the figures of a look at held-out text.
func (h HeldOut) Points() []Point {
	p := points{{"heldout", h.BitsPerByte}}
	for _, d := range h.Domains {
		p.always("heldout/"+d.Name, d.BitsPerByte)
	}
	return p
}

// Points are the scores of a look at tasks.
func (t Tasks) Points() []Point {
	var p points
	for _, s := range t.Scores {
		p.always("tasks/"+s.Name, s.Value)
	}
	return p
}

type points []Point

func (p *points) always(name string, v float64) { *p = append(*p, Point{name, v}) }

func (p *points) add(name string, v float64) {
	if v != 0 {
		p.always(name, v)
	}
}

func (p *points) all(prefix string, values map[string]float64) {
	for _, name := range slices.SortedFunc(maps.Keys(values), cmp.Compare[string]) {
		p.always(prefix+name, values[name])
	}
}
