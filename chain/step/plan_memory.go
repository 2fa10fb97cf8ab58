package step

import (
	"lian/compute"
	"lian/compute/cpu"
	"lian/compute/dry"
	"lian/model/nn"
	"lian/train"
)

// trainingMemory is what a training will hold, before anything of it is there: micro-batches of so many rows, in sequences of at most length, of a
// model of a Spec. saves says that checkpoints will be written. The process has about `program` bytes beside.
func trainingMemory(s nn.Spec, o train.Options, rows, length int, saves bool) (train.Memory, error) {
	workers := cpu.Workers(cpu.New(0))
	d := dry.New(func(op compute.Op) int64 { return cpu.Workspace(op, workers) })
	m, err := nn.Shape(d, s)
	if err != nil {
		return train.Memory{}, err
	}
	return train.PlanMemory(d, m, o, rows, length, saves)
}
