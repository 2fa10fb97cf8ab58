package step

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"

	"lian/config"
	"lian/dtype"
	"lian/event"
	"lian/format"
	"lian/format/gguf"
	"lian/model"
	"lian/model/checkpoint"
	"lian/model/nn"
)

// ConvertOptions are the settings of lian convert.
type ConvertOptions struct {
	Type        string `yaml:"type" help:"type of the weights in OUT; same keeps that of each matrix" default:"same" range:"same|f32|f16|bf16"`
	WeightsOnly bool   `yaml:"weights_only" help:"leave out tokenizer and chat template"`
	Adapter     bool   `yaml:"adapter" help:"convert the adapter alone, for PEFT or as GGUF, not the model with it merged in"`
	// Bytes of weights in one file: what is more goes into shards, or into further GGUF files.
	MaxShardSize config.Bytes `yaml:"max_shard_size" help:"largest file of weights, such as 2GB; 0 is 5GB in a folder and one file in GGUF" default:"0"`
}

// Converted says what lian convert wrote and how it compares with its input.
type Converted struct {
	Path       string   `json:"path"`
	Files      []string `json:"files,omitempty"` // where OUT is several
	Format     string   `json:"format"`          // gguf, folder
	Type       string   `json:"type"`
	Bytes      int64    `json:"bytes"`
	Tensors    int      `json:"tensors"` // read back and compared
	Exact      int      `json:"exact"`   // of them, those with exactly the values of the input
	Difference float64  `json:"largest_difference"`
	Relative   float64  `json:"largest_relative_difference"` // to the largest value of the same tensor
	Tokenizer  string   `json:"tokenizer,omitempty"`         // hash, equal to the input's
	LeftOut    []string `json:"left_out,omitempty"`
	Lost       []string `json:"lost,omitempty"` // switches of the model for which OUT's format has no words
}

// Convert writes a model in another format: a GGUF file if out ends in .gguf, else a folder in the hub's layout. What was
// written is opened and compared with the input, tensor by tensor, before it gets its name.
func Convert(ctx context.Context, in, out string, o ConvertOptions, sink event.Sink) (*Converted, error) {
	if _, err := os.Lstat(out); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s exists already; remove it first, or name another file or folder", out)
	}
	b, err := Backend()
	if err != nil {
		return nil, err
	}
	if o.Adapter {
		return convertAdapter(in, out, b)
	}
	m, err := OpenWeights(in, b, checkpoint.Options{})
	if err != nil {
		return nil, err
	}
	defer m.Close()
	if !o.WeightsOnly {
		if err := m.words(m.Path); err != nil {
			return nil, fmt.Errorf("%w; --weights-only converts the weights alone", err)
		}
	}
	parent := filepath.Dir(filepath.Clean(out))
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp(parent, ".lian-convert-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	c, made := &converter{Opened: m, o: o, ctx: ctx, sink: sink}, filepath.Join(work, filepath.Base(out))
	r, written := &Converted{Path: out, Format: "folder", Type: o.Type}, []string{made}
	if strings.HasSuffix(out, ".gguf") {
		r.Format = "gguf"
		written, err = c.toGGUF(made)
	} else {
		r.Type, err = c.toFolder(made)
	}
	if err != nil {
		return nil, err
	}
	if len(written) > 1 {
		r.Path = filepath.Join(parent, filepath.Base(written[0]))
	}
	if r.LeftOut, err = leftOut(m.Path, made); err != nil {
		return nil, err
	}
	if n := len(m.Unused); n > 0 { // towers for pictures, layers past the last
		r.LeftOut = append(r.LeftOut, fmt.Sprintf("%d tensors that the model does not need (%s first)", n, m.Unused[0]))
	}
	if err := c.verify(written[0], r); err != nil {
		return nil, fmt.Errorf("what was written does not agree with %s, so it was not kept: %w", in, err)
	}
	for _, path := range written {
		size, err := folderBytes(path)
		if err != nil {
			return nil, err
		}
		r.Bytes += size
		r.Files = append(r.Files, filepath.Join(parent, filepath.Base(path)))
	}
	names := r.Files
	if len(names) == 1 {
		r.Files = nil
	}
	return r, place(written, names)
}

// place gives what was written its names, none of which may be taken. Of several files the first comes last: without it no one
// takes the others for a model.
func place(written, names []string) error {
	for _, name := range names {
		if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s exists already; remove it first, or name another file or folder", name)
		}
	}
	for i := len(written) - 1; i >= 0; i-- {
		if err := os.Rename(written[i], names[i]); err != nil {
			return err
		}
	}
	return nil
}

type converter struct {
	*Opened
	o    ConvertOptions
	ctx  context.Context
	sink event.Sink
	// Of a folder whose weights were quantised: the tensors that stand for them, and how config.json tells it.
	replaced     map[string][]format.Tensor
	quantization map[string]any
}

// typeOf is the type that a stored type becomes in OUT.
func (c *converter) typeOf(stored dtype.Type) dtype.Type {
	if t, err := dtype.Parse(c.o.Type); err == nil && c.o.Type != "same" {
		return t
	}
	return stored
}

// main is the type that most weights have.
func (c *converter) main() dtype.Type {
	count, most := map[dtype.Type]int{}, dtype.F32
	for _, p := range c.Model.Parameters().All() {
		if len(p.Tensor.Shape) > 1 {
			t := c.typeOf(p.Tensor.Type)
			if count[t] += p.Tensor.Elements(); count[t] > count[most] {
				most = t
			}
		}
	}
	return most
}

