package cli

import (
	"context"

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
		return out.Result(step.Perplexity(ctx, args[0], args[1:], o, slow(out)))
	})
}
