package step

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Benched is a measured figure: the median of several runs. Its settings stand beside it in JSON.
type Benched struct {
	Bench    string // compute, model, tokenizer
	Name     string
	Value    float64
	Unit     string
	Spread   float64 // half of what lies between the slowest and the fastest run, in Unit
	Runs     int
	Settings []Setting
}

// Setting is something that a figure depends on.
type Setting struct {
	Name  string
	Value any
}

// Setting is the value of a setting, nil if it has none of that name.
func (b Benched) Setting(name string) any {
	for _, s := range b.Settings {
		if s.Name == name {
			return s.Value
		}
	}
	return nil
}

// MarshalJSON writes the settings as further fields, in their order.
func (b Benched) MarshalJSON() ([]byte, error) {
	fields := append([]Setting{{"bench", b.Bench}, {"name", b.Name}, {"value", b.Value}, {"unit", b.Unit}, {"spread", b.Spread}, {"runs", b.Runs}}, b.Settings...)
	out := []byte{'{'}
	for i, f := range fields {
		name, err := json.Marshal(f.Name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(f.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(append(out, name...), ':'), value...)
	}
	return append(out, '}'), nil
}

// summed makes a figure of the values of several runs.
func summed(bench, name, unit string, values []float64, settings ...Setting) Benched {
	slices.Sort(values)
	n := len(values)
	return Benched{Bench: bench, Name: name, Unit: unit, Value: (values[(n-1)/2] + values[n/2]) / 2, Spread: (values[n-1] - values[0]) / 2, Runs: n, Settings: settings}
}
