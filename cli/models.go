package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"lian/chain/step"
	"lian/cli/ui"
)

func init() { register(modelsCommand) }

// modelsCommand is lian models list|show|remove|pull.
func modelsCommand() *cobra.Command {
	return family("models", "verb.models", modelsListCommand(), modelsShowCommand(), modelsRemoveCommand(), modelsPullCommand())
}

// modelsListOptions chooses what lian models list shows.
type modelsListOptions struct {
	Directories []string `yaml:"dir" help:"folders of runs to look into" default:"runs"`
}

func modelsListCommand() *cobra.Command {
	var o modelsListOptions
	return verb("list", "verb.models.list", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		list, err := step.ListModels(ctx, o.Directories)
		if err != nil || out.JSON {
			return out.Result(list, err)
		}
		if len(list) == 0 {
			out.Say("models.none", step.ModelsDir())
			return nil
		}
		t := ui.Table{Columns: []ui.Column{{Name: out.T("field.name")}, {Name: out.T("inspect.family")}, {Name: out.T("inspect.parameters"), Right: true},
			{Name: out.T("inspect.type")}, {Name: out.T("inspect.size"), Right: true}, {Name: out.T("inspect.problem")}}}
		for _, m := range list {
			t.Rows = append(t.Rows, []string{m.Name, or(m.Family, "—"), count(m.Parameters), or(m.Type, "—"), ui.Bytes(m.Bytes), m.Problem})
		}
		return out.Result(t)
	})
}

func modelsShowCommand() *cobra.Command {
	return verb("show MODEL", "verb.models.show", nil, func(ctx context.Context, args []string, out *ui.Out) error {
		i, err := step.Inspect(ctx, args[0], step.InspectOptions{Context: 4096}, slow(out))
		if err != nil || out.JSON {
			return out.Result(i, err)
		}
		return showInspection(out, i)
	})
}

// modelsRemoveOptions are the settings of lian models remove.
type modelsRemoveOptions struct {
	Yes bool `yaml:"yes" help:"remove without asking further"`
}

// removed is what lian models remove freed.
type removed struct {
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
}

func modelsRemoveCommand() *cobra.Command {
	var o modelsRemoveOptions
	return verb("remove NAME", "verb.models.remove", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		path, err := step.ModelAtHome(args[0])
		if err != nil {
			return err
		}
		if !o.Yes {
			return usage("this deletes %s for good; add --yes to do it", path)
		}
		path, freed, err := step.RemoveModel(args[0])
		if err != nil || out.JSON {
			return out.Result(removed{path, freed}, err)
		}
		out.Say("models.removed", path, ui.Bytes(freed))
		return nil
	})
}

// modelsPullCommand says plainly that there is no hub yet.
func modelsPullCommand() *cobra.Command {
	return verb("pull NAME", "verb.models.pull", nil, func(ctx context.Context, args []string, out *ui.Out) error {
		return fmt.Errorf("%s: model hubs are not connected yet; download the model's folder (config.json, *.safetensors, tokenizer.json) or its .gguf file with another program, put it into %s, and pass its name or path as MODEL", args[0], step.ModelsDir())
	})
}
