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
