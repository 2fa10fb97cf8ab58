package step

import (
	"errors"
	"fmt"
	"strings"

	"lian/engine"
	"lian/machine"
	"lian/model"
	"lian/model/adapter"
	"lian/model/checkpoint"
)

// MemoryOptions are the settings of verbs that say what memory they take before they take it, and can choose how much.
type MemoryOptions struct {
	Plan   bool `yaml:"plan" help:"print the memory that this takes, and stop"`
	Fit    bool `yaml:"fit" help:"choose context and number of sequences for the memory there is"`
	Memory int  `yaml:"memory" help:"megabytes that fit may use; 0 is nine tenths of this machine's" default:"0" range:"0..100000000"`
}

// MemoryPlan is what running a model takes.
type MemoryPlan struct {
	Model string `json:"model"`
	engine.Plan
}

// PlanServe counts the memory of an engine for a model with adapters beside it, NAME=PATH, and chooses context and number of sequences
// if the options ask for that.
func PlanServe(models, adapters []string, s SelfExtension, o engine.Options, memory MemoryOptions) (engine.Options, MemoryPlan, error) {
	if len(models) != 1 {
		return o, MemoryPlan{}, errors.New("--plan and --fit count for one model; give each a server of its own, or sizes by hand")
	}
	m, err := openForPlan(models[0], s)
	if err != nil {
		return o, MemoryPlan{}, err
	}
	defer m.Close()
	var beside []*adapter.LoRA
	for _, named := range adapters {
		name, path, err := namedAdapter(named)
		if err != nil {
			return o, MemoryPlan{}, err
		}
		l, err := m.adapterBeside(path)
		if err != nil {
			return o, MemoryPlan{}, fmt.Errorf("adapter %s: %w", name, err)
		}
		beside = append(beside, l)
	}
	return m.planned(o, memory, beside...)
}

// openForPlan opens what of a model says how much memory it takes.
func openForPlan(path string, s SelfExtension) (*Opened, error) {
	b, err := Backend()
	if err != nil {
		return nil, err
	}
	m, err := openWeights(path, b, checkpoint.Options{}, true)
	if err != nil {
		return nil, err
	}
	if err := s.apply(m); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// planned counts the memory of an engine, and with Fit chooses its sizes.
func (m *Opened) planned(o engine.Options, memory MemoryOptions, beside ...*adapter.LoRA) (engine.Options, MemoryPlan, error) {
	with, err := m.loaded(o, beside...)
	if err != nil {
		return o, MemoryPlan{}, err
	}
	var p engine.Plan
	if memory.Fit {
		most := int64(memory.Memory) << 20
		if most == 0 {
			total, _ := machine.Memory()
			most = int64(usable * float64(total))
		}
		o, p, err = engine.Fit(m.Model.Info(), with, o, most-program)
	} else {
		p, err = engine.PlanFor(m.Model.Info(), with, o)
	}
	if err != nil {
		return o, MemoryPlan{}, fmt.Errorf("%s: %w", m.Name, err)
	}
	return o, MemoryPlan{m.Name, p}, nil
}

// loaded are the bytes of what an engine of this model is given: the weights, the adapter of its own and those beside it, the draft model.
func (m *Opened) loaded(o engine.Options, beside ...*adapter.LoRA) (with engine.Loaded, err error) {
	with.Weights = weightBytes(m.Model)
	if m.Adapter != nil {
		with.Adapters = m.Adapter.Bytes()
	}
	for _, l := range beside {
		with.Adapters += l.Bytes()
	}
	if !o.NeedsModel() {
		return with, nil
	}
	d, err := OpenWeights(o.Draft, m.Backend, checkpoint.Options{})
	if err != nil {
		return with, fmt.Errorf("--draft: %w (or none, auto, lookup, suffix)", err)
	}
	defer d.Close()
	info := d.Model.Info()
	with.Draft, with.DraftWeights = &info, weightBytes(d.Model)
	return with, nil
}

func weightBytes(m model.Model) (bytes int64) {
	for _, t := range m.Parameters().Tensors() {
		bytes += int64(t.Bytes())
	}
	return bytes
}

// namedAdapter reads NAME=PATH.
func namedAdapter(named string) (name, path string, err error) {
	name, path, ok := strings.Cut(named, "=")
	if !ok || name == "" || path == "" {
		return "", "", fmt.Errorf("adapter %q: expected NAME=PATH", named)
	}
	return name, path, nil
}
