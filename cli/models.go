package cli

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"lian/chain/step"
	"lian/cli/ui"
	"lian/hub"
)

func init() { register(modelsCommand) }

// modelsCommand is lian models list|show|remove|pull.
func modelsCommand() *cobra.Command {
	return family("models", "verb.models", modelsListCommand(), modelsShowCommand(), modelsRemoveCommand(), modelsPullCommand())
}

// modelsListOptions chooses what lian models list shows.
type modelsListOptions struct {
	Directories []string `yaml:"dir" help:"folders of runs to look into" default:"runs"`
	Fits        bool     `yaml:"fits" help:"say what this machine can run and fine-tune, with memory and time"`
	Known       bool     `yaml:"known" help:"list the models with short names that can be pulled, instead of those that are here"`
}

func modelsListCommand() *cobra.Command {
	var o modelsListOptions
	return verb("list", "verb.models.list", &o, func(ctx context.Context, args []string, out *ui.Out) (err error) {
		list := step.KnownModels()
		if !o.Known {
			list, err = step.ListModels(ctx, o.Directories)
		}
		var capacity step.Capacity
		if err == nil && o.Fits {
			capacity, err = step.AddFits(ctx, list)
		}
		if err != nil || out.JSON {
			return out.Result(list, err)
		}
		if len(list) == 0 {
			out.Say("models.none", step.ModelsDir())
			return nil
		}
		if o.Fits {
			out.Say("models.capacity", ui.Bytes(capacity.Memory), fmt.Sprintf("%.1f", capacity.Bandwidth))
			return out.Result(fitsTable(out, list))
		}
		t := ui.Table{Columns: []ui.Column{{Name: out.T("field.name")}, {Name: out.T("models.where")}, {Name: out.T("inspect.family")}, {Name: out.T("inspect.parameters"), Right: true},
			{Name: out.T("inspect.type")}, {Name: out.T("inspect.size"), Right: true}, {Name: out.T("inspect.problem")}}}
		if o.Known {
			t.Columns[6].Name = out.T("models.licence")
		}
		for _, m := range list {
			t.Rows = append(t.Rows, []string{m.Name, out.T("models.where." + m.Where), or(m.Family, "—"), count(m.Parameters), or(m.Type, "—"), ui.Bytes(m.Bytes), m.Problem + m.Licence})
		}
		return out.Result(t)
	})
}

// fitsTable says what this machine can do with each model.
func fitsTable(out *ui.Out, list []step.ListedModel) ui.Table {
	t := ui.Table{Columns: []ui.Column{{Name: out.T("field.name")}, {Name: out.T("inspect.parameters"), Right: true}, {Name: out.T("models.run"), Right: true}, {Name: out.T("models.speed"), Right: true},
		{Name: out.T("models.lora"), Right: true}, {Name: out.T("models.full"), Right: true}, {Name: out.T("inspect.problem")}}}
	for _, m := range list {
		row := []string{m.Name, count(m.Parameters), "—", "—", "—", "—", m.Problem}
		if f := m.Fit; f != nil {
			about := ""
			if f.About {
				about = "≈ "
			}
			need := func(fits bool, bytes int64) string {
				return about + ui.Bytes(bytes) + " " + map[bool]string{true: "✓", false: "✗"}[fits]
			}
			row[2], row[4], row[5] = need(f.Run, f.RunBytes), need(f.LoRA, f.LoRABytes), need(f.Full, f.FullBytes)
			if f.Run && f.TokenMillis > 0 {
				row[3] = about + out.T("models.per_second", ui.Number(1000/f.TokenMillis))
			}
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func modelsShowCommand() *cobra.Command {
	return verb("show MODEL", "verb.models.show", nil, func(ctx context.Context, args []string, out *ui.Out) error {
		i, err := step.Inspect(ctx, args[0], step.InspectOptions{Context: 4096}, slow(out))
		if err != nil || out.JSON {
			return out.Result(i, err)
		}
		return showInspection(out, i, false)
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
		path, bytes, err := hub.Removable(args[0])
		if err != nil {
			return err
		}
		if !o.Yes {
			if terminal, ok := out.In.(*os.File); !ok || !term.IsTerminal(int(terminal.Fd())) {
				return usage("this deletes %s (%s) for good; add --yes to do it", path, ui.Bytes(bytes))
			}
			fmt.Fprint(out.Stderr(), out.T("models.really", path, ui.Bytes(bytes)))
			answer, err := bufio.NewReader(out.In).ReadString('\n')
			if answer = strings.ToLower(strings.TrimSpace(answer)); err != nil || answer != "y" && answer != "yes" && answer != "是" {
				return fmt.Errorf("%s: not removed", path)
			}
		}
		path, freed, err := hub.Remove(args[0])
		if err != nil || out.JSON {
			return out.Result(removed{path, freed}, err)
		}
		out.Say("models.removed", path, ui.Bytes(freed))
		return nil
	})
}
