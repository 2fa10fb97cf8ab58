package step

import (
	"fmt"
	"strings"

	"lian/model"
	"lian/model/nn"
)

// fits says whether a training of a shape on so many tokens has room in so many bytes of memory (0 is not known), and if not, what to do. Files of tokens are not
// counted: the system gives their pages back.
func (o *PretrainOptions) fits(s nn.Spec, tokens float64, have int64) error {
	if have <= 0 {
		return nil
	}
	needs := func(o PretrainOptions) (int64, error) {
		m, err := o.memory(s, tokens)
		return m.Total() - m.Data + ownBytes, err
	}
	m, err := o.memory(s, tokens)
	if err != nil {
		return err
	}
	need := m.Total() - m.Data + ownBytes
	if need <= have {
		return nil
	}
	rows := o.lookRows(s.Context)
	kept := m.Weights + m.Gradients + m.Optimizer
	told := fmt.Sprintf("train.micro_tokens is %d: a micro-batch of %d tokens needs %v of memory (%v for weights, gradients and the optimizer, %v for activations, %v for a checkpoint's copy), this machine has %v",
		o.Train.MicroTokens, rows, ByteSize(need), ByteSize(kept), ByteSize(m.Activations+m.Workspace), ByteSize(m.Checkpoint), ByteSize(have))
	smaller := *o
	for _, change := range []func(){
		func() {},
		func() { smaller.Train.Recompute = model.RecomputeFull },
		func() { smaller.Train.SaveInline = true },
	} {
		change()
		try := smaller
		for n := rows; n >= s.Context; n = n / 2 / s.Context * s.Context {
			try.Train.MicroTokens = n
			need, err := needs(try)
			if err != nil {
				return err
			}
			if need <= have {
				flags := []string{}
				if n < rows {
					flags = append(flags, fmt.Sprintf("--train.micro-tokens %d", n))
				}
				if smaller.Train.Recompute != o.Train.Recompute {
					flags = append(flags, "--train.recompute full")
				}
				if smaller.Train.SaveInline != o.Train.SaveInline {
					flags = append(flags, "--train.save-inline")
				}
				return fmt.Errorf("%s; %s needs %v", told, strings.Join(flags, " "), ByteSize(need))
			}
		}
	}
	smaller.Train.MicroTokens = s.Context
	if need, err = needs(smaller); err != nil {
		return err
	}
	return fmt.Errorf("%s; a sequence of %d at a time, with --train.recompute full and --train.save-inline, still needs %v: choose a smaller model or model.context", told, s.Context, ByteSize(need))
}
