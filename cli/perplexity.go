package cli

import (
	"context"
	"fmt"
	"math"

	"github.com/spf13/cobra"

	"lian/chain/step"
	"lian/cli/ui"
)

func init() { register(perplexityCommand) }

// perplexityCommand is lian perplexity MODEL FILE....
func perplexityCommand() *cobra.Command {
	var o step.PerplexityOptions
	return verb("perplexity MODEL FILE...", "verb.perplexity", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		if o.Against != "" {
			return out.Result(step.Divergence(ctx, args[0], args[1:], o, slow(out)))
		}
		rows, err := step.Perplexity(ctx, args[0], args[1:], o, slow(out))
		if err != nil || out.JSON {
			return out.Result(rows, err)
		}
		return out.Result(perplexityTable(out, rows, o))
	})
}

// perplexityTable is what differs from file to file in columns, under what does not.
func perplexityTable(out *ui.Out, rows []step.PerplexityRow, o step.PerplexityOptions) ui.Table {
	rule := out.T("perplexity.documents")
	switch {
	case o.Chunk > 0:
		rule = out.T("perplexity.chunks", o.Chunk)
	case o.Stride > 0:
		rule = out.T("perplexity.strides", o.Window, o.Stride)
	case o.Window > 0:
		rule = out.T("perplexity.windows", o.Window)
	}
	t := ui.Table{Title: out.T("perplexity.about", rows[0].Model, rows[0].Precision, rows[0].KV, rule), Columns: []ui.Column{{Name: out.T("field.file")}}}
	for _, name := range []string{"bits_per_byte", "perplexity", "tokens", "bytes", "documents", "seconds"} {
		t.Columns = append(t.Columns, ui.Column{Name: out.T("field." + name), Right: true})
	}
	for _, r := range rows {
		name := r.File
		if name == step.PerplexityTotal {
			name = out.T("perplexity.total")
		}
		spread := fmt.Sprintf("%.2g", r.Error)
		if r.Error >= 100 {
			spread = ui.Number(math.Round(r.Error))
		}
		t.Rows = append(t.Rows, []string{name, ui.Number(r.BitsPerByte), ui.Number(r.Perplexity) + " ± " + spread,
			fmt.Sprint(r.Tokens), fmt.Sprint(r.Bytes), fmt.Sprint(r.Documents), ui.Number(r.Seconds)})
	}
	return t
}
