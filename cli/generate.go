package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"lian/chain/step"
	"lian/cli/ui"
)

func init() { register(generateCommand) }

// generateCommand is lian generate MODEL -p TEXT.
func generateCommand() *cobra.Command {
	var o step.GenerateOptions
	o.Sample.MaxTokens = 256
	var prompts []string // not a setting: a list of settings is split at commas
	command := verb("generate MODEL", "verb.generate", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		if (len(prompts) == 0) == (len(o.IDs) == 0) {
			return usage("needs either -p TEXT (- reads standard input) or --ids 1,2,3")
		}
		for i, p := range prompts {
			if p == "-" {
				var err error
				if prompts[i], err = readInput(out); err != nil {
					return err
				}
			}
		}
		streaming, begun := !out.JSON && len(prompts) <= 1, false
		var show func(int, string)
		sink := slow(out)
		if streaming {
			sink = quiet
			show = func(_ int, piece string) {
				begun = true
				io.WriteString(out.Stdout(), piece)
			}
		}
		results, err := step.Generate(ctx, args[0], prompts, o, show, sink)
		if err != nil {
			if begun { // an interrupted line ends
				io.WriteString(out.Stdout(), "\n")
			}
			return err
		}
		if out.JSON {
			return out.Result(results)
		}
		for i, r := range results {
			if streaming {
				io.WriteString(out.Stdout(), "\n")
			} else {
				io.WriteString(out.Stdout(), out.T("generate.prompt", i+1, r.Prompt)+"\n"+r.Text+"\n\n")
			}
			noteSpeed(out, r.Finish, r.PromptTokens, r.Tokens, r.Timings)
		}
		return nil
	})
	command.Flags().StringArrayVarP(&prompts, "prompt", "p", nil, "text to continue, - for standard input; several run at once")
	return command
}

// noteSpeed says how a reply ended and how fast it came.
func noteSpeed(out *ui.Out, finish string, prompt, reply int, t step.Timings) {
	out.Note("generate.speed", prompt, t.PrefillTokensPS, reply, t.DecodeTokensPS, out.T("finish."+finish))
}
