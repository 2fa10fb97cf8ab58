package cli

import (
	"context"

	"github.com/spf13/cobra"

	"lian/chain/step"
	"lian/cli/ui"
	"lian/event"
)

func init() {
	register(finetuneCommand)
	register(mergeCommand)
}

type finetuneOptions struct {
	Out string `yaml:"out" help:"folder of the run" default:"runs/finetune"`

	watchOptions         `yaml:",inline"`
	step.FinetuneOptions `yaml:",inline"`
}

// finetuneCommand is lian finetune MODEL DATA.
func finetuneCommand() *cobra.Command {
	var o finetuneOptions
	return verb("finetune MODEL DATA", "verb.finetune", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		o.Model, o.Data = args[0], args[1]
		kept := o // how a run is watched is not a setting of it
		kept.watchOptions = watchOptions{}
		return inRun(o.Out, "finetune", kept, o.watchOptions, out, func(dir string, events event.Sink) (any, error) {
			return step.Finetune(ctx, dir, o.FinetuneOptions, events)
		})
	})
}

// mergeCommand is lian merge BASE+ADAPTER OUT.
func mergeCommand() *cobra.Command {
	return verb("merge MODEL OUT", "verb.merge", nil, func(ctx context.Context, args []string, out *ui.Out) error {
		return out.Result(step.MergeModel(ctx, args[0], args[1]))
	})
}
