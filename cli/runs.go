package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"lian/chain/step"
	"lian/cli/ui"
	"lian/config"
	"lian/store"
	"lian/train/history"
)

func init() { register(runsCommand) }

// runsCommand is lian runs and what it holds.
func runsCommand() *cobra.Command {
	return family("runs", "verb.runs", runsListCommand(), runsShowCommand(), runsDiffCommand(), runsPlotCommand(), runsReportCommand(), runsTensorBoardCommand(), runsWhyCommand())
}

// runsListOptions chooses what lian runs list shows.
type runsListOptions struct {
	Directories []string `yaml:"dir" help:"folders of runs to read again before listing" default:"runs"`
	Kind        string   `yaml:"kind" help:"only runs of this kind"`
	Status      string   `yaml:"status" help:"only runs in this state" range:"|done|running|stopped"`
	Limit       int      `yaml:"limit" help:"at most this many; 0 for all" default:"50" range:"0.."`
}

// listed is a run as the list shows it.
type listed struct {
	Name    string       `json:"name"`
	Kind    string       `json:"kind"`
	Status  store.Status `json:"status"`
	Created string       `json:"created"`
	Took    string       `json:"took,omitempty"`
	Path    string       `json:"path"`
	Reason  string       `json:"reason,omitempty"`
}

func runsListCommand() *cobra.Command {
	var o runsListOptions
	return verb("list", "verb.runs.list", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		index, err := openIndex(out)
		if err != nil {
			return err
		}
		defer index.Close()
		if _, err := index.Rebuild(ctx, o.Directories...); err != nil {
			out.Note("overview.unreadable", err)
		}
		entries, err := index.List(ctx, store.Filter{Kind: o.Kind, Status: store.Status(o.Status), Limit: o.Limit + min(o.Limit, 1)})
		if err != nil {
			return err
		}
		if o.Limit > 0 && len(entries) > o.Limit {
			entries = entries[:o.Limit]
			out.Note("runs.more", o.Limit)
		}
		if out.JSON {
			return out.Result(entries)
		}
		rows := []listed{}
		for _, e := range entries {
			row := listed{Name: e.Name, Kind: e.Kind, Status: e.Status, Created: e.Created.Local().Format("2006-01-02 15:04"), Path: e.Path, Reason: e.Reason}
			if !e.Finished.IsZero() {
				row.Took = ui.Duration(e.Finished.Sub(e.Created))
			}
			rows = append(rows, row)
		}
		return out.Result(rows)
	})
}

func openIndex(out *ui.Out) (*store.Index, error) {
	index, err := store.OpenIndex(store.Home())
	if err == nil && index.Replaced != "" {
		out.Note("runs.replaced", index.Replaced)
	}
	return index, err
}

// shown is a run with its settings.
type shown struct {
	store.Entry
	Training []history.Figure `json:"training,omitempty"` // what it came to, where something was trained
	Files    []file           `json:"files"`
	Settings json.RawMessage  `json:"settings"`
}

// file is a file that a run made.
type file struct {
	Name string `json:"file"`
	Size int64  `json:"size"` // bytes
}

func runsShowCommand() *cobra.Command {
	return verb("show RUN", "verb.runs.show", nil, func(ctx context.Context, args []string, out *ui.Out) error {
		dir, err := findRun(ctx, args[0], out)
		if err != nil {
			return err
		}
		e, err := store.ReadEntry(dir)
		if err != nil {
			return err
		}
		settings, err := readSettings(dir)
		if err != nil {
			return err
		}
		trained, err := trainingOf(dir)
		if err != nil { // the rest can be shown
			out.Note("overview.unreadable", err)
		}
		s := shown{Entry: e}
		if trained != nil {
			s.Training = trained.Summary()
		}
		if s.Files, err = filesOf(dir); err != nil {
			return err
		}
		if s.Settings, err = json.Marshal(settings); err != nil {
			return err
		}
		if out.JSON {
			return out.Result(s)
		}
		if err := out.Result(e); err != nil {
			return err
		}
		t := ui.Table{Title: "\n" + out.T("field.training"), Columns: []ui.Column{{}, {Right: true}}}
		for _, f := range s.Training {
			name, value := step.FigureText(out.Lang, f)
			t.Rows = append(t.Rows, []string{"  " + name, value})
		}
		if len(t.Rows) > 0 {
			out.Table(t)
			out.Print(curve(trained, out))
		}
		t = ui.Table{Title: "\n" + out.T("help.settings")}
		for _, p := range config.Flatten(settings) {
			t.Rows = append(t.Rows, []string{"  " + p.Path, p.Value})
		}
		out.Table(t)
		t = ui.Table{Title: "\n" + out.T("runs.files"), Columns: []ui.Column{{}, {Right: true}}}
		for _, f := range s.Files {
			t.Rows = append(t.Rows, []string{"  " + f.Name, ui.Bytes(f.Size)})
		}
		out.Table(t)
		return nil
	})
}

