package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"lian/cli/ui"
	"lian/config"
	"lian/store"
)

// verb makes a command.
//
//	use      "quantize IN OUT": the name and its arguments. "FILE..." is one or
//	         more, "[FILE]" may be left out, "[FILE...]" any number
//	short    the key of its one-line help in the message table, such as
//	         "verb.quantize"; "verb.quantize.long" and "verb.quantize.example" are
//	         shown too if they exist
//	options  a pointer to a struct with config tags, or nil. Its fields become
//	         flags; --config, --set and --write-config come with them
//	run      does it. options hold, from weakest to strongest, the defaults, the
//	         file, --set, the flags, and are checked
func verb(use, short string, options any, run func(ctx context.Context, args []string, out *ui.Out) error) *cobra.Command {
	command := &cobra.Command{Use: use, Short: short, Args: arguments(use)}
	command.Flags().SortFlags = false // help keeps the order of the struct
	var settings settingsFlags
	command.RunE = func(cmd *cobra.Command, args []string) error {
		out := invocation(cmd.Context()).out
		if options != nil {
			if err := settings.resolve(cmd, options); err != nil {
				return usageError{err}
			}
			if settings.write != "" {
				return settings.save(options, out)
			}
		}
		return run(cmd.Context(), args, out)
	}
	if options == nil {
		return command
	}
	if err := config.Defaults(options); err != nil {
		panic(fmt.Sprintf("%s: %v", use, err)) // a wrong tag; every test of the tree finds it
	}
	if err := config.BindFlags(command.Flags(), options); err != nil {
		panic(fmt.Sprintf("%s: %v", use, err))
	}
	for _, f := range config.Fields(options) {
		if choices := f.Choices(); choices != nil {
			if err := command.RegisterFlagCompletionFunc(f.Flag(), cobra.FixedCompletions(choices, cobra.ShellCompDirectiveNoFileComp)); err != nil {
				panic(fmt.Sprintf("%s: %v", use, err))
			}
		}
	}
	settings.bind(command, len(config.Fields(options)) > 0)
	return command
}

// family makes a command that only holds others: "runs" over list, show, diff.
func family(use, short string, verbs ...*cobra.Command) *cobra.Command {
	command := &cobra.Command{
		Use: use, Short: short, Args: unknownVerb,
		RunE: func(cmd *cobra.Command, args []string) error {
			cmd.HelpFunc()(cmd, args)
			return nil
		},
	}
	command.AddCommand(verbs...)
	return command
}

// argument is one part of a use line: NAME, NAME..., [NAME] or [NAME...]. Alternatives
// are written NAME|OTHER.
var argument = regexp.MustCompile(`^(\[)?([A-Z][A-Z0-9_|]*)(\.\.\.)?(\])?$`)

// arguments checks the number of arguments against the use line.
func arguments(use string) cobra.PositionalArgs {
	least, most := 0, 0
	var names []string
	for _, part := range strings.Fields(use)[1:] {
		m := argument.FindStringSubmatch(part)
		if m == nil {
			panic(fmt.Sprintf("%q: %q is neither NAME, NAME..., [NAME] nor [NAME...]", use, part))
		}
		names = append(names, part)
		if m[1] == "" {
			least++
		}
		if m[3] != "" {
			most = 1 << 30
		} else if most < 1<<30 {
			most++
		}
	}
	return func(cmd *cobra.Command, args []string) error {
		if cmd.Flags().Changed("write-config") && len(args) <= most {
			return nil // only writes the settings
		}
		switch {
		case len(args) < least:
			return usage("%s: needs %s", cmd.CommandPath(), strings.Join(names[len(args):], " "))
		case len(args) > most:
			return usage("%s: %q is too many; it takes %s", cmd.CommandPath(), args[most], or(strings.Join(names, " "), "no arguments"))
		}
		return nil
	}
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// settingsFlags are the flags that come with every struct of settings. A struct
// that has a field of the same name keeps it for itself.
type settingsFlags struct {
	config string
	write  string
	set    []string
}

func (s *settingsFlags) bind(command *cobra.Command, any bool) {
	flags := command.Flags()
	if flags.Lookup("config") == nil && any {
		flags.StringVar(&s.config, "config", "", "settings from a YAML file")
	}
	if flags.Lookup("set") == nil && any {
		flags.StringArrayVar(&s.set, "set", nil, "one setting as path=value; may be repeated")
	}
	if flags.Lookup("write-config") == nil && any {
		flags.StringVar(&s.write, "write-config", "", "write the resolved settings to a YAML file (- for standard output) and stop")
	}
}

// resolve fills the settings from the file, --set and the flags, in that order, and
// checks them.
func (s *settingsFlags) resolve(cmd *cobra.Command, options any) error {
	if s.config != "" {
		text, err := os.ReadFile(s.config)
		if err != nil {
			return fmt.Errorf("--config: %w", err)
		}
		if err := config.Decode(text, s.config, options); err != nil {
			return err
		}
	}
	for _, assignment := range s.set {
		if err := config.Set(options, assignment); err != nil {
			return fmt.Errorf("--set %w", err)
		}
	}
	if err := config.ApplyFlags(cmd.Flags()); err != nil {
		return err
	}
	return config.Validate(options)
}

// save writes the resolved settings for --write-config.
func (s *settingsFlags) save(options any, out *ui.Out) error {
	text := config.Marshal(options)
	if s.write == "-" {
		_, err := out.Stdout().Write(text)
		return err
	}
	if _, err := os.Stat(s.write); err == nil {
		return usage("--write-config: %s exists already; remove it first, or name another file", s.write)
	} else if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := store.WriteFile(s.write, text); err != nil {
		return err
	}
	out.Note("root.wrote", s.write)
	return nil
}
