package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"lian/chain/step"
	"lian/cli/talk"
	"lian/cli/ui"
)

func init() { register(chatCommand) }

// chatCommand is lian chat MODEL.
func chatCommand() *cobra.Command {
	var o step.ChatOptions
	var turns []string // not a setting: a list of settings is split at commas
	command := verb("chat MODEL", "verb.chat", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		for i, p := range turns {
			if p == "-" {
				var err error
				if turns[i], err = readInput(out); err != nil {
					return err
				}
			}
			if strings.TrimSpace(turns[i]) == "" {
				return usage("--prompt: there is nothing to say: the text is empty")
			}
		}
		if o.Plan {
			return out.Result(step.PlanChat(args[0], o))
		}
		c, err := step.OpenChat(args[0], o)
		if err != nil {
			return err
		}
		defer c.Close()
		if o.Fit {
			out.Note("chat.fit", c.Context())
		}
		if c.StandIn() != "" {
			out.Note("template.stand_in", c.Name(), c.StandIn())
		}
		if o.Load != "" {
			out.Note("chat.loaded", len(c.Messages), o.Load)
		}
		t := talk.New(c, o, out)
		if len(turns) > 0 {
			return t.Ask(ctx, turns)
		}
		return t.Loop(ctx)
	})
	command.Flags().StringArrayVarP(&turns, "prompt", "p", nil, "say this and stop after the answer, - for standard input; several are one conversation")
	return command
}
