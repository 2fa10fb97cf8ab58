package quant

import (
	"fmt"

	"lian/dtype"
)

// Entry is what became of one tensor.
type Entry struct {
	Name   string `json:"name"`
	Shape  []int  `json:"shape"`
	From   string `json:"from"` // element type before
	To     string `json:"to"`   // and after
	Reason string `json:"reason,omitempty"`
	Before int64  `json:"bytes_before"`
	After  int64  `json:"bytes_after"`
	Error  Error  `json:"error"`
}

// Report is what became of a model.
type Report struct {
	Recipe  string  `json:"recipe"`
	Tensors []Entry `json:"tensors"`
	Before  int64   `json:"bytes_before"`
	After   int64   `json:"bytes_after"`
	Weights int64   `json:"weights"` // number of values
	// FellBack counts tensors that could not have the type of the recipe.
	FellBack int `json:"fell_back"`
}

// Add packs one tensor as the recipe chooses, takes it into the report and
// returns its bytes and type. from is the type that the values were stored as.
func (p *Report) Add(r Recipe, name string, shape []int, from dtype.Type, src []float32, model Shape) ([]byte, dtype.Type, error) {
	choice := r.Choose(name, shape, model)
	rows, cols := 1, len(src)
	if len(shape) > 0 && shape[len(shape)-1] > 0 {
		cols = shape[len(shape)-1]
		rows = len(src) / cols
	}
	packed, err := Tensor(choice.Type, rows, cols, src)
	if err != nil {
		return nil, choice.Type, fmt.Errorf("tensor %s: %w", name, err)
	}
	loss, err := Measure(choice.Type, src, packed)
	if err != nil {
		return nil, choice.Type, fmt.Errorf("tensor %s: %w", name, err)
	}
	before := int64(max(from.Bytes(len(src)), 0))
	p.Recipe = r.Name
	p.Tensors = append(p.Tensors, Entry{
		Name: name, Shape: shape, From: from.String(), To: choice.Type.String(), Reason: choice.Reason,
		Before: before, After: int64(len(packed)), Error: loss,
	})
	p.Before += before
	p.After += int64(len(packed))
	p.Weights += int64(len(src))
	if choice.FellBack {
		p.FellBack++
	}
	return packed, choice.Type, nil
}

// BitsPerWeight is the mean over all tensors.
func (p *Report) BitsPerWeight() float64 {
	if p.Weights == 0 {
		return 0
	}
	return 8 * float64(p.After) / float64(p.Weights)
}
