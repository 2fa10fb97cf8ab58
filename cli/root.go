// Package cli is the command line: one file for each verb, which reads settings,
// calls a package and prints what it returns.
//
// It guarantees the same manners everywhere: --json puts results as JSON lines on
// standard output and everything else on standard error; exit status 0 is done, 1
// failed, 2 wrong usage; Ctrl-C leaves a state from which the same command goes
// on; a misspelt verb, flag or setting is answered with the nearest right one; help
// is in English and Chinese. It refuses to hold logic: what a verb does lives in
// the package that it calls, and the wiring of several in chain/step.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lian/cli/ui"
	"lian/config"
	"lian/message"
	"lian/store"
)

// The exit statuses.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// shared is what all verbs of one invocation have in common.
type shared struct {
	out     *ui.Out
	lang    string
	json    bool
	quiet   bool
	verbose bool
}

type sharedKey struct{}

// invocation is the shared state of the invocation that a verb runs in.
func invocation(ctx context.Context) *shared { return ctx.Value(sharedKey{}).(*shared) }

// Main runs one command line, without the program's name, and returns its exit
// status.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	store.Version = Version()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s := &shared{lang: language(args)}
	s.out = ui.New(s.lang, false, stdout, stderr)
	s.out.In = stdin
	detach := context.AfterFunc(ctx, func() {
		stop() // a second Ctrl-C ends the process at once
		s.out.Note("root.stopping")
	})
	defer detach() // before stop, which cancels too
	root := newRoot(s)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	command, err := root.ExecuteContextC(context.WithValue(ctx, sharedKey{}, s))
	interrupted := ctx.Err() != nil
	s.out.Finish()
	return s.report(command, err, interrupted)
}

// report prints why a command failed and chooses the exit status.
func (s *shared) report(command *cobra.Command, err error, interrupted bool) int {
	if err == nil {
		return exitDone
	}
	w := s.out.Stderr()
	if interrupted && errors.Is(err, context.Canceled) {
		key := "root.interrupted"
		if goesOn := (goesOnError{}); errors.As(err, &goesOn) {
			key = "root.goes_on"
		}
		fmt.Fprintln(w, s.out.T(key))
		return exitFailed
	}
	fmt.Fprintf(w, "lian: %v\n", err)
	var wrong usageError
	if errors.As(err, &wrong) {
		fmt.Fprintln(w, s.out.T("root.see_help", command.CommandPath()))
		return exitUsage
	}
	return exitFailed
}

// language is that of --lang, which help needs before flags are parsed, or else
// that of the environment.
func language(args []string) string {
	for i, arg := range args {
		if arg == "--" {
			break
		}
		if value, ok := strings.CutPrefix(arg, "--lang="); ok && slices.Contains(message.Languages, value) {
			return value
		}
		if arg == "--lang" && i+1 < len(args) && slices.Contains(message.Languages, args[i+1]) {
			return args[i+1]
		}
	}
	return message.Detect(os.Getenv)
}

func init() { cobra.EnableCommandSorting = false } // help keeps our order

// constructors make the verbs; each verb's file registers its own.
var constructors []func() *cobra.Command

// register adds a verb; a file of a verb calls it in init.
func register(f func() *cobra.Command) { constructors = append(constructors, f) }

// newRoot builds the command tree.
func newRoot(s *shared) *cobra.Command {
	root := &cobra.Command{
		Use:           "lian",
		Short:         "root.short",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			return unknownVerb(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return overview(cmd.Context(), cmd, s.out)
		},
		PersistentPreRunE: func(cmd *cobra.Command, args []string) error { return s.prepare() },
	}
	root.CompletionOptions.DisableDefaultCmd = true
	flags := root.PersistentFlags()
	flags.BoolVar(&s.json, "json", false, "results as JSON lines on standard output")
	flags.BoolVarP(&s.quiet, "quiet", "q", false, "no progress and no notes")
	flags.BoolVar(&s.verbose, "verbose", false, "log what is done on standard error")
	flags.StringVar(&s.lang, "lang", s.lang, "language of texts: en or zh")
	flags.BoolP("help", "h", false, "show this help")
	root.SetGlobalNormalizationFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		return pflag.NormalizedName(strings.ReplaceAll(name, "_", "-"))
	})
	root.SetFlagErrorFunc(flagError)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { fmt.Fprint(cmd.OutOrStdout(), help(s.out, cmd)) })
	root.SetUsageFunc(func(cmd *cobra.Command) error {
		_, err := fmt.Fprint(cmd.ErrOrStderr(), help(s.out, cmd))
		return err
	})
	for _, f := range constructors {
		root.AddCommand(f())
	}
	root.SetHelpCommand(helpCommand(root))
	return root
}

// prepare applies the flags that all verbs share.
func (s *shared) prepare() error {
	if !slices.Contains(message.Languages, s.lang) {
		return usage("--lang: expected one of %s, found %q", strings.Join(message.Languages, ", "), s.lang)
	}
	s.out.Lang, s.out.JSON, s.out.Quiet = s.lang, s.json, s.quiet
	level := slog.LevelWarn
	if s.verbose {
		level = slog.LevelDebug
	}
	slog.SetDefault(slog.New(slog.NewTextHandler(s.out.Stderr(), &slog.HandlerOptions{Level: level})))
	return nil
}

// goesOnError is a failure of work that the same command takes up where it stopped.
type goesOnError struct{ err error }

func (e goesOnError) Error() string { return e.err.Error() }
func (e goesOnError) Unwrap() error { return e.err }

// goesOn marks the error, if there is one, of a verb that keeps what it has done.
func goesOn(err error) error {
	if err == nil {
		return nil
	}
	return goesOnError{err}
}

// usageError is a mistake in how a verb was called; it makes the exit status 2.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// usage is an error in how a verb was called.
func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// flagError names the nearest flag that exists.
func flagError(cmd *cobra.Command, err error) error {
	var missing *pflag.NotExistError
	if errors.As(err, &missing) {
		name := missing.GetSpecifiedName()
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if near := config.Nearest(name, names); near != "" {
			return usage("--%s: no such flag of %s; did you mean --%s?", name, cmd.CommandPath(), near)
		}
		return usage("--%s: no such flag of %s", name, cmd.CommandPath())
	}
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		return usage("--%s: %w", invalid.GetFlag().Name, invalid.Unwrap())
	}
	var lacking *pflag.ValueRequiredError
	if errors.As(err, &lacking) {
		return usage("--%s: needs a value", lacking.GetFlag().Name)
	}
	return usageError{err}
}

// unknownVerb refuses arguments where a verb belongs, and names the nearest.
func unknownVerb(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		if !c.Hidden {
			names = append(names, c.Name())
		}
	}
	if near := config.Nearest(args[0], names); near != "" {
		return usage("%s %s: no such command; did you mean %s %s?", cmd.CommandPath(), args[0], cmd.CommandPath(), near)
	}
	return usage("%s %s: no such command; there are %s", cmd.CommandPath(), args[0], strings.Join(names, ", "))
}
