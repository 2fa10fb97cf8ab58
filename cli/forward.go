package cli

import (
	"context"

	"github.com/spf13/cobra"

	"lian/chain/step"
	"lian/cli/ui"
)

func init() { register(forwardCommand) }

// forwardCommand is lian forward MODEL.
func forwardCommand() *cobra.Command {
	var o step.ForwardOptions
	return verb("forward MODEL", "verb.forward", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		switch {
		case len(o.IDs) == 0:
			return usage("--ids: needs token ids, such as --ids 1,2,3; lian tokenizer encode MODEL TEXT gives them")
		case o.Out == "":
			return usage("--out: needs the name of a .safetensors file to write")
		}
		return out.Result(step.Forward(args[0], o))
	})
}
