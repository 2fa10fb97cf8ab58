package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"lian/chain/step"
	"lian/cli/ui"
)

func init() { register(inspectCommand) }

// inspectCommand is lian inspect PATH.
func inspectCommand() *cobra.Command {
	var o step.InspectOptions
	return verb("inspect PATH", "verb.inspect", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		i, err := step.Inspect(ctx, args[0], o, slow(out))
		if err != nil && !errors.Is(err, step.ErrUnsound) {
			return err
		}
		if o.Template && i.Template == nil {
			return fmt.Errorf("%s: has no chat template", i.Path)
		}
		out.Finish()
		if out.JSON {
			return errors.Join(out.Result(i), err)
		}
		return errors.Join(showInspection(out, i, o.Words), err)
	})
}

// showInspection prints what a person wants to know first, then the lists.
func showInspection(out *ui.Out, i *step.Inspection, whole bool) error {
	t := ui.Table{Columns: []ui.Column{{}, {}}}
	row := func(key, format string, args ...any) {
		if text := fmt.Sprintf(format, args...); text != "" {
			t.Rows = append(t.Rows, []string{out.T("inspect." + key), text})
		}
	}
	row("what", "%s", out.T("inspect.what."+i.What))
	row("format", "%s", i.Format)
	row("source", "%s", i.Source)
	row("licence", "%s", i.Licence)
	row("size", "%s", ui.Bytes(i.Bytes))
	if m := i.Model; m != nil {
		row("name", "%s", m.Name)
		row("family", "%s", m.Family)
		row("parameters", "%s", count(m.Parameters))
		if m.Layers > 0 {
			row("shape", "%s", out.T("inspect.shape.of", m.Layers, m.Hidden, m.Heads, m.KVHeads, m.HeadSize, m.FeedForward))
			if m.Experts > 0 {
				row("experts", "%s", out.T("inspect.experts.of", m.Experts, m.Chosen, count(m.Active)))
			}
			row("vocab", "%d", m.Vocab)
			row("context", "%d", m.Context)
		}
	}
	if a := i.Adapter; a != nil {
		row("adapter", "%s", out.T("inspect.adapter.of", a.Type, a.Rank, ui.Number(a.Alpha), strings.Join(a.Targets, " ")))
		row("base", "%s", a.Base)
		row("parameters", "%s", count(a.Parameters))
	}
	var types []string
	for _, s := range i.Types {
		types = append(types, out.T("inspect.types.of", s.Type, s.Tensors, count(s.Parameters), ui.Bytes(s.Bytes)))
	}
	row("types", "%s", strings.Join(types, "\n"))
	if q := i.Quantised; q != nil {
		row("quantised", "%s", out.T("inspect.quantised.of", q.Method, q.Bits, q.Group, or(q.Format, "—")))
	}
	if m := i.Memory; m != nil {
		row("memory", "%s", out.T("inspect.memory.of", ui.Bytes(m.Total), m.Context, ui.Bytes(m.Weights), ui.Bytes(m.Cache), ui.Bytes(m.Work)))
	}
	if k := i.Tokenizer; k != nil {
		row("tokenizer", "%s", out.T("inspect.tokenizer.of", k.Model, k.Tokens, k.Merges, or(k.Pattern, "—"), len(k.Special), k.Format))
		row("hash", "%.16s", k.Hash)
		if whole { // --tokenizer
			row("special", "%s", strings.Join(k.Special, " "))
			row("parts", "%s", strings.Join(k.Parts, ", "))
			row("around", "%s", around(k.Before, k.After))
		}
		for _, n := range k.Notes {
			row("note", "%s", n)
		}
	}
	if p := i.Template; p != nil {
		row("template", "%s", out.T("inspect.template.of", p.Bytes, or(p.BuiltIn, "—"), out.T(yes(p.Tools)), out.T(yes(p.Generation)))+"\n"+p.First)
	}
	if s := i.Shard; s != nil {
		row("shard", "%s", out.T("inspect.shard.of", s.Documents, count(s.Tokens), ui.Bytes(s.TextBytes), s.Vocab, or(s.Split, "—")))
		row("hash", "%.16s", s.TokenizerHash)
	}
	if k := i.Tokens; k != nil {
		row("tokens", "%s", out.T("inspect.tokens.of", k.Documents, count(k.Tokens), k.Largest, k.End))
		if k.Vocabulary > 0 {
			row("vocab", "%d", k.Vocabulary)
		}
		if k.Texts > 0 {
			row("texts", "%d", k.Texts)
		}
		row("hash", "%s", k.IDs)
	}
	if l := i.Lines; l != nil {
		row("lines", "%s", out.T("inspect.lines.of", l.Records, strings.Join(l.Members, " ")))
		row("looks", "%s", l.Looks)
	}
	if r := i.Run; r != nil {
		row("run", "%s", out.T("inspect.run.of", r.Name, r.Kind, out.T("value."+string(r.Status))))
	}
	for _, path := range i.Holds {
		row("holds", "%s", path)
	}
	if len(i.Unread) > 0 {
		row("unread", "%s", strings.Join(i.Unread, " "))
	}
	if v := i.Verified; v != nil {
		row("verified", "%s", out.T("inspect.verified.of", v.Tensors, count(v.Values), v.Broken, v.NotRead))
	}
	for _, p := range i.Problems {
		row("problem", "%s", p)
	}
	err := errors.Join(out.Result(t), showMetadata(out, i.Metadata), showTensors(out, i.Tensors), showFiles(out, i.Files))
	if p := i.Template; p != nil && p.Text != "" {
		out.Print("\n" + strings.TrimRight(p.Text, "\n") + "\n")
	}
	return err
}

