package cli

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"lian/chain/step"
	"lian/cli/ui"
)

func init() { register(evalCommand) }

type evalOptions struct {
	Out string `yaml:"out" help:"folder for every answer and the results; empty writes none"`

	step.EvalOptions `yaml:",inline"`
}

// evalCommand is lian eval MODEL...
func evalCommand() *cobra.Command {
	var o evalOptions
	return verb("eval MODEL...", "verb.eval", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		if o.Questions == "" {
			return usage("--questions: needs a questions.jsonl, or a folder that has one, such as a run's instruct step")
		}
		report, err := step.Eval(ctx, o.Out, named(args), o.EvalOptions, out)
		out.Finish()
		return out.Result(report, err)
	})
}

// named calls each model by the shortest end of its path that no other has.
func named(paths []string) []step.NamedModel {
	list := make([]step.NamedModel, len(paths))
	for i, p := range paths {
		parts := strings.Split(filepath.ToSlash(filepath.Clean(p)), "/")
		for n := 1; n <= len(parts); n++ {
			list[i] = step.NamedModel{Name: strings.Join(parts[len(parts)-n:], "/"), Path: p}
			if alone(paths, i, list[i].Name) {
				break
			}
		}
	}
	return list
}

func alone(paths []string, i int, name string) bool {
	for j, p := range paths {
		if j != i && strings.HasSuffix("/"+filepath.ToSlash(filepath.Clean(p)), "/"+name) {
			return false
		}
	}
	return true
}
