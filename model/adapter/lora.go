// Package adapter changes what a model computes by a few added weights: LoRA
// (and later its relatives), applied without touching the base, read and saved
// in the layout that PEFT loads and in llama.cpp's, merged into the base when
// asked.
//
// It guarantees that a merged model and the adapter over its base are the same
// function up to rounding. It refuses an adapter whose targets or shapes do not
// fit the base, and settings that it does not compute, by name.
package adapter

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"lian/compute"
	"lian/dtype"
	"lian/model"
	"lian/random"
)

// LoRA adds scale · B·A to chosen products: A [rank, in], B [out, rank]. Source: Hu et al., arXiv 2106.09685.
//
// What an adapter's file holds beside products (embeddings, whole modules, biases) waits in changes: Prepare writes it into the model,
// Beside makes of it what can be added to some rows only.
type LoRA struct {
	Config  Config
	modules []*module
	by      map[string]*member // by parameter
	stacks  map[string]*stack  // by parameter
	changes []change
	added   added
	key     string
}

// Config is what adapter_config.json says.
type Config struct {
	Rank    int      `yaml:"rank" help:"rank of the low-rank update" default:"8" range:"1..1024"`
	Alpha   float64  `yaml:"alpha" help:"the update is scaled by alpha/rank" default:"16" range:"0..4096"`
	Targets []string `yaml:"targets" help:"products to adapt, by the last part of their names; empty means all" default:""`
}

// Scale is alpha/rank.
func (c Config) Scale() float32 { return float32(c.Alpha / float64(c.Rank)) }

// module is an adapted product as files know it: one stored tensor, of which several parameters may be rows.
type module struct {
	name    string // of the stored tensor, without .weight
	a       *compute.Tensor
	scale   float32
	members []*member
}

// member is a parameter of a module.
type member struct {
	*module
	parameter string
	view      model.View      // rows of the module's B that are the parameter's
	b         *compute.Tensor // [out, rank]
	bias      *compute.Tensor // [out] that B's product has added, times scale; nil: none
	gain      *compute.Tensor // [out] DoRA: what rows of the sum of base and update are multiplied with; nil: no DoRA
	base      *compute.Tensor // DoRA: the base's weight
}

// New makes a LoRA that starts as no change: A uniform as PyTorch's Kaiming (±1/√in), B zero.
func New(b compute.Backend, m model.Model, bindings []model.Binding, c Config, seed uint64) (*LoRA, error) {
	if c.Rank < 1 {
		return nil, fmt.Errorf("lora rank is %d, expected ≥ 1", c.Rank)
	}
	l, stream := &LoRA{Config: c, by: map[string]*member{}}, b.NewStream()
	for _, binding := range bindings {
		w := m.Parameters().Get(binding.Parameter)
		if !binding.Adaptable || len(w.Shape) != 2 || !c.wants(binding) {
			continue
		}
		out, in := w.Shape[0], w.Shape[1]
		x := l.module(moduleOf(binding.Hub))
		if x.a == nil {
			values, key := make([]float32, c.Rank*in), random.New(seed, "lora", binding.Parameter)
			for i := range values {
				values[i] = float32((2*key.Float64(i) - 1) / math.Sqrt(float64(in)))
			}
			x.a, x.scale = compute.NewTensor(b, dtype.F32, c.Rank, in), c.Scale()
			stream.Write(x.a, compute.HostBytes(values))
		}
		l.add(&member{module: x, parameter: binding.Parameter, view: rowsOf(binding.Hub), b: compute.NewTensor(b, dtype.F32, out, c.Rank)})
	}
	if len(l.modules) == 0 {
		return nil, fmt.Errorf("lora targets %v match no product of the model", c.Targets)
	}
	return l, stream.Err()
}

// moduleOf is the name that a product has without .weight.
func moduleOf(v model.View) string { return strings.TrimSuffix(v.Name, ".weight") }

// rowsOf is a view of the rows of B that belong to a parameter: those that the view of its weight sees.
func rowsOf(v model.View) model.View { return model.View{Rows: v.Rows, Pairs: v.Pairs} }

