package cli

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lian/chain"
	"lian/chain/step"
	"lian/cli/ui"
	"lian/event"
	"lian/store"
)

func init() { register(pretrainCommand) }

type pretrainOptions struct {
	Out        string `yaml:"out" help:"folder of the run" default:"runs/pretrain"`
	Vocabulary int    `yaml:"vocabulary" help:"tokens of a tokenizer trained on DATA, when none is given" default:"4096" range:"259..1000000"`
	Plan       bool   `yaml:"plan" help:"say what it takes and stop"`

	watchOptions             `yaml:",inline"`
	step.PretrainOptions     `yaml:",inline"`
	step.PlanPretrainOptions `yaml:",inline"`
}

// pretrainCommand is lian pretrain DATA.
func pretrainCommand() *cobra.Command {
	var o pretrainOptions
	return verb("pretrain [DATA...]", "verb.pretrain", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		if o.Plan {
			plan, err := step.PlanPretrain(ctx, args, o.Vocabulary, o.Out, o.PretrainOptions, o.PlanPretrainOptions, out)
			out.Finish()
			return out.Result(plan, err)
		}
		if len(args) == 0 {
			return usage("pretrain needs DATA: documents, files or token shards; only --plan goes without")
		}
		if o.Layout.Devices > 0 {
			return usage("--layout.devices lays a run out on paper; add --plan")
		}
		kept := o // how a run is watched is not a setting of it
		kept.watchOptions = watchOptions{}
		return inRun(o.Out, "pretrain", kept, o.watchOptions, out, func(dir string, events event.Sink) (any, error) {
			if o.Tokenizer == "" && !step.HasTokenizer(args) {
				file, err := o.From.TokenizerFile(dir)
				if err != nil {
					return nil, err
				}
				o.Tokenizer = file
			}
			began := time.Now()
			p, err := step.PrepareAll(ctx, args, o.Tokenizer, o.Vocabulary, o.Mixture, dir, events)
			if err != nil {
				return nil, err
			}
			out.Note("pretrain.data", strings.Join(args, ", "), p.What)
			o.Shards, o.Tokenizer = p.Shards, p.Tokenizer
			o.Dial.Spent(time.Since(began))
			return step.Pretrain(ctx, dir, o.PretrainOptions, event.Tee(events, dataTable(out)))
		})
	})
}

// inRun works in a run folder: settings and events are kept, an interrupted run goes on, the result is its summary.
func inRun(path, kind string, settings any, watch watchOptions, out *ui.Out, work func(dir string, events event.Sink) (any, error)) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	run, err := store.ContinueRun(filepath.Dir(path), filepath.Base(path), kind, settings)
	if err != nil {
		return err
	}
	defer run.Close()
	people, unwatch, err := watch.begin(run.Dir, out)
	if err != nil {
		return err
	}
	result, err := work(run.Dir, event.Tee(run.Events, people))
	unwatch()
	out.Finish()
	if err != nil {
		run.Events.Emit(store.KindRunFailed, store.Failure{Error: err.Error()})
		return goesOn(err)
	}
	if err := run.Done(result); err != nil {
		return err
	}
	return out.Result(result)
}

// noted shows what an output shows, and notes too.
type noted struct{ *ui.Out }

// Emit implements event.Sink.
func (n noted) Emit(kind string, payload any) {
	if note, ok := payload.(chain.Note); ok {
		n.Note("chain.note", note.Text)
		return
	}
	n.Out.Emit(kind, payload)
}
