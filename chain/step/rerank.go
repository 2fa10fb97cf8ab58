package step

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"lian/engine"
	"lian/event"
	"lian/model"
	"lian/serve"
)

// RerankOptions are the settings of lian rerank.
type RerankOptions struct {
	Query       string          `yaml:"query" help:"what the documents are to answer"`
	Instruction string          `yaml:"instruction" help:"what makes a document fit, told to a model that judges"`
	Method      string          `yaml:"method" help:"auto asks a model that chats and compares vectors with any other" default:"auto" range:"auto|judgement|embedding"`
	Pooling     engine.Pooling  `yaml:"pooling" help:"how a text's hidden rows become its vector; auto is as the model's files say, else mean" default:"auto" range:"auto|mean|last|cls|weighted"`
	Top         int             `yaml:"top" help:"give the best so many documents; 0 gives all" default:"0" range:"0..1000000"`
	Template    string          `yaml:"template" help:"chat template instead of the model's own: the name of one that comes with Lian, or a file"`
	Adapter     string          `yaml:"adapter" help:"adapter that is added to the model as it runs: a folder in PEFT's layout or a GGUF file; as MODEL+ADAPTER"`
	Precision   model.Precision `yaml:"precision" help:"fast rounds activations to int8 where weights are quantised; exact never does" default:"fast" range:"exact|fast"`
}

// RankedDocument is a document's place.
type RankedDocument struct {
	Index int             `json:"index"` // of the document, from 0
	ID    json.RawMessage `json:"id,omitempty"`
	Score float64         `json:"score"`
	Text  string          `json:"text"`
}

// Rerank orders documents by how well they answer a query, the best first.
func Rerank(ctx context.Context, path string, documents []Prompt, o RerankOptions, sink event.Sink) ([]RankedDocument, serve.RankMethod, error) {
	if o.Query == "" {
		return nil, "", errors.New("--query: needs what the documents are to answer")
	}
	g, err := openEmbedder(path, o.Adapter, o.Precision)
	if err != nil {
		return nil, "", err
	}
	defer g.Close()
	if o.Template != "" {
		if err := g.model.UseTemplate(o.Template); err != nil {
			return nil, "", err
		}
		g.Embedder = serve.NewGenerator(g.engine, g.model.Template, nil, serve.Info{ID: g.model.Name}).(serve.Embedder)
	}
	r := serve.Ranking{Query: o.Query, Instruction: o.Instruction, Embedding: engine.Embedding{Pooling: o.Pooling}, Progress: func(done int) {
		sink.Emit(event.KindProgress, event.Progress{Stage: "rerank", Done: int64(done), Total: int64(len(documents)), Unit: "texts"})
	}}
	if o.Method != "auto" {
		r.Method = serve.RankMethod(o.Method)
	}
	if r.Embedding.Pooling == "auto" {
		r.Embedding.Pooling, err = g.model.pooling()
		if err != nil {
			return nil, "", err
		}
	}
	for _, d := range documents {
		if d.IDs != nil {
			return nil, "", fmt.Errorf(`%s: expected "text", found "ids"`, d.Place)
		}
		r.Documents = append(r.Documents, d.Text)
	}
	ranked, err := g.Rerank(ctx, &r)
	if err != nil {
		return nil, "", err
	}
	var list []RankedDocument
	for _, one := range ranked {
		d := documents[one.Index]
		list = append(list, RankedDocument{one.Index, d.ID, one.Score, d.Text})
	}
	if o.Top > 0 {
		list = list[:min(o.Top, len(list))]
	}
	return list, r.Method, nil
}
