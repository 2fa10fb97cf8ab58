package cli

import (
	"context"

	"github.com/spf13/cobra"

	"lian/chain/step"
	"lian/cli/ui"
)

func init() { register(quantizeCommand) }

type quantizeOptions struct {
	Type string `yaml:"type" help:"mix of types: f32 f16 bf16 q8_0 q6_k q5_k_m q5_1 q5_0 q4_k_m q4_1 q4_0" default:"q4_k_m"`
}

// quantizeCommand is lian quantize IN OUT.
func quantizeCommand() *cobra.Command {
	var o quantizeOptions
	return verb("quantize IN OUT", "verb.quantize", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		return out.Result(step.Quantize(ctx, args[0], args[1], o.Type, out))
	})
}