// around shows the ids that a model expects about a text.
func around(before, after []int32) string {
	if len(before)+len(after) == 0 {
		return ""
	}
	return strings.TrimSpace(fmt.Sprintf("%v … %v", before, after))
}

func showFiles(out *ui.Out, list []step.FileFacts) error {
	if len(list) == 0 {
		return nil
	}
	t := ui.Table{Title: "\n" + out.T("inspect.files"), Columns: []ui.Column{{Name: out.T("field.file")}, {Name: out.T("inspect.size"), Right: true}, {Name: "SHA-256"}, {Name: out.T("inspect.compared")}}}
	for _, f := range list {
		compared := "—"
		if f.Expected != "" {
			compared = map[bool]string{true: "✓", false: "✗ " + f.Expected}[f.Expected == f.SHA256]
		}
		t.Rows = append(t.Rows, []string{f.Path, ui.Bytes(f.Bytes), f.SHA256, compared})
	}
	return out.Result(t)
}

func showMetadata(out *ui.Out, list []step.MetadataFact) error {
	if len(list) == 0 {
		return nil
	}
	t := ui.Table{Title: "\n" + out.T("inspect.metadata"), Columns: []ui.Column{{}, {}}}
	for _, m := range list {
		t.Rows = append(t.Rows, []string{m.Key, m.Value})
	}
	return out.Result(t)
}

func showTensors(out *ui.Out, list []step.TensorFacts) error {
	if len(list) == 0 {
		return nil
	}
	t := ui.Table{Title: "\n" + out.T("inspect.tensors"), Columns: []ui.Column{{}, {}, {}, {Right: true}}}
	if list[0].Stats != nil {
		t.Columns = []ui.Column{{Name: out.T("field.name")}, {Name: out.T("inspect.type")}, {Name: out.T("inspect.dimensions")}, {Name: out.T("inspect.size"), Right: true},
			{Name: out.T("inspect.mean"), Right: true}, {Name: out.T("inspect.std"), Right: true}, {Name: out.T("inspect.min"), Right: true}, {Name: out.T("inspect.max"), Right: true}}
	}
	for _, x := range list {
		cells := []string{x.Name, x.Type, fmt.Sprint(x.Shape), ui.Bytes(x.Bytes)}
		if s := x.Stats; s != nil {
			cells = append(cells, ui.Number(s.Mean), ui.Number(s.Std), ui.Number(s.Min), ui.Number(s.Max))
		} else if len(t.Columns) > 4 {
			cells = append(cells, "", "", "", "")
		}
		t.Rows = append(t.Rows, cells)
	}
	return out.Result(t)
}

func yes(b bool) string {
	if b {
		return "ui.yes"
	}
	return "ui.no"
}

// count writes a large number as people say it: 134.5 M.
func count(n int64) string {
	x := float64(n)
	for _, unit := range []string{"", " K", " M", " G", " T"} {
		if x < 999.5 || unit == " T" {
			if unit == "" {
				return fmt.Sprint(n)
			}
			return fmt.Sprintf("%.4g%s", x, unit)
		}
		x /= 1000
	}
	return fmt.Sprint(n)
}
