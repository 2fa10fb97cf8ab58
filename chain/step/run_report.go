package step

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"lian/config"
	"lian/event"
	"lian/message"
	"lian/store"
	"lian/train/history"
)

// RunReport is where a report of a run lies.
type RunReport struct {
	Report   string   `json:"report"` // Markdown
	Pictures []string `json:"pictures"`
	// Yardstick is what counting bytes comes to; nil where there is no held-out text.
	Yardstick *Yardstick `json:"yardstick,omitempty"`
	Missing   string     `json:"missing,omitempty"` // why a yardstick that the report should have is not there
}

// Report writes what a run's training was and came to, as Markdown with pictures beside it: ready to be put among documents. A pretraining is held
// against a model that only counts bytes.
func Report(ctx context.Context, dir, out, lang string, events event.Sink) (r RunReport, err error) {
	run, err := history.Open(dir)
	if err != nil {
		return r, err
	}
	if run.Main() == nil || len(run.Main().Steps) == 0 {
		return r, fmt.Errorf("%s: no step of training in %s; a report is of a run of pretrain or finetune", dir, store.EventsFile)
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o777); err != nil {
		return r, err
	}
	entry, err := store.ReadEntry(dir)
	if err != nil {
		return r, err
	}
	if r.Yardstick, err = measureYardstick(ctx, dir, events); ctx.Err() != nil {
		return r, ctx.Err()
	} else if err != nil { // such as a run whose data is not there any more
		r.Missing = err.Error()
	}
	w := reportWriter{lang: lang, out: out, report: &r}
	w.say("# %s\n\n", run.Info.Name)
	w.say("%s\n\n", w.t("runs.report.about", run.Info.Kind, run.Info.Created.UTC().Format("2006-01-02 15:04 UTC"), w.t("plot.status."+string(entry.Status)), run.Info.Version, run.Info.Platform))
	for _, s := range run.Stages {
		if len(s.Steps) == 0 {
			continue
		}
		if s.Name != "" {
			w.say("## %s\n\n", s.Name)
		}
		if err := w.stage(s, dir); err != nil {
			return r, err
		}
	}
	if err := w.settings(dir); err != nil {
		return r, err
	}
	r.Report = out
	return r, store.WriteFile(out, []byte(w.b.String()))
}

type reportWriter struct {
	b      strings.Builder
	lang   string
	out    string
	report *RunReport
}

func (w *reportWriter) t(key string, args ...any) string { return message.Text(w.lang, key, args...) }

func (w *reportWriter) say(format string, args ...any) { fmt.Fprintf(&w.b, format, args...) }

// row is a row of a table, cells escaped.
func (w *reportWriter) row(cells ...string) {
	for _, c := range cells {
		w.say("| %s ", strings.ReplaceAll(strings.ReplaceAll(c, "|", `\|`), "\n", " "))
	}
	w.say("|\n")
}

func (w *reportWriter) table(heads ...string) {
	w.row(heads...)
	for i := range heads {
		w.say("|%s", map[bool]string{true: "---", false: "---:"}[i == 0])
	}
	w.say("|\n")
}

func (w *reportWriter) stage(s *history.Stage, dir string) error {
	w.table(w.t("runs.report.figure"), w.t("runs.report.value"))
	for _, f := range s.Summary() {
		w.row(FigureText(w.lang, f))
	}
	w.yardstick(s)
	if m := s.Machine; m.CPU != "" {
		w.row(w.t("runs.report.machine"), fmt.Sprintf("%s, %d × %s", m.CPU, m.Workers, m.Kernels))
		w.row(w.t("runs.report.parameters"), fmt.Sprint(m.Parameters))
		w.row(w.t("runs.report.peak", m.PeakType), fmt.Sprintf("%.0f GFLOP/s", m.PeakFLOPS/1e9))
	}
	w.say("\n")
	list := s.Series(0)
	for _, picture := range []struct{ title, figure, held string }{{"loss", "loss", ""}, {"bits", "bits_per_byte", "heldout"}, {"lr", "lr", ""}, {"mfu", "mfu", ""}} {
		var lines []history.Line
		for _, name := range []string{picture.figure, picture.held} {
			if x, ok := history.Find(list, name); ok && name != "" {
				label := w.t("plot.word.heldout")
				if name == picture.figure {
					label = w.name("training")
				}
				lines = append(lines, history.Line{Label: label, Series: x, Dots: name == "heldout"})
			}
			if name == "" {
				continue
			}
			for _, part := range history.Parts(list, name) {
				x, _ := history.Find(list, name+"/"+part)
				label := part
				if name == "heldout" {
					label = part + " · " + w.t("plot.word.heldout")
				}
				lines = append(lines, history.Line{Label: label, Series: x, Dots: name == "heldout"})
			}
		}
		if err := w.picture(s, picture.title, lines); err != nil {
			return err
		}
	}
	w.held(s)
	for _, p := range s.Prompts[max(0, len(s.Prompts)-1):] {
		w.say("### %s\n\n", w.t("plot.samples"))
		for i := range min(len(p.Prompts), len(p.Answers)) {
			w.say("> **%s**%s\n\n", p.Prompts[i], strings.ReplaceAll(p.Answers[i], "\n", "\n> "))
		}
	}
	w.notes(s, dir)
	return nil
}

