package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"lian/config"
)

func init() { register(completionCommand) }

var shells = []string{"bash", "zsh", "fish", "powershell"}

// completionCommand is lian completion SHELL. It is no verb, because it needs the
// whole tree of commands.
func completionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "completion SHELL", Short: "verb.completion",
		ValidArgs: shells,
		Args:      arguments("completion SHELL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			root, w := cmd.Root(), cmd.OutOrStdout()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(w, true)
			case "zsh":
				return root.GenZshCompletion(w)
			case "fish":
				return root.GenFishCompletion(w, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(w)
			}
			near := ""
			if n := config.Nearest(args[0], shells); n != "" {
				near = fmt.Sprintf("; did you mean %s?", n)
			}
			return usage("%s: expected one of %s%s", args[0], strings.Join(shells, ", "), near)
		},
	}
}
