package serve

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"lian/message"
	"lian/store"
	"lian/train/history"
)

// plotPoints is the most points of a curve on the page; of more, means are shown with what they are means of.
const plotPoints = 600

// PlotData is what the page of plots draws.
type PlotData struct {
	Runs     []PlotRun                    `json:"runs"`
	Texts    map[string]map[string]string `json:"texts"`
	Language string                       `json:"language,omitempty"` // first shown; empty: the browser's
}

// PlotRun is one training on the page.
type PlotRun struct {
	Label   string           `json:"label"`
	Status  store.Status     `json:"status"`
	Series  []history.Series `json:"series"`
	Notes   []history.Note   `json:"notes"`
	Samples []PlotSample     `json:"samples"`
	Figures []history.Figure `json:"figures"`
}

// PlotSample is how a model went on with a prompt at its last look.
type PlotSample struct {
	Step   int    `json:"step"`
	Prompt string `json:"prompt"`
	Answer string `json:"answer"`
}

// NewPlotData makes the data of runs: all their trainings.
func NewPlotData(runs []*history.Run, language string) PlotData {
	d := PlotData{Runs: []PlotRun{}, Texts: map[string]map[string]string{}, Language: language}
	for _, l := range message.Languages {
		d.Texts[l] = message.Table(l, "plot.")
	}
	for _, r := range runs {
		status := store.StatusStopped
		if e, err := store.ReadEntry(r.Dir); err == nil {
			status = e.Status
		}
		for _, s := range r.Stages {
			p := PlotRun{Label: r.Label(s), Status: status, Series: s.Series(plotPoints), Notes: slices.Clone(s.Notes), Samples: []PlotSample{}, Figures: s.Summary()}
			if p.Series == nil {
				p.Series, p.Figures = []history.Series{}, []history.Figure{}
			}
			if n := len(s.Prompts); n > 0 {
				last := s.Prompts[n-1]
				for i := range min(len(last.Prompts), len(last.Answers)) {
					p.Samples = append(p.Samples, PlotSample{last.Step, last.Prompts[i], last.Answers[i]})
				}
			}
			if p.Notes == nil {
				p.Notes = []history.Note{}
			}
			d.Runs = append(d.Runs, p)
		}
	}
	return d
}

// WritePlots writes the page of plots as one file that needs nothing else.
func WritePlots(w io.Writer, d PlotData) error {
	page, err := fs.ReadFile(Page(), "plots.html")
	if err != nil {
		return err
	}
	data, err := json.Marshal(d) // writes < as \u003c, so that no text ends the element
	if err != nil {
		return err
	}
	script, err := fs.ReadFile(Page(), "app/plots.js")
	if err != nil {
		return err
	}
	style, err := fs.ReadFile(Page(), "app/plots.css")
	if err != nil {
		return err
	}
	for _, part := range []struct{ old, new string }{
		{`<script type="module" crossorigin src="/app/plots.js"></script>`, `<script type="module">` + strings.ReplaceAll(string(script), "</script", `<\/script`) + `</script>`},
		{`<link rel="stylesheet" crossorigin href="/app/plots.css">`, "<style>" + string(style) + "</style>"},
		{`<script type="application/json" id="data">null</script>`, `<script type="application/json" id="data">` + string(data) + `</script>`},
	} {
		if !bytes.Contains(page, []byte(part.old)) {
			return fmt.Errorf("the built page has no %s; build web/ again", part.old)
		}
		page = bytes.Replace(page, []byte(part.old), []byte(part.new), 1)
	}
	_, err = w.Write(page)
	return err
}

// RunReader keeps the runs of folders as they have been read, so that a page that asks again and again costs what is new.
type RunReader struct {
	mu   sync.Mutex
	open map[string]*history.Run
}

// Read reads the runs in these folders on, and gives what choose makes of them while nobody else reads.
func (x *RunReader) Read(dirs []string, use func([]*history.Run) error) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.open == nil {
		x.open = map[string]*history.Run{}
	}
	var runs []*history.Run
	for _, dir := range dirs {
		r, ok := x.open[dir]
		if !ok {
			var err error
			if r, err = history.Open(dir); err != nil {
				return err
			}
			x.open[dir] = r
		} else if _, err := r.Update(); err != nil {
			return err
		}
		runs = append(runs, r)
	}
	return use(runs)
}

// PlotsHandler serves the page of plots of runs that go on: their folders, given anew for each request.
func PlotsHandler(dirs func(*http.Request) ([]string, error)) http.Handler {
	mux := http.NewServeMux()
	addPlots(mux, dirs, func(h http.Handler) http.Handler { return h })
	mux.Handle("GET /{$}", http.RedirectHandler("/runs", http.StatusFound))
	return mux
}

// addPlots serves the page at /runs and its data at /lian/runs, which guard may protect.
func addPlots(mux *http.ServeMux, dirs func(*http.Request) ([]string, error), guard func(http.Handler) http.Handler) {
	var reader RunReader
	mux.HandleFunc("GET /runs", func(w http.ResponseWriter, r *http.Request) {
		pageHeaders(w)
		http.ServeFileFS(w, r, Page(), "plots.html")
	})
	mux.HandleFunc("GET /app/plots.js", servePage)
	mux.HandleFunc("GET /app/plots.css", servePage)
	mux.Handle("GET /lian/runs", guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		list, err := dirs(r)
		if err == nil {
			err = reader.Read(list, func(runs []*history.Run) error {
				writeJSON(w, http.StatusOK, NewPlotData(runs, ""))
				return nil
			})
		}
		if err != nil {
			writeError(w, refusal(http.StatusNotFound, "invalid_request_error", "unknown_run", "%v", err))
		}
	})))
}

// RunsIn finds the runs of a folder of runs that a request asks for (run=NAME, more than one may be), or the one that was begun last.
func RunsIn(folder string) func(*http.Request) ([]string, error) {
	return func(r *http.Request) (dirs []string, err error) {
		for _, name := range r.URL.Query()["run"] {
			if name != filepath.Base(name) || name == "." || name == ".." {
				return nil, fmt.Errorf("%q is not a run's name", name)
			}
			dirs = append(dirs, filepath.Join(folder, name))
		}
		if len(dirs) > 0 {
			return dirs, nil
		}
		entries, err := os.ReadDir(folder)
		if err != nil {
			return nil, err
		}
		var last store.Info
		for _, e := range entries {
			info, err := store.ReadInfo(filepath.Join(folder, e.Name()))
			if err == nil && info.Created.After(last.Created) {
				last, dirs = info, []string{filepath.Join(folder, e.Name())}
			}
		}
		if len(dirs) == 0 {
			return nil, fmt.Errorf("%s has no run", folder)
		}
		return dirs, nil
	}
}
