// Package llama2c reads the .bin models of llama2.c: the first layout, which has no
// magic number, and versions 1 (float32) and 2 (int8 in groups). Source: llama2.c
// export.py (legacy_export, version1_export, version2_export), run.c, runq.c.
//
// It guarantees that the header and the file's size agree to the byte before
// anything is read, and gives tensors the names of llama2.c's model.py, which are
// those of Meta's Llama: "layers.0.attention.wq.weight". Rotary pairs are neighbours
// (rows 2i and 2i+1 of a head), as in Meta's weights. Float tensors are views of the
// mapping; those of version 2 are int8 values with one float32 scale for each group
// and are given as float32, value times scale, made when asked for. It refuses
// everything whose size does not agree, naming what was expected.
package llama2c

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"lian/dtype"
	"lian/format"
	"lian/format/mapped"
)

// Info describes a stored tensor.
type Info = format.Info

var _ format.Reader = (*File)(nil)

// Config are a model's sizes, as in the header.
type Config struct {
	Version     int // 0, 1 or 2
	Dim         int // width of the residual stream
	HiddenDim   int // width inside the feed-forward
	Layers      int
	Heads       int
	KVHeads     int
	Vocab       int
	Context     int
	Tied        bool // the output is the embedding
	GroupSize   int  // of version 2: values to a scale
	HeaderBytes int
}

// Constants that the format does not store but its programs use. Source: run.c.
const (
	RopeTheta = 10000
	NormEps   = 1e-5
)

// File is an open model. It is safe for concurrent reading.
type File struct {
	Config  Config
	part    *mapped.File
	names   []string
	tensors map[string]place
}

// place says where a tensor is: float32 values, or int8 values with scales behind.
type place struct {
	info   Info
	from   int
	scales int // where they begin; 0 for float32 tensors
}

// Open opens a model.
func Open(path string) (*File, error) {
	part, err := mapped.Open(path)
	if err != nil {
		return nil, err
	}
	f := &File{part: part, tensors: map[string]place{}}
	config, places, err := parse(part.Bytes())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), part.Close())
	}
	f.Config = config
	for _, p := range places {
		f.names = append(f.names, p.info.Name)
		f.tensors[p.info.Name] = p
	}
	return f, nil
}

// Names lists the tensors in the order of their bytes.
func (f *File) Names() []string { return f.names }

// Info describes one tensor.
func (f *File) Info(name string) (Info, bool) {
	p, ok := f.tensors[name]
	return p.info, ok
}

// Data returns a tensor's float32 values: a view of the file, or of version 2 the
// products of values and scales.
func (f *File) Data(name string) ([]byte, error) {
	p, ok := f.tensors[name]
	if !ok {
		return nil, fmt.Errorf("%s: no tensor %s among %d", f.part.Path(), name, len(f.names))
	}
	if f.part.Bytes() == nil {
		return nil, fmt.Errorf("%s: tensor %s read after the file was closed", f.part.Path(), name)
	}
	data, err := p.data(f.part.Bytes(), f.Config.GroupSize)
	if err != nil {
		return nil, fmt.Errorf("%s: tensor %s: %w", f.part.Path(), name, err)
	}
	return data, nil
}

// Close releases the file and every view of it.
func (f *File) Close() error { return f.part.Close() }

func (p place) data(file []byte, group int) ([]byte, error) {
	if p.scales == 0 {
		to := p.from + int(p.info.Bytes)
		return file[p.from:to:to], nil
	}
	values := file[p.from:p.scales]
	out := make([]byte, 4*len(values))
	for g := range len(values) / group {
		scale := math.Float32frombits(binary.LittleEndian.Uint32(file[p.scales+4*g:]))
		if !(scale >= 0 && scale <= math.MaxFloat32) { // also not a number
			return nil, fmt.Errorf("the scale of group %d is %v; scales are not negative and finite (an early exporter of 2023 wrote all scales after all values; export the model again)", g, scale)
		}
		for i := g * group; i < (g+1)*group; i++ {
			binary.LittleEndian.PutUint32(out[4*i:], math.Float32bits(float32(int8(values[i]))*scale))
		}
	}
	return out, nil
}

// piece is a tensor, or one for each layer, in the order of a layout.
type piece struct {
	name    string // with %d where there is one for each layer
	rows    int    // 0: a vector
	columns int
}

// pieces are a layout's tensors in order. Norms come first in versions 1 and 2; the
// first layout keeps them where they are used and stores rotary tables, which are
// not weights.
func (c Config) pieces() []piece {
	kv := c.Dim / c.Heads * c.KVHeads
	embedding := piece{"tok_embeddings.weight", c.Vocab, c.Dim}
	output := piece{"output.weight", c.Vocab, c.Dim}
	attentionNorm := piece{"layers.%d.attention_norm.weight", 0, c.Dim}
	ffnNorm := piece{"layers.%d.ffn_norm.weight", 0, c.Dim}
	norm := piece{"norm.weight", 0, c.Dim}
	attention := []piece{
		{"layers.%d.attention.wq.weight", c.Dim, c.Dim}, {"layers.%d.attention.wk.weight", kv, c.Dim},
		{"layers.%d.attention.wv.weight", kv, c.Dim}, {"layers.%d.attention.wo.weight", c.Dim, c.Dim},
	}
	feedForward := []piece{
		{"layers.%d.feed_forward.w1.weight", c.HiddenDim, c.Dim}, {"layers.%d.feed_forward.w2.weight", c.Dim, c.HiddenDim},
		{"layers.%d.feed_forward.w3.weight", c.HiddenDim, c.Dim},
	}
	var out []piece
	if c.Version == 0 {
		half := c.Dim / c.Heads / 2
		out = slices.Concat([]piece{embedding, attentionNorm}, attention, []piece{ffnNorm}, feedForward,
			[]piece{norm, {rotaryCos, c.Context, half}, {rotarySin, c.Context, half}})
	} else {
		out = slices.Concat([]piece{attentionNorm, ffnNorm, norm, embedding}, attention, feedForward)
	}
	if !c.Tied {
		out = append(out, output)
	}
	return out
}

// Names of the first layout's tables of cosines and sines.
const (
	rotaryCos = "freqs_cos"
	rotarySin = "freqs_sin"
)

// quantized reports whether version 2 stores a piece in groups: all but vectors.
func (c Config) quantized(p piece) bool { return c.Version == 2 && p.rows > 0 }

// bytes is what a piece takes in the file.
func (c Config) bytes(p piece) int {
	n := max(p.rows, 1) * p.columns
	if c.quantized(p) {
		return n + 4*(n/c.GroupSize)
	}
	return 4 * n
}

// info describes a piece.
func (p piece) info(layer int) Info {
	name, shape := p.name, []int{p.columns}
	if layer >= 0 {
		name = fmt.Sprintf(p.name, layer)
	}
	if p.rows > 0 {
		shape = []int{p.rows, p.columns}
	}
	return Info{Name: name, Type: dtype.F32, Shape: shape, Bytes: int64(4 * max(p.rows, 1) * p.columns)}
}
