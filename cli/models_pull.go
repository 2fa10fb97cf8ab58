package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"lian/cli/ui"
	"lian/event"
	"lian/hub"
)

// pulled is what lian models pull did.
type pulled struct {
	Name       string         `json:"name"` // what to pass as MODEL
	Path       string         `json:"path"`
	Bytes      int64          `json:"bytes"`
	Downloaded int64          `json:"downloaded"`
	Hub        string         `json:"hub"`
	Repo       string         `json:"repo"`
	Commit     string         `json:"commit,omitempty"`
	Licence    string         `json:"licence,omitempty"`
	Checked    map[string]int `json:"checked"` // files by what they were compared with: sha256, git, size
	LeftOut    []hub.LeftOut  `json:"left_out,omitempty"`
}

// modelsPullCommand is lian models pull NAME.
func modelsPullCommand() *cobra.Command {
	var o hub.Options
	return verb("pull NAME", "verb.models.pull", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		sink := event.Func(func(kind string, payload any) {
			if w, ok := payload.(hub.Wait); ok {
				out.Note("hub.wait", fmt.Sprintf("%.0f", w.Seconds), w.Why)
			}
			out.Emit(kind, payload)
		})
		p, err := hub.Prepare(ctx, args[0], o, sink)
		if err != nil {
			return goesOn(err)
		}
		if o.DryRun && out.JSON {
			return out.Result(p)
		}
		if err := showPlan(out, p, o.DryRun); err != nil || o.DryRun {
			return err
		}
		mark, err := p.Pull(ctx, sink)
		if err != nil {
			return goesOn(err)
		}
		out.Finish()
		r := pulled{Name: p.Name, Path: p.Dir, Bytes: p.Bytes, Downloaded: p.Missing, Hub: p.Hub, Repo: p.Repo, Commit: p.Commit, Licence: p.Licence, Checked: map[string]int{}, LeftOut: p.Left}
		for _, f := range p.Files {
			for _, m := range mark.Files {
				if m.Path == f.Path {
					r.Checked[m.Checked]++
				}
			}
		}
		if out.JSON {
			return out.Result(r)
		}
		out.Say("hub.done", len(p.Files), ui.Bytes(p.Bytes), p.Dir)
		if n := r.Checked["size"]; n > 0 {
			out.Say("hub.unchecked", n)
		}
		out.Say("hub.next", p.Name)
		return nil
	})
}

// showPlan tells a person what is taken, of whom and under which licence.
func showPlan(out *ui.Out, p *hub.Plan, files bool) error {
	where := p.Repo
	if p.Commit != "" {
		where += " @ " + p.Commit[:min(12, len(p.Commit))]
	} else if p.Revision != "" {
		where += " @ " + p.Revision
	}
	out.Say("hub.from", where, p.Hub, p.Endpoint)
	if p.Licence != "" {
		out.Say("hub.licence", p.Licence)
	}
	if p.Variant != "" {
		out.Say("hub.variant", p.Variant)
	}
	if files {
		t := ui.Table{Columns: []ui.Column{{Name: out.T("field.file")}, {Name: out.T("inspect.size"), Right: true}, {Name: out.T("hub.here"), Right: true}}}
		for _, f := range p.Files {
			t.Rows = append(t.Rows, []string{f.Path, ui.Bytes(f.Size), ui.Bytes(f.Have)})
		}
		if err := out.Result(t); err != nil {
			return err
		}
	}
	for _, l := range p.Left {
		out.Say("hub.left", l.Files, ui.Bytes(l.Bytes), out.T("hub.left."+l.Why))
	}
	free := "—"
	if p.Free > 0 {
		free = ui.Bytes(p.Free)
	}
	out.Say("hub.total", len(p.Files), ui.Bytes(p.Bytes), ui.Bytes(p.Missing), strings.TrimSpace(free))
	return nil
}
