package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"lian/chain/step"
	"lian/cli/ui"
	"lian/serve"
	"lian/store"
	"lian/train/history"
	"lian/train/tensorboard"
)

type runsPlotOptions struct {
	Out string `yaml:"out" help:"file of the page" default:"plots.html"`
	Web string `yaml:"web" help:"serve the page here instead, while runs go on: a port of this machine, 0 for a free one"`
}

// runsPlotCommand is lian runs plot RUN...
func runsPlotCommand() *cobra.Command {
	var o runsPlotOptions
	return verb("plot RUN...", "verb.runs.plot", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		dirs, err := findRuns(ctx, args, out)
		if err != nil {
			return err
		}
		if o.Web != "" {
			return servePlots(ctx, o.Web, dirs, out)
		}
		var page bytes.Buffer
		var reader serve.RunReader
		points := 0
		err = reader.Read(dirs, func(runs []*history.Run) error {
			data := serve.NewPlotData(runs, "")
			for i, r := range runs {
				if m := r.Main(); m == nil || len(m.Steps) == 0 {
					return fmt.Errorf("%s: no step of training to plot", dirs[i])
				}
			}
			for _, r := range data.Runs {
				for _, s := range r.Series {
					points += len(s.Value)
				}
			}
			return serve.WritePlots(&page, data)
		})
		if err != nil {
			return err
		}
		if err := store.WriteFile(o.Out, page.Bytes()); err != nil {
			return err
		}
		return out.Result(struct {
			Page   string `json:"page"`
			Runs   int    `json:"runs"`
			Points int    `json:"points"`
			Bytes  int    `json:"bytes"`
		}{o.Out, len(dirs), points, page.Len()})
	})
}

// findRuns are the folders of runs.
func findRuns(ctx context.Context, names []string, out *ui.Out) (dirs []string, err error) {
	for _, name := range names {
		dir, err := findRun(ctx, name, out)
		if err != nil {
			return nil, err
		}
		dirs = append(dirs, dir)
	}
	return dirs, nil
}

// servePlots shows runs on a port of this machine until ctx ends.
func servePlots(ctx context.Context, port string, dirs []string, out *ui.Out) error {
	stop, err := beginPlots(port, dirs, out)
	if err != nil {
		return err
	}
	<-ctx.Done()
	return stop()
}

// beginPlots shows runs on a port of this machine, and gives what ends that.
func beginPlots(port string, dirs []string, out *ui.Out) (stop func() error, err error) {
	if _, p, err := net.SplitHostPort(port); err == nil {
		port = p // only this machine's: a page of runs has no key
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return nil, fmt.Errorf("--web %s: %w", port, err)
	}
	server := &http.Server{Handler: serve.PlotsHandler(func(*http.Request) ([]string, error) { return dirs, nil }), ReadHeaderTimeout: 10 * time.Second}
	url := "http://" + listener.Addr().String() + "/runs"
	out.Note("runs.web", url)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	return func() error {
		server.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	}, nil
}

type runsReportOptions struct {
	Out string `yaml:"out" help:"Markdown file; pictures lie beside it. Empty: report.md in the run's folder"`
}

// runsReportCommand is lian runs report RUN.
func runsReportCommand() *cobra.Command {
	var o runsReportOptions
	return verb("report RUN", "verb.runs.report", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		dir, err := findRun(ctx, args[0], out)
		if err != nil {
			return err
		}
		file := o.Out
		if file == "" {
			file = filepath.Join(dir, "report.md")
		}
		return out.Result(step.Report(ctx, dir, file, out.Lang, slow(out)))
	})
}

type runsTensorBoardOptions struct {
	Out string `yaml:"out" help:"folder for the event files. Empty: tensorboard in the run's folder"`
}

// runsTensorBoardCommand is lian runs tensorboard RUN.
func runsTensorBoardCommand() *cobra.Command {
	var o runsTensorBoardOptions
	return verb("tensorboard RUN", "verb.runs.tensorboard", &o, func(ctx context.Context, args []string, out *ui.Out) error {
		dir, err := findRun(ctx, args[0], out)
		if err != nil {
			return err
		}
		run, err := history.Open(dir)
		if err != nil {
			return err
		}
		folder := o.Out
		if folder == "" {
			folder = filepath.Join(dir, "tensorboard")
		}
		steps, err := tensorboard.Export(run, folder)
		return out.Result(struct {
			Folder string `json:"folder"`
			Steps  int    `json:"steps"`
		}{folder, steps}, err)
	})
}

// trainingOf is a run's longest training; nil if nothing was trained.
func trainingOf(dir string) (*history.Stage, error) {
	run, err := history.Open(dir)
	if err != nil || run.Main() == nil || len(run.Main().Steps) == 0 {
		return nil, err
	}
	return run.Main(), nil
}

// curve is a small picture of a training for lian runs show; empty if there is too little of it.
func curve(trained *history.Stage, out *ui.Out) string {
	loss, ok := history.Find(trained.Series(0), "loss")
	if !ok || len(loss.Value) < 2 {
		return ""
	}
	high, low := loss.Value[len(loss.Value)/25], loss.Value[0]
	for _, v := range loss.Value {
		low = min(low, v)
	}
	text := fmt.Sprintf("\n%s %s … %s\n", out.T("plot.loss"), ui.Number(loss.Value[0]), ui.Number(loss.Last()))
	for _, line := range ui.CurveBetween(loss.Value, 60, 6, low, max(high, low)) {
		text += "  " + line + "\n"
	}
	return text
}

// trainingDifferences are what two trainings came to, and their losses when both had seen as many tokens.
func trainingDifferences(dirs [2]string) (out []difference, err error) {
	var stages [2]*history.Stage
	for i, dir := range dirs {
		if stages[i], err = trainingOf(dir); err != nil || stages[i] == nil {
			return nil, err
		}
	}
	a, b := stages[0].Summary(), stages[1].Summary()
	value := func(list []history.Figure, name string) string {
		for _, f := range list {
			if f.Name == name {
				return ui.Number(f.Value)
			}
		}
		return "—"
	}
	seen := map[string]bool{}
	for _, f := range append(a, b...) {
		if x, y := value(a, f.Name), value(b, f.Name); x != y && !seen[f.Name] {
			seen[f.Name] = true
			out = append(out, difference{"training", f.Name, x, y})
		}
	}
	for _, name := range []string{"loss", "heldout"} {
		x, okX := history.Find(stages[0].Series(0), name)
		y, okY := history.Find(stages[1].Series(0), name)
		if !okX || !okY {
			continue
		}
		until := min(x.Tokens[len(x.Tokens)-1], y.Tokens[len(y.Tokens)-1])
		for part := int64(1); part <= 8; part++ {
			tokens := until * part / 8
			p, okX := x.At(tokens)
			q, okY := y.At(tokens)
			if okX && okY {
				out = append(out, difference{"curve", fmt.Sprintf("%s@%d", name, tokens), ui.Number(p), ui.Number(q)})
			}
		}
	}
	return out, nil
}
