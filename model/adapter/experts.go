package adapter

import (
	"fmt"
	"strings"

	"lian/compute"
	"lian/dtype"
	"lian/model"
)

// stack is the low-rank update of a mixture's stacked matrices, expert by expert: B·A, in which the scale is part of B. Experts of a
// smaller rank, or without an update, have zeros.
type stack struct {
	a *compute.Tensor // [experts, rank, in]
	b *compute.Tensor // [experts, out, rank]
}

// part is one expert's update before they are stacked.
type part struct {
	a, b          []float32
	rank, in, out int
}

// expertOf is whose matrix a stored tensor is.
type expertOf struct {
	binding model.Binding
	expert  int
}

// expertsOf are the tensors of files that hold each expert's matrix apart, by name.
func expertsOf(bindings []model.Binding, view func(model.Binding) model.View) map[string]expertOf {
	out := map[string]expertOf{}
	for _, b := range bindings {
		if v := view(b); v.Experts > 0 && len(b.Shape) == 3 && strings.Contains(v.Name, "{expert}") {
			for e := range v.Experts {
				out[strings.ReplaceAll(v.Name, "{expert}", fmt.Sprint(e))] = expertOf{b, e}
			}
		}
	}
	return out
}

func (l *loader) findExpert(tensor string) (expertOf, bool) {
	for _, before := range []string{"", "model."} {
		if e, ok := l.experts[before+tensor]; ok {
			return e, true
		}
	}
	return expertOf{}, false
}

// expert takes one expert's update.
func (l *loader) expert(name string, s *stored, e expertOf) error {
	v := l.view(e.binding)
	if s.magnitude != "" || s.bias != "" || !v.Rows.All() || v.Transposed || v.Folded {
		return fmt.Errorf("%s: of an expert, only plain LoRA of a matrix that it has for itself is computed", name)
	}
	out, in := e.binding.Shape[1], e.binding.Shape[2]
	a, shape, err := l.get(s.a, -1, in)
	if err != nil {
		return err
	}
	b, _, err := l.get(s.b, out, shape[0])
	if err != nil {
		return err
	}
	return l.put(name, e, part{a: a, b: b, rank: shape[0], in: in, out: out})
}

// stacked takes the updates of all experts from one pair of tensors [experts, rank, in] and [experts, out, rank], as llama.cpp has
// them.
func (l *loader) stacked(name string, s *stored, list []model.Binding) error {
	binding, v := list[0], l.view(list[0])
	if len(list) > 1 || len(binding.Shape) != 3 || s.a == "" || s.b == "" || s.magnitude != "" || s.bias != "" || !v.Rows.All() || v.Transposed || v.Folded {
		return fmt.Errorf("%s: of stacked experts, only plain LoRA in tensors lora_a [experts, rank, in] and lora_b [experts, out, rank] is computed", name)
	}
	experts, out, in := binding.Shape[0], binding.Shape[1], binding.Shape[2]
	a, shape, err := l.get(s.a, experts, -1, in)
	if err != nil {
		return err
	}
	rank := shape[1]
	b, _, err := l.get(s.b, experts, out, rank)
	if err != nil {
		return err
	}
	for e := range experts {
		one := part{a: a[e*rank*in : (e+1)*rank*in], b: b[e*out*rank : (e+1)*out*rank], rank: rank, in: in, out: out}
		if err := l.put(name, expertOf{binding, e}, one); err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) put(name string, e expertOf, p part) error {
	scale, err := l.config.scale(name, p.rank)
	if err != nil {
		return err
	}
	for i := range p.b {
		p.b[i] *= scale
	}
	if l.parts == nil {
		l.parts = map[string]map[int]part{}
	}
	of := l.parts[e.binding.Parameter]
	if of == nil {
		of = map[int]part{}
		l.parts[e.binding.Parameter] = of
	}
	of[e.expert] = p
	return nil
}

// stack puts the experts' updates together.
func (l *loader) stack() {
	for parameter, parts := range l.parts {
		rank, experts := 0, l.model.Parameters().Get(parameter).Shape[0]
		var in, out int
		for _, p := range parts {
			rank, in, out = max(rank, p.rank), p.in, p.out
		}
		a, b := make([]float32, experts*rank*in), make([]float32, experts*out*rank)
		for e, p := range parts {
			copy(a[e*rank*in:], p.a)
			for i := range out {
				copy(b[(e*out+i)*rank:], p.b[i*p.rank:(i+1)*p.rank])
			}
		}
		if l.stacks == nil {
			l.stacks = map[string]*stack{}
		}
		l.stacks[parameter] = &stack{tensorOf(l.stream, a, experts, rank, in), tensorOf(l.stream, b, experts, out, rank)}
	}
}

// ApplyGrouped implements model.Adapter.
func (l *LoRA) ApplyGrouped(p *model.Pass, name string, x, starts, out *compute.Tensor) {
	t := l.stacks[name]
	if t == nil {
		return
	}
	low := p.Tensor(x.Rows(), t.a.Shape[1])
	model.Launch(p, compute.GroupedMatMul{A: x, B: t.a, Starts: starts, Out: low, BF16: p.BF16})
	model.Launch(p, compute.GroupedMatMul{A: low, B: t.b, Starts: starts, Out: out, Accumulate: true, BF16: p.BF16})
}

// merge adds the updates to a stack of matrices.
func (t *stack) merge(s compute.Stream, w *compute.Tensor) error {
	if w == nil || w.Type != dtype.F32 {
		return fmt.Errorf("the base's weight is %v, expected F32", w)
	}
	one := func(x *compute.Tensor, e int) *compute.Tensor { return x.Slice(e, e+1).View(x.Shape[1], x.Shape[2]) }
	for e := range w.Shape[0] {
		s.Launch(&compute.MatMul{A: one(t.b, e), B: one(t.a, e), Out: one(w, e), Accumulate: true})
	}
	return nil
}
