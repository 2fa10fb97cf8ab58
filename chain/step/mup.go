package step

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"lian/compute"
	"lian/model/nn"
	"lian/train/optim"
)

// signed are the rules whose steps do not depend on the gradient's size, so that rates carry over from one width to another.
var signed = []string{"adamw", "adam", "amsgrad", "adamw8", "nadam", "radam", "ademamix", "lion", "lion8", "schedule_free"}

// fromBaseWidth gives a new model the initial weights, and its optimizer the rates, that μP has for its width.
func (o *PretrainOptions) fromBaseWidth(b compute.Backend, m *nn.Decoder) error {
	p := nn.MuP{Base: o.Model.BaseWidth}
	if p.Base == 0 {
		return nil
	}
	if rule := o.Train.Optimizer.Rule; rule != "" && !slices.Contains(signed, rule) {
		return fmt.Errorf("model.base_width with train.optimizer %s, expected one of %s", rule, strings.Join(signed, ", "))
	}
	if err := p.Scale(b.NewStream(), m, nn.Scheme(o.Model.Init)); err != nil {
		return fmt.Errorf("model.base_width: %w", err)
	}
	rates, groups := p.Rates(&m.Spec), []optim.Group(nil)
	for _, pattern := range slices.Sorted(maps.Keys(rates)) {
		rate := rates[pattern]
		groups = append(groups, optim.Group{Pattern: pattern, Rate: &rate})
	}
	o.Train.Optimizer.Groups = append(groups, o.Train.Optimizer.Groups...)
	return nil
}
