package step

import (
	"errors"
	"fmt"

	"lian/engine"
)

// engine is an engine of the model. If the options name a draft model, it is opened, and closed with the engine.
func (m *Opened) engine(o engine.Options) (*engine.Engine, error) {
	if !o.NeedsModel() {
		return engine.New(m.Backend, m.Model, m.Tokenizer, o)
	}
	draft, err := OpenToRun(o.Draft, m.Backend)
	if err != nil {
		return nil, fmt.Errorf("--draft: %w (or none, auto, lookup, suffix)", err)
	}
	e, err := engine.New(m.Backend, m.Model, m.Tokenizer, o)
	if err != nil {
		return nil, errors.Join(err, draft.Close())
	}
	if err := e.DraftWith(draft.Model, draft.Tokenizer, draft); err != nil {
		e.Close()
		return nil, errors.Join(fmt.Errorf("--draft %s: %w", o.Draft, err), draft.Close())
	}
	return e, nil
}
