package chain

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"lian/config"
)

// Check finds every mistake that can be found before anything runs: unknown kinds,
// settings, dials and steps, values out of range, steps that refer to later ones.
func (r *Recipe) Check(kinds Kinds) error {
	var errs []error
	for i := range r.Steps {
		step := &r.Steps[i]
		kind, ok := kinds[step.Uses]
		if !ok {
			errs = append(errs, fmt.Errorf("%s:%d: step %s: no such kind of step %q; %s", r.File, step.Line, step.Name, step.Uses, hint(step.Uses, kinds.Names())))
			continue
		}
		refs, err := r.references(step)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		bad := false
		for _, ref := range refs {
			if err := r.checkReference(i, ref); err != nil {
				errs, bad = append(errs, err), true
			}
		}
		if !bad {
			errs = append(errs, r.checkSettings(step, kind))
		}
	}
	return errors.Join(errs...)
}

// references lists all of a step's references, those of "after" too, in order.
func (r *Recipe) references(step *Step) (refs []reference, err error) {
	err = scalars(step.with, func(n *yaml.Node) error {
		found, err := referencesIn(n.Value)
		if err != nil {
			return fmt.Errorf("%s:%d: step %s: %w", r.File, n.Line, step.Name, err)
		}
		refs = append(refs, found...)
		return nil
	})
	for _, o := range step.sets {
		found, setErr := referencesIn(o.text)
		if setErr != nil {
			return nil, fmt.Errorf("--set %s.%s: %w", step.Name, o.path, setErr)
		}
		refs = append(refs, found...)
	}
	for _, name := range step.after {
		refs = append(refs, reference{step: name})
	}
	return refs, err
}

func (r *Recipe) checkReference(at int, ref reference) error {
	step := r.Steps[at]
	place := fmt.Sprintf("%s:%d: step %s: ", r.File, step.Line, step.Name)
	if ref.dial != "" {
		if _, ok := r.Dial(ref.dial); !ok {
			return fmt.Errorf("%s${%s}: no such dial; %s", place, ref.dial, hint(ref.dial, r.dialNames()))
		}
		return nil
	}
	other := slices.IndexFunc(r.Steps, func(s Step) bool { return s.Name == ref.step })
	switch {
	case other < 0:
		return fmt.Errorf("%srefers to step %s, which does not exist; %s", place, ref.step, hint(ref.step, r.stepNames()))
	case other == at:
		return fmt.Errorf("%srefers to itself", place)
	case other > at:
		return fmt.Errorf("%srefers to step %s, which stands below it (line %d); steps run in the order of the file, so move %s above %s",
			place, ref.step, r.Steps[other].Line, ref.step, step.Name)
	}
	return nil
}

// checkSettings decodes what does not depend on other steps' results.
func (r *Recipe) checkSettings(step *Step, kind Kind) error {
	c := kind.New()
	if err := config.Defaults(c); err != nil {
		return fmt.Errorf("kind %s: %w", kind.Name, err)
	}
	fields := config.Fields(c)
	var errs []error
	waits := false // for another step's result
	known, later := split(step.with, "")
	for _, l := range later {
		waits = true
		if err := fieldExists(fields, l.path); err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: %w", r.File, l.line, err))
		}
	}
	if known != nil {
		node, err := substitute(known, r.dialOnly)
		if err != nil {
			return fmt.Errorf("%s: step %s: %w", r.File, step.Name, err)
		}
		if err := config.DecodeNode(node, r.File, c); err != nil {
			errs = append(errs, fmt.Errorf("step %s: %w", step.Name, err))
		}
	}
	for _, o := range step.sets {
		place := "--set " + step.Name + "."
		if refs, _ := referencesIn(o.text); len(refs) > 0 {
			waits = true
			if err := fieldExists(fields, o.path); err != nil {
				errs = append(errs, fmt.Errorf("%s%w", place, err))
			}
		} else if err := config.SetField(c, o.path, o.text); err != nil {
			errs = append(errs, fmt.Errorf("%s%w", place, err))
		}
	}
	if !waits && len(errs) == 0 {
		if err := config.Validate(c); err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: step %s: %w", r.File, step.Line, step.Name, err))
		}
	}
	return errors.Join(errs...)
}

func (r *Recipe) dialOnly(ref reference) (*yaml.Node, error) {
	for _, d := range r.Dials {
		if d.Name == ref.dial {
			return d.value, nil
		}
	}
	return nil, fmt.Errorf("no dial %s", ref.dial)
}

type place struct {
	path string
	line int
}

// split takes out of a mapping what refers to other steps, and says where it was.
func split(n *yaml.Node, prefix string) (known *yaml.Node, later []place) {
	if n == nil {
		return nil, nil
	}
	copied := *n
	copied.Content = nil
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		if value.Kind == yaml.MappingNode {
			below, more := split(value, prefix+name.Value+".")
			later = append(later, more...)
			copied.Content = append(copied.Content, name, below)
			continue
		}
		waits := false
		_ = scalars(value, func(s *yaml.Node) error { // errors were found by references
			refs, _ := referencesIn(s.Value)
			waits = waits || slices.ContainsFunc(refs, func(ref reference) bool { return ref.step != "" })
			return nil
		})
		if waits {
			later = append(later, place{prefix + name.Value, name.Line})
		} else {
			copied.Content = append(copied.Content, name, value)
		}
	}
	return &copied, later
}

func fieldExists(fields []config.Field, path string) error {
	var paths []string
	for _, f := range fields {
		if f.Path == path || strings.HasPrefix(f.Path, path+".") || strings.HasPrefix(path, f.Path+".") {
			return nil
		}
		paths = append(paths, f.Path)
	}
	return fmt.Errorf("%s: no such setting; %s", path, hint(path, paths))
}

// configure gives a step's configuration with every reference replaced.
func (r *Recipe) configure(step *Step, kind Kind, look lookup) (any, error) {
	c := kind.New()
	if err := config.Defaults(c); err != nil {
		return nil, fmt.Errorf("kind %s: %w", kind.Name, err)
	}
	if step.with != nil {
		node, err := substitute(step.with, look)
		if err != nil {
			return nil, fmt.Errorf("%s: step %s: %w", r.File, step.Name, err)
		}
		if err := config.DecodeNode(node, r.File, c); err != nil {
			return nil, err
		}
	}
	for _, o := range step.sets {
		text := o.text
		value, err := substituteText(text, look)
		if err != nil {
			return nil, fmt.Errorf("--set %s.%s: %w", step.Name, o.path, err)
		}
		if value != nil {
			if value.Kind != yaml.ScalarNode {
				return nil, fmt.Errorf("--set %s.%s: a list cannot be set from the command line by reference", step.Name, o.path)
			}
			text = value.Value
		}
		if err := config.SetField(c, o.path, text); err != nil {
			return nil, fmt.Errorf("--set %s.%w", step.Name, err)
		}
	}
	if err := config.Validate(c); err != nil {
		return nil, fmt.Errorf("%s:%d: step %s: %w", r.File, step.Line, step.Name, err)
	}
	return c, nil
}
