package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"lian/chain/step"
	"lian/cli/ui"
	"lian/event"
)

func init() { register(quantizeCommand) }

// quantizeCommand is lian quantize IN [OUT].
func quantizeCommand() *cobra.Command {
	var o step.QuantizeOptions
	return verb("quantize IN [OUT]", "verb.quantize", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		progress := slow(out)
		return out.Result(step.Quantize(ctx, args[0], strings.Join(args[1:], ""), o, event.Func(func(kind string, payload any) {
			if kind == step.KindUnverified {
				out.Note(step.KindUnverified, payload)
			}
			progress.Emit(kind, payload)
		})))
	})
}
