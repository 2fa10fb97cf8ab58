package serve

import (
	"context"

	"lian/engine"
)

// adapted is a model through an adapter that its engine has.
type adapted struct {
	Generator
	name string
}

// WithAdapter serves a model through an adapter of its engine, as a model of the adapter's name. Requests for both share the engine,
// its cache and its steps.
func WithAdapter(g Generator, name string) Generator { return adapted{g, name} }

func (a adapted) Info() Info {
	i := a.Generator.Info()
	i.ID, i.Base = a.name, i.ID
	return i
}

func (a adapted) Generate(ctx context.Context, r engine.Request) (Stream, error) {
	r.Adapter = a.name
	return a.Generator.Generate(ctx, r)
}

// embedder is what gives vectors, nil if the model cannot.
func (a adapted) embedder() Embedder {
	if e := embedderOf(a.Generator); e != nil {
		return adaptedEmbedder{e, a.name}
	}
	return nil
}

type adaptedEmbedder struct {
	Embedder
	name string
}

func (a adaptedEmbedder) Embed(ctx context.Context, texts [][]int32, o engine.Embedding) ([][]float32, error) {
	o.Adapter = a.name
	return a.Embedder.Embed(ctx, texts, o)
}

func (a adaptedEmbedder) Rerank(ctx context.Context, r *Ranking) ([]engine.Ranked, error) {
	r.Embedding.Adapter = a.name
	return a.Embedder.Rerank(ctx, r)
}
