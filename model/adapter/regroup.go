package adapter

import (
	"fmt"
	"slices"

	"lian/compute"
	"lian/model"
)

// inHubNames is the adapter with its products named as the authors' files name them: what was read from GGUF has other names, and
// there q, k and v may be apart that the hub has in one tensor.
func (l *LoRA) inHubNames(s compute.Stream, bindings []model.Binding) (*LoRA, error) {
	out := &LoRA{Config: l.Config, by: map[string]*member{}, changes: l.changes}
	for _, b := range bindings {
		was, ok := l.by[b.Parameter]
		if !ok {
			continue
		}
		x := out.module(moduleOf(b.Hub))
		if x.a == nil {
			x.a, x.scale = was.a, was.scale
		} else if x.a != was.a {
			first, err := model.Floats(s, x.a)
			if err != nil {
				return nil, err
			}
			second, err := model.Floats(s, was.a)
			if err != nil {
				return nil, err
			}
			if x.scale != was.scale || !slices.Equal(first, second) {
				return nil, fmt.Errorf("%s is one product in the hub's files, and the adapter has another A for %s than for %s: merge it into the base instead", x.name, b.Parameter, x.members[0].parameter)
			}
		}
		y := *was
		y.module, y.view = x, rowsOf(b.Hub)
		out.add(&y)
	}
	return out, nil
}

// Compare counts the products that two adapters have and says where they are not the same, number by number.
func Compare(s compute.Stream, a, b *LoRA) (products int, err error) {
	if len(a.by) != len(b.by) {
		return 0, fmt.Errorf("one adapts %d products, the other %d", len(a.by), len(b.by))
	}
	for _, name := range a.Targets() {
		x, y := a.by[name], b.by[name]
		if y == nil {
			return products, fmt.Errorf("only one adapts %s", name)
		}
		if x.scale != y.scale {
			return products, fmt.Errorf("%s is scaled by %v and by %v", name, x.scale, y.scale)
		}
		for _, pair := range [][2]*compute.Tensor{{x.a, y.a}, {x.b, y.b}} {
			first, err := model.Floats(s, pair[0])
			if err != nil {
				return products, err
			}
			second, err := model.Floats(s, pair[1])
			if err != nil {
				return products, err
			}
			if !slices.Equal(first, second) {
				return products, fmt.Errorf("the weights of %s differ", name)
			}
		}
		products++
	}
	return products, nil
}
