package engine

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"lian/model"
)

// ErrAdapter is wrapped by the error for a request that names an adapter which the engine does not have.
var ErrAdapter = errors.New("no such adapter")

// AddAdapter makes an adapter known by a name that requests can ask for. It is applied beside the model's weights, to the rows of those
// requests only: others give the same tokens as without it.
func (e *Engine) AddAdapter(name string, a model.Adapter) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case name == "" || a == nil:
		return errors.New("an adapter needs a name")
	case e.adapters[name] != nil:
		return fmt.Errorf("two adapters are called %q; each needs a name of its own", name)
	}
	if e.adapters == nil {
		e.adapters = map[string]model.Adapter{}
	}
	e.adapters[name] = a
	return nil
}

// RemoveAdapter forgets an adapter. Replies that are being made with it go on to their end.
func (e *Engine) RemoveAdapter(name string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, err := e.adapter(name); err != nil || name == "" {
		return err
	}
	delete(e.adapters, name)
	return nil
}

// Adapters are the names of the adapters, in order.
func (e *Engine) Adapters() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Sorted(maps.Keys(e.adapters))
}

// adapter finds one by its name, nil for "".
func (e *Engine) adapter(name string) (model.Adapter, error) {
	a := e.adapters[name]
	if a == nil && name != "" {
		return nil, fmt.Errorf("%w: %q; the engine has %q", ErrAdapter, name, slices.Sorted(maps.Keys(e.adapters)))
	}
	return a, nil
}

// adapterKey is what keys in the cache depend on beside ids.
func adapterKey(a model.Adapter) string {
	if a == nil {
		return ""
	}
	return a.Key()
}

func compareKeys(a, b model.Adapter) int { return strings.Compare(adapterKey(a), adapterKey(b)) }

// rootOf is where in the prefix tree a prompt of so many tokens begins.
func (e *Engine) rootOf(a model.Adapter, prompt int) rootKey {
	info := e.Model.Info()
	root := rootKey{adapter: cmp.Or(adapterKey(a), info.Adapter)}
	if class := info.LengthClass; class != nil {
		root.length = class(prompt)
	}
	return root
}

// byAdapter orders a step so that sequences of one adapter stand together, those without first.
func byAdapter(plan []work) {
	slices.SortStableFunc(plan, func(x, y work) int { return compareKeys(x.sequence.adapter, y.sequence.adapter) })
}
