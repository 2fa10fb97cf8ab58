package chain

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"lian/config"
)

// errUnknown stands for a value that a dry run cannot know.
var errUnknown = errors.New("not known before an earlier step has run")

// real gives what a step is run with: folders as paths.
func (e *engine) real(ref reference) (*yaml.Node, error) {
	return e.look(ref, func(step string) string { return filepath.Join(e.dir, step) })
}

// abstract gives what a step is hashed with: folders as the hash of what is in
// them, so that a run can be moved.
func (e *engine) abstract(ref reference) (*yaml.Node, error) {
	return e.look(ref, func(step string) string { return "result:" + step + ":" + e.marks[step].Result })
}

func (e *engine) look(ref reference, folder func(step string) string) (*yaml.Node, error) {
	if ref.dial != "" {
		return e.recipe.dialOnly(ref)
	}
	mark := e.marks[ref.step]
	if mark == nil {
		return nil, fmt.Errorf("step %s: %w", ref.step, errUnknown)
	}
	if ref.value == "" {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: folder(ref.step)}, nil
	}
	raw, ok := mark.Values[ref.value]
	if !ok {
		var keys []string
		for k := range mark.Values {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		return nil, fmt.Errorf("step %s gave no value %s; %s", ref.step, ref.value, hint(ref.value, keys))
	}
	return valueNode(raw)
}

// hash is a step's identity: everything that decides its result.
func (e *engine) hash(step *Step) (string, error) {
	kind := e.kinds[step.Uses]
	for _, name := range e.needs(step) {
		if e.marks[name] == nil {
			return "", fmt.Errorf("step %s: %w", name, errUnknown)
		}
	}
	abstract, err := e.recipe.configure(step, kind, e.abstract)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintf(h, "lian step 1\nkind %s\nversion %s\nconfig %s\n", kind.Name, kind.Version, config.Hash(abstract))
	for _, name := range step.after {
		fmt.Fprintf(h, "after %s %s\n", name, e.marks[name].Result)
	}
	if kind.Outside != nil {
		settings, err := e.recipe.configure(step, kind, e.real)
		if err != nil {
			return "", err
		}
		paths, err := kind.Outside(settings)
		if err != nil {
			return "", err
		}
		for _, path := range paths {
			if path == "" || e.within(path) {
				continue
			}
			sum, err := e.outside.hash(path)
			if err != nil {
				return "", fmt.Errorf("input %s: %w", path, err)
			}
			fmt.Fprintf(h, "outside %s\n", sum)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// within says whether a path is in the folder of one of the run's steps.
func (e *engine) within(path string) bool {
	relative, err := filepath.Rel(e.dir, path)
	if err != nil || relative == ".." || strings.HasPrefix(relative, ".."+string(filepath.Separator)) {
		return false
	}
	first, _, _ := strings.Cut(filepath.ToSlash(relative), "/")
	return slices.Contains(e.recipe.stepNames(), first)
}

// dryRun says for every step whether it would run and why.
func (e *engine) dryRun() (Status, error) {
	e.outside = openOutside(filepath.Join(e.dir, ".outside.json")) // read, never saved
	for i := range e.recipe.Steps {
		step := &e.recipe.Steps[i]
		var follows []string
		for _, name := range e.needs(step) {
			if e.missing[name] {
				follows = append(follows, name)
			}
		}
		if len(follows) > 0 {
			e.missing[step.Name] = true
			e.set(step.Name, func(s *StepStatus) { s.Reason = "follows from " + strings.Join(follows, ", ") })
			continue
		}
		hash, err := e.hash(step)
		if err != nil {
			return e.status, e.explain(step.Name, err)
		}
		mark, why := e.cached(step, filepath.Join(e.dir, step.Name), hash)
		if mark == nil {
			e.missing[step.Name] = true
			e.set(step.Name, func(s *StepStatus) { s.Reason = why })
			continue
		}
		e.marks[step.Name] = mark
		e.set(step.Name, func(s *StepStatus) { s.State, s.Reason = Cached, why; s.fill(mark) })
	}
	return e.snapshot(), nil
}
