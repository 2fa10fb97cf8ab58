package step

import (
	"errors"
	"fmt"

	"lian/engine"
	"lian/machine"
	"lian/model/checkpoint"
)

// MemoryPlan is what serving a model takes.
type MemoryPlan struct {
	Model string `json:"model"`
	engine.Plan
}

// PlanServe counts the memory of an engine for a model. With fit, it chooses context and number of sequences for so many megabytes; 0 is
// nine tenths of this machine's.
func PlanServe(models []string, o engine.Options, fit bool, megabytes int) (engine.Options, MemoryPlan, error) {
	if len(models) != 1 {
		return o, MemoryPlan{}, errors.New("--plan and --fit count for one model; give each a server of its own, or sizes by hand")
	}
	b, err := Backend()
	if err != nil {
		return o, MemoryPlan{}, err
	}
	m, err := OpenWeights(models[0], b, checkpoint.Options{})
	if err != nil {
		return o, MemoryPlan{}, err
	}
	defer m.Close()
	weights := int64(0)
	for _, t := range m.Model.Parameters().Tensors() {
		weights += int64(t.Bytes())
	}
	info := m.Model.Info()
	if !fit {
		return o, MemoryPlan{m.Name, engine.PlanFor(info, weights, o)}, nil
	}
	most := int64(megabytes) << 20
	if most == 0 {
		total, _ := machine.Memory()
		most = int64(usable * float64(total))
	}
	o, p, err := engine.Fit(info, weights, o, most-program)
	if err != nil {
		return o, MemoryPlan{}, fmt.Errorf("%s: %w", m.Name, err)
	}
	return o, MemoryPlan{m.Name, p}, nil
}