// toGGUF writes one GGUF file or several.
func (c *converter) toGGUF(path string) (paths []string, err error) {
	var words []gguf.KeyValue
	if c.Tokenizer != nil {
		end, err := c.ChatStopIDs()
		if err != nil {
			return nil, err
		}
		if len(end) == 0 {
			end = []int32{c.Separator}
		}
		if words, err = ggufWords(c.Opened, end[0]); err != nil {
			return nil, err
		}
	}
	tensors := 0
	typeOf := func(b model.Binding, _ nn.Kind, _ []int) dtype.Type {
		tensors++
		c.sink.Emit(event.KindProgress, event.Progress{Stage: "convert", Done: int64(tensors), Unit: "tensors"})
		return c.typeOf(c.Model.Parameters().Get(b.Parameter).Type)
	}
	return checkpoint.SaveGGUF(path, c.Backend.NewStream(), c.Family, c.Model,
		checkpoint.GGUFOptions{Name: c.Name, Config: c.Config, Main: c.main(), TypeOf: typeOf, More: words, File: gguf.Options{MaxBytes: int64(c.o.MaxShardSize)}})
}

// toFolder writes a folder. Quantised weights become float32, which holds them exactly.
func (c *converter) toFolder(path string) (string, error) {
	t := c.main()
	if !t.Float() {
		t = dtype.F32
	}
	end, err := c.EndIDs()
	if err != nil {
		return "", err
	}
	extra := map[string]any{}
	if c.folder() { // its config.json says it
		end = nil
	} else if extra["pad_token_id"] = nil; c.Tokenizer != nil { // or families that have one by default take that
		extra["bos_token_id"] = c.Separator
	}
	if c.quantization != nil {
		extra["quantization_config"] = c.quantization
	}
	switch len(end) {
	case 0:
	case 1:
		extra["eos_token_id"] = end[0]
	default:
		extra["eos_token_id"] = end
	}
	if err := checkpoint.SaveFolder(path, c.Backend.NewStream(), c.Family, c.Model, checkpoint.FolderOptions{Type: t, Config: c.Config, Extra: extra, Replaced: c.replaced, ShardBytes: int64(c.o.MaxShardSize)}); err != nil || c.Tokenizer == nil {
		return t.String(), err
	}
	return t.String(), c.saveWords(path, end, extra)
}

// verify opens what was written and compares it with the input.
func (c *converter) verify(path string, r *Converted) error {
	again, err := OpenWeights(path, c.Backend, checkpoint.Options{})
	if err != nil {
		return err
	}
	defer again.Close()
	r.Lost = specDifferences(c.Model.Spec, again.Model.Spec)
	stream, list := c.Backend.NewStream(), again.Model.Parameters().All()
	for i, p := range c.Model.Parameters().All() {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		want, err := model.Floats(stream, p.Tensor)
		if err != nil {
			return err
		}
		got, err := model.Floats(stream, list[i].Tensor)
		if err != nil {
			return err
		}
		stored := list[i].Tensor.Type
		if r.Format == "folder" { // there vectors are rounded too, though they are float32 in memory
			if stored, err = dtype.Parse(r.Type); err != nil {
				return err
			}
		}
		if err := r.compare(p.Name, stored, again.storedAbove(i), got, want); err != nil {
			return err
		}
		c.sink.Emit(event.KindProgress, event.Progress{Stage: "compare", Done: int64(i + 1), Total: int64(len(list)), Unit: "tensors"})
	}
	if c.Tokenizer == nil {
		return nil
	}
	if err := again.words(again.Path); err != nil {
		return err
	}
	if err := sameWords(c.Tokenizer, again.Tokenizer); err != nil {
		return err
	}
	r.Tokenizer = again.Tokenizer.Hash()
	if (again.Template == nil) != (c.Template == nil) || (c.Template != nil && again.Template.Source() != c.Template.Source()) {
		return fmt.Errorf("its chat template is another than that of %s", c.Path)
	}
	return nil
}

// storedAbove is by how much the values in a model's file are above those of a parameter.
func (m *Opened) storedAbove(i int) float64 {
	if b := m.Bindings[i]; m.gguf {
		return float64(b.GGUF.Offset)
	}
	return float64(m.Bindings[i].Hub.Offset)
}

// compare holds the values that were read back against the input's: they must be its values rounded to the type, nothing else.
func (r *Converted) compare(name string, t dtype.Type, above float64, got, want []float32) error {
	if len(got) != len(want) {
		return fmt.Errorf("tensor %s has %d values, expected %d", name, len(got), len(want))
	}
	most, difference := 0.0, 0.0
	for i, w := range want {
		d := math.Abs(float64(got[i]) - float64(w))
		if w != w && got[i] != got[i] {
			d = 0
		}
		most, difference = max(most, math.Abs(float64(w))), max(difference, d)
		if math.IsNaN(d) {
			return fmt.Errorf("tensor %s: value %d is %v, expected %v", name, i, got[i], w)
		}
	}
	// Half a unit in the last place of the values' own size, or of the smallest number for those near zero.
	allowed := map[dtype.Type]float64{dtype.F16: math.Max(most/2048, 1.0/(1<<25)), dtype.BF16: most / 256}[t]
	if above != 0 { // the sum was rounded
		allowed += (most + math.Abs(above)) / (1 << 24)
	}
	if difference > allowed {
		return fmt.Errorf("tensor %s is off by %.3g, allowed %.3g for %v (its largest value is %.3g)", name, difference, allowed, t, most)
	}
	r.Tensors++
	if difference == 0 {
		r.Exact++
	}
	r.Difference = max(r.Difference, difference)
	if most > 0 {
		r.Relative = max(r.Relative, difference/most)
	}
	return nil
}
