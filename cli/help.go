package cli

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lian/cli/ui"
	"lian/config"
	"lian/message"
)

// help is the help of a command in the user's language.
func help(out *ui.Out, cmd *cobra.Command) string {
	var b strings.Builder
	b.WriteString(out.T(cmd.Short) + "\n")
	if key := cmd.Short + ".long"; message.Has(key) {
		b.WriteString("\n" + strings.TrimRight(out.T(key), "\n") + "\n")
	}
	b.WriteString("\n" + out.T("help.usage") + "\n  " + useLine(cmd) + "\n")
	if key := cmd.Short + ".example"; message.Has(key) {
		b.WriteString("\n" + out.T("help.examples") + "\n" + indent(strings.TrimRight(out.T(key), "\n")) + "\n")
	}
	var rows [][]string
	for _, c := range cmd.Commands() {
		if !c.Hidden && c.Name() != "help" {
			rows = append(rows, []string{"  " + useLine(c), out.T(c.Short)})
		}
	}
	width := ui.Width(cmd.OutOrStdout())
	section := func(title string, rows [][]string) {
		if len(rows) > 0 {
			b.WriteString("\n" + out.T(title) + "\n" + ui.Table{Rows: rows}.String(width))
		}
	}
	section("help.commands", rows)
	section("help.settings", flagRows(out, cmd.LocalNonPersistentFlags()))
	section("help.everywhere", flagRows(out, cmd.Root().PersistentFlags()))
	return b.String()
}

// useLine is how a command is called.
func useLine(cmd *cobra.Command) string {
	line := cmd.UseLine()
	if cmd.HasAvailableSubCommands() && cmd.HasParent() {
		line = cmd.CommandPath() + " COMMAND"
	}
	return strings.TrimSuffix(line, " [flags]")
}

func indent(text string) string { return "  " + strings.ReplaceAll(text, "\n", "\n  ") }

// flagRows are the flags of a set: name, what it takes, what it does, its default.
func flagRows(out *ui.Out, flags *pflag.FlagSet) [][]string {
	var rows [][]string
	flags.SortFlags = false
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		name := "  --" + f.Name
		if f.Shorthand != "" {
			name = "  -" + f.Shorthand + ", --" + f.Name
		}
		if kind := f.Value.Type(); kind != "bool" {
			name += " " + placeholder(kind)
		}
		text := message.Help(out.Lang, f.Usage)
		if field, ok := config.FlagField(f); ok && field.Range != "" && field.Choices() == nil {
			text += " (" + field.Range + ")"
		}
		if d := strings.ReplaceAll(f.DefValue, "\n", `\n`); d != "" && d != "false" && d != "[]" && d != "{}" && d != "null" {
			text += " [" + d + "]"
		}
		rows = append(rows, []string{name, text})
	})
	return rows
}

// placeholder is what stands for a flag's value in help.
func placeholder(kind string) string {
	switch kind {
	case "string", "text", "any":
		return "TEXT"
	case "stringArray":
		return "PATH=VALUE"
	case "integer", "number", "int", "int32", "int64", "uint", "uint32", "uint64", "float32", "float64":
		return "N"
	}
	if strings.Contains(kind, "|") { // the values themselves
		return strings.Trim(kind, "|")
	}
	return strings.ToUpper(kind)
}

// helpCommand is "lian help VERB…", beside --help.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "help", Short: "verb.help", Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			target, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return unknownVerb(target, rest)
			}
			target.HelpFunc()(target, nil)
			return nil
		},
	}
}