func (c Config) wants(b model.Binding) bool {
	name := moduleOf(b.Hub)
	return len(c.Targets) == 0 || slices.Contains(c.Targets, name[strings.LastIndexByte(name, '.')+1:]) || slices.Contains(c.Targets, b.Parameter)
}

// module finds or adds a module.
func (l *LoRA) module(name string) *module {
	for _, x := range l.modules {
		if x.name == name {
			return x
		}
	}
	x := &module{name: name}
	l.modules = append(l.modules, x)
	return x
}

func (l *LoRA) add(x *member) {
	l.by[x.parameter] = x
	x.members = append(x.members, x)
}

// Targets are the names of the adapted parameters, in the model's order.
func (l *LoRA) Targets() (names []string) {
	for _, x := range l.modules {
		for _, y := range x.members {
			names = append(names, y.parameter)
		}
	}
	return names
}

// Parameters are the adapter's own weights. Parameters that are rows of one stored tensor share its A.
func (l *LoRA) Parameters() *model.Parameters {
	var p model.Parameters
	for _, x := range l.modules {
		p.Add(x.members[0].parameter+".lora_a", x.a)
		for _, y := range x.members {
			p.Add(y.parameter+".lora_b", y.b)
		}
	}
	return &p
}

// Reaches implements model.Adapter.
func (l *LoRA) Reaches(name string) bool {
	return l.by[name] != nil || l.stacks[name] != nil || l.added.reaches(name)
}

// Apply implements model.Adapter: out += by · scale · (x·Aᵀ)·Bᵀ.
func (l *LoRA) Apply(p *model.Pass, name string, x, out *compute.Tensor, by float32) {
	if t := l.by[name]; t != nil {
		low := p.Tensor(x.Rows(), t.a.Shape[0])
		model.Launch(p, compute.MatMul{A: x, B: t.a, Out: low, TransB: true, BF16: p.BF16})
		if t.gain != nil {
			t.applyDoRA(p, x, low, out, by)
		} else {
			model.Launch(p, compute.MatMul{A: low, B: t.b, Out: out, TransB: true, Alpha: by * t.scale, Bias: times(p, t.bias, by), Accumulate: true, BF16: p.BF16})
		}
	}
	l.added.apply(p, name, x, out, by)
}

// times is by · x, nil of nil.
func times(p *model.Pass, x *compute.Tensor, by float32) *compute.Tensor {
	if x == nil || by == 1 {
		return x
	}
	out := p.Tensor(x.Shape...)
	model.Launch(p, compute.Scale{X: x, Out: out, By: by})
	return out
}

// Merge adds the update to the base's weights in place: W += scale · B·A. The base is float32.
func (l *LoRA) Merge(s compute.Stream, m model.Model) error {
	if err := l.Prepare(s, m); err != nil {
		return err
	}
	for _, x := range l.modules {
		for _, t := range x.members {
			w := m.Parameters().Get(t.parameter)
			if w == nil || w.Type != dtype.F32 {
				return fmt.Errorf("merge into %s: the base's weight is %v, expected F32", t.parameter, w)
			}
			s.Launch(&compute.MatMul{A: t.b, B: t.a, Out: w, Alpha: t.scale, Accumulate: true})
			if t.gain != nil {
				if err := scaleRows(s, w, t.gain); err != nil {
					return err
				}
			}
			if t.bias == nil {
				continue
			}
			bias := m.Parameters().Get(t.parameter + ".bias")
			if bias == nil {
				return fmt.Errorf("merge into %s: the adapter adds a bias and the base has none", t.parameter)
			}
			s.Launch(&compute.Add{A: bias, B: t.bias, Out: bias})
		}
	}
	for parameter, t := range l.stacks {
		if err := t.merge(s, m.Parameters().Get(parameter)); err != nil {
			return fmt.Errorf("merge into %s: %w", parameter, err)
		}
	}
	return s.Err()
}
