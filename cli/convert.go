package cli

import (
	"context"

	"github.com/spf13/cobra"

	"lian/chain/step"
	"lian/cli/ui"
)

func init() { register(convertCommand) }

// convertCommand is lian convert IN OUT.
func convertCommand() *cobra.Command {
	var o step.ConvertOptions
	return verb("convert IN OUT", "verb.convert", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		return out.Result(step.Convert(ctx, args[0], args[1], o, slow(out)))
	})
}
