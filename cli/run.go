package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"

	"lian/chain"
	"lian/chain/report"
	"lian/chain/step"
	"lian/cli/ui"
	"lian/event"
	"lian/message"
)

func init() { register(runCommand) }

// runFlags are what a recipe can be run with.
type runFlags struct {
	set    []string
	runs   string
	name   string
	from   string
	dryRun bool
}

func (f *runFlags) bind(command *cobra.Command) {
	flags := command.Flags()
	flags.StringArrayVar(&f.set, "set", nil, "change a dial (minutes=2) or a step's setting (finetune.lr=0.001); may be repeated")
	flags.StringVar(&f.runs, "runs", "runs", "folder of runs")
	flags.StringVar(&f.name, "name", "", "name of the run, instead of the recipe's")
	flags.StringVar(&f.from, "from", "", "run this step and what follows from it even if nothing changed")
	flags.BoolVar(&f.dryRun, "dry-run", false, "only say what would run and why")
}

// runCommand is lian run RECIPE.
func runCommand() *cobra.Command {
	var f runFlags
	command := verb("run RECIPE", "verb.run", nil, func(ctx context.Context, args []string, out *ui.Out) error {
		recipe, err := chain.Load(args[0])
		if err != nil {
			return err
		}
		return f.run(ctx, recipe, "lian run "+quoted(args[0])+f.text(), out)
	})
	f.bind(command)
	return command
}

// text is the flags as they are typed, for the command that goes on. --from is left
// out: what it asked for is remembered by the run itself.
func (f *runFlags) text() string {
	var b strings.Builder
	for _, s := range f.set {
		b.WriteString(" --set " + quoted(s))
	}
	if f.runs != "runs" {
		b.WriteString(" --runs " + quoted(f.runs))
	}
	if f.name != "" {
		b.WriteString(" --name " + quoted(f.name))
	}
	return b.String()
}

// quoted is an argument as a shell takes it.
func quoted(s string) string {
	if s != "" && !strings.ContainsAny(s, " \t\n'\"\\$&|;<>(){}[]*?!#`~") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// run runs a recipe and keeps its report card up to date.
func (f *runFlags) run(ctx context.Context, recipe *chain.Recipe, command string, out *ui.Out) error {
	show := &runView{out: out}
	status, err := chain.Run(ctx, recipe, step.Kinds(), chain.Options{
		Runs: f.runs, Name: f.name, Set: f.set, From: f.from, DryRun: f.dryRun, Command: command,
		Sink: event.Func(show.event),
		Refresh: func(s chain.Status) error {
			show.begin(s)
			card, err := cardOf(s, out.Lang)
			if err != nil {
				return err
			}
			return report.Write(s.Dir, card)
		},
	})
	out.Finish()
	if err != nil {
		return goesOn(err)
	}
	if f.dryRun {
		return out.Result(dryRun(status, out))
	}
	if show.cached > 0 {
		out.Note("chain.cached", show.cached, len(status.Steps))
	}
	card, err := cardOf(status, out.Lang)
	if err != nil {
		return err
	}
	if out.JSON {
		return out.Result(status)
	}
	out.Say("report.saved", filepath.Join(status.Dir, report.HTMLFile))
	for _, next := range card.Run.Next {
		out.Say("chain.next", out.T(next.Key), next.Text)
	}
	return nil
}

// cardOf is the report card of a run: in Chinese when the person or the documents are.
func cardOf(s chain.Status, lang string) (*report.Card, error) {
	card, err := report.Collect(s, "")
	if err != nil {
		return nil, err
	}
	if lang == message.Chinese || card.Lang != message.Chinese {
		card.Lang = lang
	}
	if s.Finished {
		card.Run.Next = nextCommands(s)
	}
	return card, nil
}

// nextCommands are what to try with the model that a run made.
func nextCommands(s chain.Status) (next []report.Command) {
	program := os.Args[0]
	if !strings.ContainsRune(program, filepath.Separator) {
		program = "lian"
	}
	for _, st := range s.Steps {
		model := filepath.Join(st.Dir, "model-q8_0.gguf")
		if _, err := os.Stat(model); st.Uses != "quantize" || err != nil {
			continue
		}
		next = append(next,
			report.Command{Key: "report.next.chat", Text: program + " chat " + quoted(model)},
			report.Command{Key: "report.next.serve", Text: program + " serve " + quoted(model)})
	}
	if len(next) > 0 {
		next = append(next, report.Command{Key: "report.next.own", Text: program + " demo --corpus DIR"})
	}
	return next
}

// runView prints a line for each step.
type runView struct {
	out    *ui.Out
	begun  bool
	cached int
}

func (v *runView) begin(s chain.Status) {
	if !v.begun {
		v.begun = true
		v.out.Note("chain.report", filepath.Join(s.Dir, report.HTMLFile))
	}
}

func (v *runView) event(kind string, payload any) {
	if n, ok := payload.(chain.Note); ok {
		v.out.Note("chain.note", n.Text)
		return
	}
	s, ok := payload.(chain.StepStatus)
	if kind != chain.KindStep || !ok {
		v.out.Emit(kind, payload)
		return
	}
	name := s.Name
	if message.Has("report.stage." + s.Name) {
		name = v.out.T("report.stage." + s.Name)
	}
	switch s.State {
	case chain.Cached:
		v.cached++
	case chain.Running:
		if s.Attempts > 1 {
			v.out.Note("chain.resumes", name)
		}
	case chain.Done:
		v.out.Finish()
		v.out.Note("chain.done", runewidth.FillRight(name, 18), fmt.Sprintf("%.1f", s.Wall), s.PeakMemory>>20)
	}
}

// dryLine is one step of a dry run.
type dryLine struct {
	Step   string `json:"step"`
	Uses   string `json:"uses"`
	Runs   bool   `json:"runs"`
	Reason string `json:"reason"`
}

func dryRun(s chain.Status, out *ui.Out) []dryLine {
	var lines []dryLine
	for _, st := range s.Steps {
		lines = append(lines, dryLine{Step: st.Name, Uses: st.Uses, Runs: st.State != chain.Cached, Reason: st.Reason})
	}
	return lines
}
