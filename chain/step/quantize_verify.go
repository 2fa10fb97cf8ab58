package step

import (
	"fmt"
	"slices"

	"lian/format/gguf"
	"lian/model"
	"lian/model/checkpoint"
	"lian/quant"
)

// canRun says, before the work, what cannot be known of a model that Lian does not run, and refuses what would need to run it.
func (q *quantization) canRun(source *tensorSource) error {
	if source.cannotRun == nil {
		return nil
	}
	why := source.cannotRun.Error()
	for _, s := range []struct {
		flag  string
		asked bool
	}{{"--text", q.Text != ""}, {"--calibrate", q.Calibrate != "" && !q.chosen() && q.ImatrixOut == ""}, {"--imatrix-out", q.ImatrixOut != ""},
		{"--target-size", q.TargetSize != ""}, {"--max-kl", q.MaxKL > 0}} {
		if s.asked {
			return fmt.Errorf("Lian does not run this model, and %s needs to: %s; without it the tensors can be quantised", s.flag, why)
		}
	}
	q.report.Unverified = why
	q.events.Emit(KindUnverified, why)
	return nil
}

// verify opens what was written: as a model, or as a file where Lian does not run it.
func (q *quantization) verify(path string, choices []quant.Choice) error {
	if q.report.Unverified == "" {
		b, err := Backend()
		if err != nil {
			return err
		}
		m, err := OpenWeights(path, b, checkpoint.Options{})
		if err != nil {
			return err
		}
		return m.Close()
	}
	f, err := gguf.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, c := range choices {
		info, ok := f.Info(c.Name)
		if !ok || info.Type != c.To || !slices.Equal(info.Shape, c.Shape) {
			return fmt.Errorf("tensor %s is %v %v, expected %v %v", c.Name, info.Type, info.Shape, c.To, c.Shape)
		}
	}
	return nil
}

// runsGGUF says why Lian cannot run a GGUF file, nil if it can.
func runsGGUF(path string, f *gguf.File) error {
	fam, spec, _, err := checkpoint.ReadGGUF(path, f)
	if err == nil {
		err = fits(f, fam, spec, false, func(b model.Binding) model.View { return b.GGUF })
	}
	return err
}
