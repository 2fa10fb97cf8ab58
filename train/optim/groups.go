package optim

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"lian/config"
)

// Kind is what a parameter is to an optimizer.
type Kind string

// The kinds. An embedding that is the head too is an embedding.
const (
	Matrix    Kind = "matrix"    // of a product; stacks of them too
	Vector    Kind = "vector"    // norms and biases
	Embedding Kind = "embedding" // rows by token or position
	Head      Kind = "head"      // hidden rows to logits
)

var kinds = []Kind{Matrix, Vector, Embedding, Head}

// KindOf tells a parameter's kind by its logical name and shape.
func KindOf(name string, shape []int) Kind {
	switch {
	case name == "embedding" || name == "positions":
		return Embedding
	case len(shape) < 2 || strings.HasSuffix(name, ".bias") || strings.HasSuffix(name, "norm"):
		return Vector
	case name == "head":
		return Head
	}
	return Matrix
}

// parameter is what rules and groups know of a weight.
type parameter struct {
	name  string
	kind  Kind
	shape []int
}

func (p parameter) elements() int { return elements(p.shape) }

func elements(shape []int) int {
	n := 1
	for _, s := range shape {
		n *= s
	}
	return n
}

// treatment is what the groups say of a parameter.
type treatment struct {
	rate, decay float64
	rule        string
	frozen      bool
}

// always are the rows before the first: what has no direction to shrink in does not decay.
func always() []Group {
	none := 0.0
	return []Group{{Pattern: string(Vector), Decay: &none}, {Pattern: string(Embedding), Decay: &none}}
}

// treat goes through the groups for each parameter.
func treat(all []parameter, o Options) ([]treatment, error) {
	out := make([]treatment, len(all))
	layers := layersOf(all)
	for i, p := range all {
		out[i] = treatment{rate: depthRate(p, layers, o.LayerDecay), decay: o.Decay}
		for _, g := range append(always(), o.Groups...) {
			if !g.has(p) {
				continue
			}
			t := &out[i]
			if g.Rate != nil {
				t.rate *= *g.Rate
			}
			if g.Decay != nil {
				t.decay = *g.Decay
			}
			if g.Rule != "" {
				t.rule = g.Rule
			}
			if g.Frozen != nil {
				t.frozen = *g.Frozen
			}
		}
	}
	for i, g := range o.Groups {
		if err := g.used(all); err != nil {
			return nil, fmt.Errorf("groups[%d]: %w", i, err)
		}
	}
	return out, nil
}

// has says whether a parameter is in the group.
func (g Group) has(p parameter) bool {
	return g.Pattern == string(p.kind) || matches(g.Pattern, p.name)
}

// used says what might have been meant by a group that no parameter is in.
func (g Group) used(all []parameter) error {
	names := make([]string, 0, len(all)+len(kinds))
	for _, p := range all {
		if g.has(p) {
			return nil
		}
		names = append(names, p.name)
	}
	for _, k := range kinds {
		if g.Pattern == string(k) {
			return fmt.Errorf("the model has no parameter of the kind %s", k)
		}
		names = append(names, string(k))
	}
	plain := strings.ReplaceAll(g.Pattern, "*", "0") // layers.*.attention.q is near layers.0.attention.q
	if near := config.Nearest(plain, names); near != "" {
		return fmt.Errorf("no parameter is called %s; did you mean %s?", g.Pattern, near)
	}
	return fmt.Errorf("no parameter is called %s; the first are %s", g.Pattern, strings.Join(names[:min(4, len(all))], ", "))
}

// matches compares a name with a pattern in which * stands for anything, nothing too.
func matches(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	if !strings.HasPrefix(name, parts[0]) {
		return false
	}
	name = name[len(parts[0]):]
	last := parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		at := strings.Index(name, part)
		if at < 0 {
			return false
		}
		name = name[at+len(part):]
	}
	return strings.HasSuffix(name, last)
}

// layersOf is the number of decoder layers.
func layersOf(all []parameter) int {
	n := 0
	for _, p := range all {
		if l, ok := layerOf(p.name); ok {
			n = max(n, l+1)
		}
	}
	return n
}

func layerOf(name string) (int, bool) {
	rest, ok := strings.CutPrefix(name, "layers.")
	if !ok {
		return 0, false
	}
	digits, _, _ := strings.Cut(rest, ".")
	l, err := strconv.Atoi(digits)
	return l, err == nil && l >= 0
}

// depthRate is the factor of a layer: decay for each one above it, the head and the last norm counted as one. Source: BEiT, arXiv 2106.08254.
func depthRate(p parameter, layers int, decay float64) float64 {
	if decay == 0 || decay == 1 {
		return 1
	}
	above := 0
	if l, ok := layerOf(p.name); ok {
		above = layers - l
	} else if strings.HasPrefix(p.name, "embedding") && p.name != "embedding_out" || p.name == "positions" {
		above = layers + 1
	}
	return math.Pow(decay, float64(above))
}