// filesOf lists the files of a run, with paths as in the folder.
func filesOf(dir string) ([]file, error) {
	files := []file{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		files = append(files, file{filepath.ToSlash(name), info.Size()})
		return nil
	})
	return files, err
}

// difference is a setting or a figure that two runs do not have in common.
type difference struct {
	What string `json:"what"` // setting, figure (of the summary), training (of its steps) or curve (FIGURE@TOKENS)
	Path string `json:"path"`
	A    string `json:"a"`
	B    string `json:"b"`
}

func runsDiffCommand() *cobra.Command {
	return verb("diff RUN OTHER", "verb.runs.diff", nil, func(ctx context.Context, args []string, out *ui.Out) error {
		var settings, figures [2][]config.Value
		var dirs [2]string
		for i, name := range args {
			dir, err := findRun(ctx, name, out)
			if err != nil {
				return err
			}
			tree, err := readSettings(dir)
			if err != nil {
				return err
			}
			settings[i], dirs[i] = config.Flatten(tree), dir
			e, err := store.ReadEntry(dir)
			if err != nil {
				return err
			}
			if len(e.Summary) > 0 {
				if tree, err = config.Tree(e.Summary, "summary of "+dir); err != nil {
					return err
				}
				figures[i] = config.Flatten(tree)
			}
		}
		differences := append(compare("setting", settings[0], settings[1]), compare("figure", figures[0], figures[1])...)
		trained, err := trainingDifferences(dirs)
		if err != nil {
			return err
		}
		differences = append(differences, trained...)
		if out.JSON {
			return out.Result(differences)
		}
		if len(differences) == 0 {
			out.Say("runs.same")
			return nil
		}
		t := ui.Table{Columns: []ui.Column{{}, {}, {Name: args[0]}, {Name: args[1]}}}
		for _, d := range differences {
			t.Rows = append(t.Rows, []string{out.T("field." + d.What), d.Path, d.A, d.B})
		}
		return out.Result(t)
	})
}

// compare lists what differs, in the order of the first run, then what only the
// second has.
func compare(what string, a, b []config.Value) []difference {
	var out []difference
	at := func(list []config.Value, path string) (string, bool) {
		i := slices.IndexFunc(list, func(v config.Value) bool { return v.Path == path })
		if i < 0 {
			return "—", false
		}
		return list[i].Value, true
	}
	for _, v := range a {
		if other, _ := at(b, v.Path); other != v.Value {
			out = append(out, difference{what, v.Path, v.Value, other})
		}
	}
	for _, v := range b {
		if none, found := at(a, v.Path); !found {
			out = append(out, difference{what, v.Path, none, v.Value})
		}
	}
	return out
}

// readSettings is the tree of a run's settings.
func readSettings(dir string) (any, error) {
	path := filepath.Join(dir, store.ConfigFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return config.Tree(text, path)
}

// findRun is the folder of a run: a path, a name in the folder of runs here, or a
// name in the index.
func findRun(ctx context.Context, name string, out *ui.Out) (string, error) {
	for _, dir := range []string{name, filepath.Join(runsDir, name)} {
		_, err := store.ReadInfo(dir)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return dir, err
		}
	}
	index, err := openIndex(out)
	if err != nil {
		return "", err
	}
	defer index.Close()
	entries, err := index.List(ctx, store.Filter{})
	if err != nil {
		return "", err
	}
	var names []string
	for _, e := range entries {
		if e.Name == name {
			return e.Path, nil // the newest of that name
		}
		names = append(names, e.Name)
	}
	if here, err := runsHere(runsDir); err == nil {
		for _, e := range here {
			names = append(names, e.Name)
		}
	}
	if near := config.Nearest(name, names); near != "" {
		return "", fmt.Errorf("%s: no run of this name here or in the index; did you mean %s?", name, near)
	}
	return "", fmt.Errorf("%s: no run of this name here or in the index; lian runs list shows what there is", name)
}
