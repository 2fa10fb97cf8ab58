package step

import (
	"fmt"
	"io"
	"path/filepath"
	"strconv"

	"lian/chat"
	"lian/compute"
	"lian/compute/cpu"
	"lian/model"
	"lian/model/adapter"
	"lian/model/checkpoint"
	"lian/model/family"
	"lian/model/nn"
	"lian/tokenizer"
	"lian/train"
	"lian/train/mixture"
)

// StopFile is the file in a run's folder that stops training; see docs/train.md.
const StopFile = "stop"

// keepStates gives a trainer its place in a run's folder.
func keepStates(t *train.Trainer, dir string, form train.Form, settings []train.Setting) {
	t.Folder, t.StopFile, t.Form, t.Settings, t.Kernels = filepath.Join(dir, "state"), filepath.Join(dir, StopFile), form, settings, cpu.Level()
}

// dataSettings are what of the data decides over the bytes of a run.
func dataSettings(c *corpus, tok *tokenizer.Tokenizer) []train.Setting {
	out := []train.Setting{{Name: "data.tokenizer", Value: tok.Hash()}}
	for i, d := range c.source.Statistics() {
		out = append(out,
			train.Setting{Name: "data." + d.Domain + ".content", Value: c.content[i]},
			train.Setting{Name: "data." + d.Domain + ".documents", Value: strconv.Itoa(d.Documents)},
			train.Setting{Name: "data." + d.Domain + ".tokens", Value: strconv.FormatInt(d.Tokens, 10)})
	}
	return out
}

// modelForm keeps the weights of a checkpoint as a model folder: any program that opens the hub's models opens it, while training goes on.
type modelForm struct {
	backend   compute.Backend
	family    *family.Family
	spec      nn.Spec
	config    map[string]any // see saveModel
	tok       *tokenizer.Tokenizer
	template  *chat.Template
	separator int32
	chatting  bool
}

// Save implements train.Form.
func (f modelForm) Save(dir string, weights *model.Parameters) error {
	by := map[string]*compute.Tensor{}
	for _, w := range weights.All() {
		by[w.Name] = w.Tensor
	}
	m, err := nn.New(f.backend, f.spec, by)
	if err != nil {
		return err
	}
	return saveModel(dir, f.backend.NewStream(), f.family, m, f.config, f.tok, f.template, f.separator, f.chatting)
}

// Load implements train.Form.
func (f modelForm) Load(dir string) (*model.Parameters, io.Closer, error) {
	c, err := checkpoint.Open(dir, f.backend, checkpoint.Options{Float32: true})
	if err != nil {
		return nil, nil, err
	}
	return c.Model.Parameters(), c, nil
}

// adapterForm keeps them as an adapter in PEFT's layout.
type adapterForm struct {
	backend  compute.Backend
	model    *nn.Decoder
	bindings []model.Binding
	config   adapter.Config
	base     string // path of the model
}

// Save implements train.Form.
func (f adapterForm) Save(dir string, weights *model.Parameters) error {
	l, err := adapter.New(f.backend, f.model, f.bindings, f.config, 0)
	if err != nil {
		return err
	}
	s := f.backend.NewStream()
	for _, w := range l.Parameters().All() {
		from := weights.Get(w.Name)
		data := make([]byte, from.Bytes())
		if err := s.Read(from, data); err != nil {
			return err
		}
		s.Write(w.Tensor, data)
	}
	return l.Save(dir, s, f.bindings, f.base)
}

// Load implements train.Form.
func (f adapterForm) Load(dir string) (*model.Parameters, io.Closer, error) {
	l, err := adapter.Load(dir, f.backend, f.model, f.bindings)
	if err != nil {
		return nil, nil, err
	}
	return l.Parameters(), nothingOpen{}, nil
}

// nothingOpen is what needs no closing.
type nothingOpen struct{}

// Close implements io.Closer.
func (nothingOpen) Close() error { return nil }

// describes says what the tokens of a sequence are, and of a mixture's where they come from.
func describes(tok *tokenizer.Tokenizer, source *mixture.Source) func(train.Sequence) train.Description {
	return func(s train.Sequence) train.Description {
		d := train.Description{Text: tok.Decode(s.IDs)}
		if source != nil {
			if t, err := source.Trace(s.Origin, 0); err == nil {
				d.Name, d.Source = t.Domain, fmt.Sprint(t.Where)
			}
		}
		return d
	}
}
