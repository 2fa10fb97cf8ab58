package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"lian/chain/step"
	"lian/cli/ui"
)

func init() { register(quantizeCommand) }

// quantizeCommand is lian quantize IN [OUT].
func quantizeCommand() *cobra.Command {
	var o step.QuantizeOptions
	return verb("quantize IN [OUT]", "verb.quantize", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		return out.Result(step.Quantize(ctx, args[0], strings.Join(args[1:], ""), o, slow(out)))
	})
}
