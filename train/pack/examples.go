package pack

import (
	"fmt"
	"math"

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

// Reductions are the ways in which the labels of a step's examples are averaged, as in XTuner's loss_reduction: every label counts
// the same; every example does; or every label by 1/√(labels of its example), in between.
const (
	ByToken  = "token"
	BySample = "sample"
	BySquare = "square"
)

// Reduce sets the weights of examples for a reduction.
func Reduce(examples []train.Sequence, reduction string) error {
	for i := range examples {
		labels := float64(max(examples[i].Labels(), 1))
		switch reduction {
		case ByToken:
			examples[i].Weight = 1
		case BySample:
			examples[i].Weight = float32(1 / labels)
		case BySquare:
			examples[i].Weight = float32(1 / math.Sqrt(labels))
		default:
			return fmt.Errorf("loss reduction %q, expected %s, %s or %s", reduction, ByToken, BySample, BySquare)
		}
	}
	return nil
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
