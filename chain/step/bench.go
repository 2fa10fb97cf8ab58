package step

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"
	"unicode/utf8"
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

// BenchTokenizerOptions are the settings of lian bench tokenizer.
type BenchTokenizerOptions struct {
	Runs int `yaml:"runs" help:"runs of each measurement" default:"5" range:"1..1000"`
}

// BenchTokenizer measures megabytes of a text that are encoded and decoded in a second, on one processor.
func BenchTokenizer(ctx context.Context, path, file string, o BenchTokenizerOptions, show func(Benched) error) error {
	tok, err := OpenTokenizer(path)
	if err != nil {
		return err
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if len(raw) == 0 || !utf8.Valid(raw) {
		return fmt.Errorf("%s: expected UTF-8 text", file)
	}
	text, megabytes := string(raw), float64(len(raw))/1e6
	ids := tok.Encode(text)
	var encode, decode []float64
	for range o.Runs {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		begun := time.Now()
		tok.Encode(text)
		encode = append(encode, megabytes/time.Since(begun).Seconds())
		begun = time.Now()
		tok.Decode(ids)
		decode = append(decode, megabytes/time.Since(begun).Seconds())
	}
	settings := []Setting{{"tokenizer", path}, {"text", file}, {"bytes", len(raw)}, {"tokens", len(ids)}, {"vocab", tok.VocabSize()}}
	if err := show(summed("tokenizer", "encode", "MB/s", encode, settings...)); err != nil {
		return err
	}
	return show(summed("tokenizer", "decode", "MB/s", decode, settings...))
}