// held is the table of looks at held-out text.
func (w *reportWriter) held(s *history.Stage) {
	if len(s.HeldOut) == 0 {
		return
	}
	last := s.HeldOut[len(s.HeldOut)-1]
	heads := []string{w.t("plot.step"), w.t("plot.tokens"), w.t("plot.bits")}
	for _, d := range last.Domains {
		heads = append(heads, d.Name)
	}
	w.say("### %s\n\n", w.name("heldout"))
	w.table(heads...)
	for _, h := range s.HeldOut {
		cells := []string{fmt.Sprint(h.Step), fmt.Sprint(h.Tokens), fmt.Sprintf("%.4f", h.BitsPerByte)}
		for _, d := range h.Domains {
			cells = append(cells, fmt.Sprintf("%.4f", d.BitsPerByte))
		}
		w.row(cells...)
	}
	w.say("\n")
}

func (w *reportWriter) picture(s *history.Stage, title string, lines []history.Line) error {
	name := strings.TrimSuffix(w.out, filepath.Ext(w.out)) + "-" + title + ".svg"
	if s.Name != "" {
		name = strings.TrimSuffix(w.out, filepath.Ext(w.out)) + "-" + s.Name + "-" + title + ".svg"
	}
	text := history.SVG(w.t("plot."+title), w.t("plot.tokens"), lines)
	if text == "" {
		return nil
	}
	w.report.Pictures = append(w.report.Pictures, name)
	w.say("![%s](%s)\n\n", w.t("plot."+title), strings.ReplaceAll(filepath.Base(name), " ", "%20"))
	return store.WriteFile(name, []byte(text))
}

// name is a figure's name for people; that of a domain has it behind.
func (w *reportWriter) name(figure string) string {
	name, _ := FigureText(w.lang, history.Figure{Name: figure})
	return name
}

// FigureText is a figure's name for people, and its value with its unit.
func FigureText(lang string, f history.Figure) (name, value string) {
	head, part, found := strings.Cut(f.Name, "/")
	name = strings.ReplaceAll(head, "_", " ")
	if key := "plot.figure." + head; message.Has(key) {
		name = message.Text(lang, key)
	}
	if found {
		name += " · " + part
	}
	switch {
	case f.Unit == "seconds":
		value = fmt.Sprintf("%.0f s", f.Value)
	case f.Unit == "bytes":
		value = fmt.Sprintf("%.0f MiB", f.Value/(1<<20))
	case f.Unit == "share":
		value = fmt.Sprintf("%.1f %%", f.Value*100)
	case f.Value == float64(int64(f.Value)):
		value = fmt.Sprint(int64(f.Value))
	default:
		value = fmt.Sprintf("%.4g", f.Value)
	}
	return name, value
}

// settings are the run's, without those that a report is not about.
func (w *reportWriter) settings(dir string) error {
	path := filepath.Join(dir, store.ConfigFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	tree, err := config.Tree(text, path)
	if err != nil {
		return err
	}
	w.say("## %s\n\n```yaml\n", w.t("help.settings"))
	for _, v := range config.Flatten(tree) {
		w.say("%s: %s\n", v.Path, v.Value)
	}
	w.say("```\n")
	return nil
}
