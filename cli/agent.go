package cli

import (
	"context"

	"github.com/spf13/cobra"

	"lian/chain/step"
	"lian/cli/ui"
)

func init() { register(agentCommand) }

// agentCommand is lian agent MODEL TASK.
func agentCommand() *cobra.Command {
	var o step.TaskOptions
	return verb("agent MODEL TASK", "verb.agent", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		transcript, err := step.WorkOn(ctx, args[0], args[1], o, out.Lang, out)
		out.Finish()
		if err != nil {
			return err
		}
		if out.JSON {
			return out.Result(transcript)
		}
		out.Print(transcript.Text(out.Lang))
		return nil
	})
}
