package pack

import (
	"fmt"

	"lian/random"
	"lian/train"
)

// Examples is fine-tuning data: each epoch all examples in a new order, a fixed number a step.
type Examples struct {
	examples []train.Sequence
	perStep  int
	seed     uint64
	epoch    int
	order    []int
}

// FromMask makes a sequence of which the masked tokens are learnt: the target of a position is the next token if its mask is set.
func FromMask(ids []int32, mask []bool) train.Sequence {
	s := train.Sequence{IDs: ids, Targets: make([]int32, len(ids))}
	for i := range ids {
		s.Targets[i] = -1
		if i+1 < len(ids) && mask[i+1] {
			s.Targets[i] = ids[i+1]
		}
	}
	return s
}

// NewExamples makes a source of perStep examples a step. Examples without a target are refused.
func NewExamples(examples []train.Sequence, perStep int, seed uint64) (*Examples, error) {
	if len(examples) == 0 || perStep < 1 {
		return nil, fmt.Errorf("%d examples, %d a step: both must be positive", len(examples), perStep)
	}
	for i, e := range examples {
		if e.Labels() == 0 {
			return nil, fmt.Errorf("example %d of %d has no token to learn", i, len(examples))
		}
	}
	return &Examples{examples: examples, perStep: perStep, seed: seed, epoch: -1}, nil
}

// StepsPerEpoch is the number of steps in which every example is seen once, rounded up.
func (e *Examples) StepsPerEpoch() int { return (len(e.examples) + e.perStep - 1) / e.perStep }

// Step implements train.Source.
func (e *Examples) Step(step int) ([]train.Sequence, error) {
	var out []train.Sequence
	for at := step * e.perStep; at < (step+1)*e.perStep; at++ {
		if epoch := at / len(e.examples); epoch != e.epoch {
			e.epoch = epoch
			e.order = random.New(e.seed, "order of examples", epoch).Permutation(len(e.examples))
		}
		out = append(out, e.examples[e.order[at%len(e.examples)]])
	}
	return out, nil
}
