// Package adapter changes what a model computes by a few added weights: LoRA
// (and later its relatives), applied without touching the base, saved in the
// layout that PEFT loads, merged into the base when asked.
//
// It guarantees that a merged model and the adapter over its base are the same
// function up to rounding. It refuses an adapter whose targets or shapes do not
// fit the base.
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

// LoRA adds Scale · B·A to chosen weights: A [rank, in], B [out, rank].
// Source: Hu et al., arXiv 2106.09685.
type LoRA struct {
	Config  Config
	targets map[string]pair
	order   []string
}

type pair struct{ a, b *compute.Tensor }

// Config is what adapter_config.json says.
type Config struct {
	Rank    int      `yaml:"rank" help:"rank of the low-rank update" default:"8" range:"1..1024"`
	Alpha   float64  `yaml:"alpha" help:"the update is scaled by alpha/rank" default:"16" range:"0..4096"`
	Targets []string `yaml:"targets" help:"products to adapt, by the last part of their names; empty means all" default:""`
}

// Scale is alpha/rank.
func (c Config) Scale() float32 { return float32(c.Alpha / float64(c.Rank)) }

// New makes a LoRA that starts as no change: A uniform as PyTorch's Kaiming (±1/√in), B zero.
func New(b compute.Backend, m model.Model, bindings []model.Binding, c Config, seed uint64) (*LoRA, error) {
	if c.Rank < 1 {
		return nil, fmt.Errorf("lora rank is %d, expected ≥ 1", c.Rank)
	}
	l, stream := &LoRA{Config: c, targets: map[string]pair{}}, b.NewStream()
	for _, binding := range bindings {
		if !binding.Adaptable || !c.wants(binding) {
			continue
		}
		w := m.Parameters().Get(binding.Parameter)
		out, in := w.Shape[0], w.Shape[1]
		values, key := make([]float32, c.Rank*in), random.New(seed, "lora", binding.Parameter)
		for i := range values {
			values[i] = float32((2*key.Float64(i) - 1) / math.Sqrt(float64(in)))
		}
		p := pair{compute.NewTensor(b, dtype.F32, c.Rank, in), compute.NewTensor(b, dtype.F32, out, c.Rank)}
		stream.Write(p.a, compute.HostBytes(values))
		l.add(binding.Parameter, p)
	}
	if len(l.order) == 0 {
		return nil, fmt.Errorf("lora targets %v match no product of the model", c.Targets)
	}
	return l, stream.Err()
}

func (c Config) wants(b model.Binding) bool {
	module := strings.TrimSuffix(b.Hub.Name, ".weight")
	return len(c.Targets) == 0 || slices.Contains(c.Targets, module[strings.LastIndexByte(module, '.')+1:]) || slices.Contains(c.Targets, b.Parameter)
}

func (l *LoRA) add(name string, p pair) {
	l.targets[name] = p
	l.order = append(l.order, name)
}

// Targets are the names of the adapted parameters, in the model's order.
func (l *LoRA) Targets() []string { return l.order }

// Parameters are the adapter's own weights.
func (l *LoRA) Parameters() *model.Parameters {
	var p model.Parameters
	for _, name := range l.order {
		p.Add(name+".lora_a", l.targets[name].a)
		p.Add(name+".lora_b", l.targets[name].b)
	}
	return &p
}

// Apply implements model.Adapter: out += Scale · (x·Aᵀ)·Bᵀ.
func (l *LoRA) Apply(p *model.Pass, name string, x, out *compute.Tensor) {
	t, ok := l.targets[name]
	if !ok {
		return
	}
	low := p.Tensor(x.Rows(), t.a.Shape[0])
	model.Launch(p, compute.MatMul{A: x, B: t.a, Out: low, TransB: true, BF16: p.BF16})
	model.Launch(p, compute.MatMul{A: low, B: t.b, Out: out, TransB: true, Alpha: l.Config.Scale(), Accumulate: true, BF16: p.BF16})
}

// Merge adds the update to the base's weights in place: W += Scale · B·A.
func (l *LoRA) Merge(s compute.Stream, m model.Model) error {
	for _, name := range l.order {
		w, t := m.Parameters().Get(name), l.targets[name]
		if w == nil || w.Type != dtype.F32 {
			return fmt.Errorf("merge into %s: the base's weight is %v, expected F32", name, w)
		}
		s.Launch(&compute.MatMul{A: t.b, B: t.a, Out: w, Alpha: l.Config.Scale(), Accumulate: true})
	}
	return s.Err()
}
