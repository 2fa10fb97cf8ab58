package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"lian/cli/ui"
	"lian/store"
)

// runsDir is where runs are made and looked for, below the working folder.
const runsDir = "runs"

// link is one of the six links of the chain, or what surrounds them, with its verbs
// in the order in which they are shown.
type link struct {
	Key   string
	Verbs []string
}

var links = []link{
	{"link.all", []string{"demo", "run", "compare"}},
	{"link.data", []string{"data", "tokenizer"}},
	{"link.pretrain", []string{"pretrain"}},
	{"link.finetune", []string{"finetune", "merge"}},
	{"link.evaluate", []string{"eval", "perplexity"}},
	{"link.deploy", []string{"quantize", "convert", "chat", "generate", "embed", "rerank", "serve"}},
	{"link.agent", []string{"agent", "mcp"}},
	{"link.around", []string{"inspect", "forward", "template", "bench", "models", "runs", "doctor", "version", "completion"}},
}

// present is what exists in the working folder and in LIAN_HOME.
type present struct {
	Links  []linkVerbs   `json:"links"`
	Runs   []store.Entry `json:"runs"`
	Models []string      `json:"models"`
	Next   []string      `json:"next"` // commands, the best first
}

// linkVerbs are the verbs of a link that this build has.
type linkVerbs struct {
	Link  string   `json:"link"`
	Verbs []string `json:"verbs"`
}

// overview is "lian" alone: the six links, what exists here and what to do next.
func overview(ctx context.Context, root *cobra.Command, out *ui.Out) error {
	var p present
	for _, l := range links {
		verbs := slices.DeleteFunc(slices.Clone(l.Verbs), func(name string) bool { return !hasVerb(root, name) })
		if len(verbs) > 0 {
			p.Links = append(p.Links, linkVerbs{strings.TrimPrefix(l.Key, "link."), verbs})
		}
	}
	var problems error
	if p.Runs, problems = runsHere(runsDir); problems != nil {
		out.Note("overview.unreadable", problems)
	}
	var err error
	if p.Models, err = modelsAtHome(); err != nil {
		return err
	}
	p.Next = next(root, p)
	if out.JSON {
		return out.Result(p)
	}
	show(root, out, p)
	return nil
}

func show(root *cobra.Command, out *ui.Out, p present) {
	out.Say("overview.title")
	var rows [][]string
	for _, l := range p.Links {
		for i, name := range l.Verbs {
			title := ""
			if i == 0 {
				title = out.T("link." + l.Link)
			}
			command, _, err := root.Find([]string{name})
			if err != nil {
				continue
			}
			rows = append(rows, []string{title, "lian " + command.Name(), out.T(command.Short)})
		}
	}
	out.Print("\n")
	out.Table(ui.Table{Rows: rows})
	out.Print("\n")
	out.Say("overview.here")
	switch {
	case len(p.Runs) == 0 && len(p.Models) == 0:
		out.Print("  " + out.T("overview.empty") + "\n")
	default:
		const shown = 8
		t := ui.Table{}
		for _, r := range p.Runs[:min(shown, len(p.Runs))] {
			t.Rows = append(t.Rows, []string{"  " + filepath.Join(runsDir, r.Name), r.Kind, out.T("value." + string(r.Status)), r.Created.Local().Format("2006-01-02 15:04")})
		}
		for _, m := range p.Models {
			t.Rows = append(t.Rows, []string{"  " + m, out.T("overview.model")})
		}
		out.Table(t)
		if more := len(p.Runs) - shown; more > 0 {
			out.Print("  " + out.T("overview.more_runs", more) + "\n")
		}
	}
	if len(p.Next) > 0 {
		out.Print("\n")
		out.Say("overview.next")
		for _, command := range p.Next {
			out.Print("  " + command + "\n")
		}
	}
	out.Print("\n" + out.T("overview.help") + "\n")
}

// hasVerb says whether this build has a verb.
func hasVerb(root *cobra.Command, name string) bool {
	return slices.ContainsFunc(root.Commands(), func(c *cobra.Command) bool { return c.Name() == name })
}

// runsHere reads the runs in a folder, newest first. Those that cannot be read are
// named in the error; the others are returned.
func runsHere(dir string) ([]store.Entry, error) {
	children, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var entries []store.Entry
	var problems []error
	for _, child := range children {
		e, err := store.ReadEntry(filepath.Join(dir, child.Name()))
		switch {
		case err == nil:
			entries = append(entries, e)
		case !errors.Is(err, fs.ErrNotExist):
			problems = append(problems, err)
		}
	}
	slices.SortFunc(entries, func(a, b store.Entry) int { return b.Created.Compare(a.Created) })
	return entries, errors.Join(problems...)
}

// modelsAtHome lists the models in LIAN_HOME.
func modelsAtHome() ([]string, error) {
	children, err := os.ReadDir(filepath.Join(store.Home(), "models"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var models []string
	for _, child := range children {
		if !strings.HasPrefix(child.Name(), ".") {
			models = append(models, child.Name())
		}
	}
	return models, nil
}

// demoKind is the kind of the run that lian demo makes.
const demoKind = "recipe demo"

// next is what one would do now: finish what was stopped, use what is done, or begin.
func next(root *cobra.Command, p present) []string {
	var commands []string
	suggest := func(verb string, rest ...string) {
		if hasVerb(root, verb) {
			commands = append(commands, strings.Join(append([]string{"lian", verb}, rest...), " "))
		}
	}
	newest := func(status store.Status) (store.Entry, bool) {
		i := slices.IndexFunc(p.Runs, func(e store.Entry) bool { return e.Status == status })
		if i < 0 {
			return store.Entry{}, false
		}
		return p.Runs[i], true
	}
	if r, ok := newest(store.StatusStopped); ok {
		if r.Kind == demoKind {
			suggest("demo")
		} else {
			suggest("runs", "show", r.Name)
		}
	}
	if r, ok := newest(store.StatusDone); ok {
		path := filepath.ToSlash(filepath.Join(runsDir, r.Name))
		suggest("chat", path)
		suggest("serve", path)
	}
	if len(commands) == 0 {
		suggest("demo")
	}
	return commands
}
