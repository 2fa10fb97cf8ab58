package cli

import (
	"context"

	"github.com/spf13/cobra"

	"lian/chain/step"
	"lian/cli/ui"
)

func init() { register(rerankCommand) }

// rerankCommand is lian rerank MODEL FILE.
func rerankCommand() *cobra.Command {
	var o step.RerankOptions
	return verb("rerank MODEL FILE", "verb.rerank", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		if o.Query == "" {
			return usage("--query: needs what the documents are to answer")
		}
		documents, err := textsOf(args[1], out)
		if err != nil {
			return err
		}
		list, method, err := step.Rerank(ctx, args[0], documents, o, slow(out))
		out.Finish()
		if err != nil {
			return err
		}
		if !out.JSON {
			out.Note("rerank.method", out.T("value."+string(method)))
			return out.Result(list, nil)
		}
		for _, d := range list {
			if err := out.Line(d); err != nil {
				return err
			}
		}
		return nil
	})
}
