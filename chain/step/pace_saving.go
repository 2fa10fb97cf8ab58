package step

import (
	"context"
	"os"
	"path/filepath"

	"lian/compute"
	"lian/config"
	"lian/event"
	"lian/model/nn"
	"lian/train"
	"lian/train/guard"
)

// measureSaving is the seconds that a byte of a state takes: a small one is written by a trainer, as all are, on the disk of a folder that need not be there yet.
func measureSaving(ctx context.Context, b compute.Backend, folder string) (float64, error) {
	for folder != "" && !exists(folder) && filepath.Dir(folder) != folder {
		folder = filepath.Dir(folder)
	}
	dir, err := os.MkdirTemp(folder, ".lian-plan-*")
	if err != nil { // the run will say that it may not write there
		if dir, err = os.MkdirTemp("", "lian-plan-*"); err != nil {
			return 0, err
		}
	}
	defer os.RemoveAll(dir)
	size := shapes[6]
	size.Context, size.Theta = 32, 10000
	m, err := nn.Initialise(b, size.Spec(4096), 1, 0.02)
	if err != nil {
		return 0, err
	}
	var o train.Options
	if err := config.Defaults(&o); err != nil {
		return 0, err
	}
	o.Steps, o.Schedule.LearningRate, o.MicroTokens, o.SaveInline, o.SaveFailure, o.Guard.Answer = 1, 1e-5, 32, true, train.SaveFailureStop, guard.Off
	saved := 0.0
	t := &train.Trainer{Options: o, Backend: b, Model: m, Weights: m.Parameters(), Source: noise{32, 32, size.Spec(4096).Vocab, 0}, Folder: filepath.Join(dir, "state"),
		Events: event.Func(func(kind string, payload any) {
			if e, ok := payload.(train.SavedEvent); ok {
				saved = e.Seconds / float64(e.Bytes)
			}
		})}
	return saved, t.Run(ctx)
}
