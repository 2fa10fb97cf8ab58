package step

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"lian/engine"
	"lian/event"
	"lian/model"
	"lian/serve"
)

// EmbedOptions are the settings of lian embed.
type EmbedOptions struct {
	Pooling    engine.Pooling  `yaml:"pooling" help:"how a text's hidden rows become its vector; auto is as the model's files say, else mean" default:"auto" range:"auto|mean|last|cls|weighted"`
	Dimensions int             `yaml:"dimensions" help:"keep the first so many numbers, for models trained so that they suffice; 0 keeps all" default:"0" range:"0..1000000"`
	Normalize  bool            `yaml:"normalize" help:"make each vector's length 1"`
	Out        string          `yaml:"out" help:"JSON lines to write the vectors to instead of standard output"`
	Adapter    string          `yaml:"adapter" help:"adapter that is added to the model as it runs: a folder in PEFT's layout or a GGUF file; as MODEL+ADAPTER"`
	Precision  model.Precision `yaml:"precision" help:"fast rounds activations to int8 where weights are quantised; exact never does" default:"fast" range:"exact|fast"`
}

// Embedded is a text's vector.
type Embedded struct {
	Index     int             `json:"index"` // of the text, from 0
	ID        json.RawMessage `json:"id,omitempty"`
	Tokens    int             `json:"tokens"`
	Embedding []float32       `json:"embedding"`
}

// Embedding is what lian embed did.
type Embedding struct {
	Texts      int
	Dimensions int
	Pooling    engine.Pooling
}

// textGroup is how many texts are computed before their vectors are given.
const textGroup = 64

// Embed gives each text's vector to done, in order.
func Embed(ctx context.Context, path string, texts []Prompt, o EmbedOptions, done func(Embedded) error, sink event.Sink) (*Embedding, error) {
	g, err := openEmbedder(path, o.Adapter, o.Precision)
	if err != nil {
		return nil, err
	}
	defer g.Close()
	r := &Embedding{Texts: len(texts), Pooling: o.Pooling}
	if r.Pooling == "auto" || r.Pooling == "" {
		r.Pooling = engine.PoolMean
		if said, err := g.model.pooling(); err != nil {
			return nil, err
		} else if said != "" {
			r.Pooling = said
		}
	}
	ids := make([][]int32, len(texts))
	for i, t := range texts {
		if ids[i] = t.IDs; t.IDs == nil {
			ids[i] = g.EncodeText(t.Text)
		}
		if n, most := len(ids[i]), g.engine.Options.Context; n == 0 || n > most {
			return nil, fmt.Errorf("%s has %d tokens, expected 1 to %d, the model's context", t.Place, n, most)
		}
	}
	for from := 0; from < len(ids); {
		to := min(from+textGroup, len(ids))
		vectors, err := g.Embed(ctx, ids[from:to], engine.Embedding{Pooling: r.Pooling, Dimensions: o.Dimensions, Normalize: o.Normalize})
		if err != nil {
			return nil, err
		}
		for _, v := range vectors {
			r.Dimensions = len(v)
			if err := done(Embedded{from, texts[from].ID, len(ids[from]), v}); err != nil {
				return nil, err
			}
			from++
		}
		sink.Emit(event.KindProgress, event.Progress{Stage: "embed", Done: int64(from), Total: int64(len(ids)), Unit: "texts"})
	}
	return r, nil
}

// embedder is a model that gives vectors and orders documents.
type embedder struct {
	serve.Embedder
	model  *Opened
	engine *engine.Engine
}

// Close ends it.
func (e *embedder) Close() error {
	e.engine.Close()
	return e.model.Close()
}

func openEmbedder(path, adapter string, precision model.Precision) (*embedder, error) {
	b, err := Backend()
	if err != nil {
		return nil, err
	}
	if path, err = withAdapter(path, adapter); err != nil {
		return nil, err
	}
	m, err := OpenToRun(path, b)
	if err != nil {
		return nil, err
	}
	context := m.Model.Spec.Context
	e, err := m.engine(engine.Options{Context: context, CacheTokens: max(context, 8*usualContext), Precision: precision})
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return &embedder{serve.NewGenerator(e, m.Template, nil, serve.Info{ID: m.Name}).(serve.Embedder), m, e}, nil
}

// ReadTexts reads texts: JSON lines with "text" or "ids", each with an "id" if its owner likes, where the name ends in .jsonl or the
// first line begins with a brace; else a text on each line. Empty lines are left out.
func ReadTexts(name string, r io.Reader) ([]Prompt, error) {
	var list []Prompt
	objects := strings.HasSuffix(name, ".jsonl")
	lines := bufio.NewReaderSize(r, 1<<16)
	for number := 1; ; number++ {
		line, err := lines.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%s:%d: %w", name, number, err)
		}
		if text := bytes.TrimSpace(line); len(text) > 0 {
			objects = objects || len(list) == 0 && text[0] == '{'
			p := Prompt{Text: string(bytes.TrimRight(line, "\r\n"))}
			if objects {
				var bad error
				if p, bad = readText(text); bad != nil {
					return nil, fmt.Errorf("%s:%d: %w", name, number, bad)
				}
			}
			p.Place = fmt.Sprintf("%s:%d", name, number)
			list = append(list, p)
		}
		if err != nil {
			break
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s: there is no text in it", name)
	}
	return list, nil
}

// ReadTextFile is ReadTexts of a file.
func ReadTextFile(path string) ([]Prompt, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadTexts(path, f)
}

func readText(line []byte) (p Prompt, err error) {
	var given struct {
		ID   json.RawMessage `json:"id"`
		Text *string         `json:"text"`
		IDs  []int32         `json:"ids"`
	}
	if err := json.Unmarshal(line, &given); err != nil {
		return p, fmt.Errorf(`expected a JSON object with "text" or "ids": %w`, err)
	}
	if (given.Text == nil) == (given.IDs == nil) {
		return p, errors.New(`expected "text" or "ids", and one of them`)
	}
	if p.ID, p.IDs = given.ID, given.IDs; given.Text != nil {
		p.Text = *given.Text
	}
	return p, nil
}
