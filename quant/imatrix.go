package quant

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"

	"lian/format/gguf"
)

// Imatrix is an importance matrix: how large the activations are that meet each column of each weight. Rounding that knows it
// spends its error where little comes in.
type Imatrix struct {
	Datasets  []string // the texts it was computed on
	Chunks    int      // how many pieces of them
	ChunkSize int      // tokens of each; 0 where a file does not say
	Entries   map[string]*Squares
	// means: the sums are means times the (single) count, as llama.cpp's older files have them.
	means bool
}

// Squares are the sums of squares of what a weight was multiplied with, by column.
type Squares struct {
	Sums   []float32 // [experts, columns]
	Counts []int64   // rows that came to each expert; one number for a plain matrix
}

// Of is the importance of each column of each expert of a tensor, nil where nothing is known of it. An expert that no row came to
// has importance 1 everywhere, as in llama.cpp.
func (m *Imatrix) Of(name string, shape []int) ([]float32, error) {
	e := m.Entries[name]
	if e == nil {
		return nil, nil
	}
	want := shape[len(shape)-1]
	if len(shape) > 2 {
		want *= shape[len(shape)-3]
	}
	if len(e.Sums) != want {
		if part(name) == "embedding" { // whose columns are outputs
			return nil, nil
		}
		return nil, fmt.Errorf("tensor %s %v: the importance matrix has %d values for it, expected %d; it was computed with another model", name, shape, len(e.Sums), want)
	}
	out := make([]float32, len(e.Sums))
	columns := len(e.Sums) / len(e.Counts)
	for i := range out {
		switch count := e.Counts[i/columns]; {
		case count > 0:
			out[i] = e.Sums[i] / float32(count)
		case m.means:
			out[i] = e.Sums[i]
		default:
			out[i] = 1
		}
	}
	return out, nil
}

// names are the tensors spoken of, sorted.
func (m *Imatrix) names() []string { return slices.Sorted(maps.Keys(m.Entries)) }

// longestKey is how much of a text llama-quantize keeps in these keys.
const longestKey = 127

// Keys are the metadata by which a quantised file says what it was rounded by.
func (m *Imatrix) Keys(file string) []gguf.KeyValue {
	cut := func(s string) string { return s[:min(len(s), longestKey)] }
	keys := []gguf.KeyValue{{Key: "quantize.imatrix.file", Value: cut(file)}}
	if len(m.Datasets) > 0 {
		keys = append(keys, gguf.KeyValue{Key: "quantize.imatrix.dataset", Value: cut(m.Datasets[0])})
	}
	keys = append(keys, gguf.KeyValue{Key: "quantize.imatrix.entries_count", Value: uint32(len(m.Entries))})
	if m.Chunks > 0 {
		keys = append(keys, gguf.KeyValue{Key: "quantize.imatrix.chunks_count", Value: uint32(m.Chunks)})
	}
	return keys
}

// Text is a short text of several kinds and two languages, for calibrating without one of one's own.
//
//go:embed calibration.txt
var Text string
