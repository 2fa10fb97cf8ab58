package train

import (
	"lian/compute"
	"lian/compute/autograd"
	"lian/compute/dry"
	"lian/model"
)

// Memory is what a training holds, in bytes by kind.
type Memory struct {
	Weights     int64 `json:"weights"`
	Gradients   int64 `json:"gradients"`
	Optimizer   int64 `json:"optimizer"`   // what it remembers, averages too
	Activations int64 `json:"activations"` // of the largest micro-batch, and their gradients
	Workspace   int64 `json:"workspace"`   // what operations need beside their operands
	Checkpoint  int64 `json:"checkpoint"`  // the copy that is written while training goes on, and what it is read back into
	Looks       int64 `json:"looks"`       // what looks at held-out text and answers to prompts compute in; not the trainer's
	Data        int64 `json:"data"`        // of mapped token files, all of which are read once; not the trainer's
}

// Total is all of it.
func (m Memory) Total() int64 {
	return m.Weights + m.Gradients + m.Optimizer + m.Activations + m.Workspace + m.Checkpoint + m.Looks + m.Data
}

// Kinds are the parts by name.
func (m Memory) Kinds() map[string]int64 {
	return map[string]int64{"weights": m.Weights, "gradients": m.Gradients, "optimizer": m.Optimizer, "activations": m.Activations, "workspace": m.Workspace, "checkpoint": m.Checkpoint, "looks": m.Looks, "data": m.Data}
}

// Memory is what the run holds. It is complete when the first step has been taken; Workspace is the backend's, if it counts.
func (t *Trainer) Memory() Memory {
	m := Memory{Weights: bytesOf(t.Model.Parameters())}
	if t.Adapter != nil {
		m.Weights += bytesOf(t.Weights)
	}
	if t.optimizer == nil {
		return m
	}
	m.Optimizer = t.optimizer.Bytes()
	for _, x := range t.optimizer.Trained().Tensors() {
		m.Gradients += int64(4 * x.Elements())
	}
	if t.arena != nil {
		m.Activations = int64(t.arena.Bytes())
	}
	if b, ok := t.Backend.(interface{ Workspace() int64 }); ok {
		m.Workspace = b.Workspace()
	}
	if t.Folder != "" {
		_, m.Checkpoint = t.CheckpointBytes()
		m.Checkpoint += 2*largest(t.Weights) + max(bytesOf(t.Weights), bytesOf(t.remembered())) // read back from files that are mapped one at a time
	}
	return m
}

// largest is the size of the largest of tensors.
func largest(p *model.Parameters) (bytes int64) {
	for _, x := range p.Tensors() {
		bytes = max(bytes, int64(x.Bytes()))
	}
	return bytes
}

// PlanMemory is what a run will hold: one of these options over a model on a dry backend (whose weights are shapes) with micro-batches of so many
// rows, in sequences of at most length. saves says that checkpoints will be written.
func PlanMemory(b *dry.Backend, m model.Model, o Options, rows, length int, saves bool) (Memory, error) {
	t := &Trainer{Options: o, Backend: b, Model: m, Weights: m.Parameters()}
	if saves {
		t.Folder = "planned"
	}
	if err := t.prepare(); err != nil {
		return Memory{}, err
	}
	var sequences []Sequence
	for ; rows > 0; rows -= length {
		n := min(rows, length)
		sequences = append(sequences, Sequence{IDs: make([]int32, n), Targets: make([]int32, n)})
	}
	micros := split(sequences, max(1, len(sequences)*length))
	t.reserve(micros)
	for _, micro := range micros {
		if err := t.accumulate(micro, 1, make([]float64, len(sequences))); err != nil {
			return Memory{}, err
		}
	}
	return t.Memory(), nil
}

// reserve makes the arena as large as the largest of a step's micro-batches needs, which a dry run says. A larger one that comes later makes
// it grow.
func (t *Trainer) reserve(micros []micro) {
	if t.arena != nil {
		return
	}
	size := 0
	for _, m := range micros {
		if len(m.rows) == 0 {
			continue
		}
		b := dry.New(nil)
		try := Trainer{Options: t.Options, Backend: b, Model: t.Model, Adapter: t.Adapter, stream: b.NewStream(), arena: compute.NewArena(b, 0),
			gradients: autograd.NewGradients(b, t.optimizer.Trained().Tensors())}
		if try.accumulate(m, 1, make([]float64, len(m.sequence)+len(m.rows))) == nil { // what is wrong will be said when it is launched
			size = max(size, try.arena.Bytes())
		}
	}
	t.arena = compute.NewArena(t.Backend, size)
}
