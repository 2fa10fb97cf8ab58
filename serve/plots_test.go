package serve_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"lian/event"
	"lian/serve"
	"lian/store"
	"lian/train/figure"
	"lian/train/history"
)

// training makes a run of n steps in a folder of runs.
func training(t *testing.T, folder, name string, n int) string {
	t.Helper()
	r, err := store.NewRun(folder, name, "pretrain", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	steps(r.Events, 1, n)
	return filepath.Join(folder, name)
}

func steps(e event.Sink, from, to int) {
	for i := from; i <= to; i++ {
		e.Emit(figure.KindStep, figure.Step{Step: i, Steps: 900, Loss: 5 / float64(i), LearningRate: 1e-3, Tokens: int64(i) * 512, Seconds: 1, BitsPerByte: 2 / float64(i),
			Domains: []figure.Domain{{Name: "中文", Loss: 3, BitsPerByte: 2}, {Name: "en", Loss: 1, BitsPerByte: 1}}})
	}
	e.Emit(figure.KindPrompts, figure.Prompts{Step: to, Prompts: []string{"a"}, Answers: []string{"</script><script>document.title='broken'</script>"}})
}

func TestThePageOfPlotsNeedsNothingElse(t *testing.T) {
	dir := training(t, t.TempDir(), "运行 1", 900)
	run, err := history.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var page bytes.Buffer
	if err := serve.WritePlots(&page, serve.NewPlotData([]*history.Run{run}, "")); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(page.Bytes(), []byte(`"/app/`)) || page.Len() > 400_000 {
		t.Errorf("%d bytes, or something from elsewhere", page.Len())
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(page.Bytes()) }))
	defer server.Close()
	ctx := browser(t, "zh")
	do(t, ctx, chromedp.Navigate(server.URL))
	until(t, ctx, `document.querySelectorAll("#panel-loss path.line").length > 0`)
	title, bits := eval[string](t, ctx, "document.title"), eval[string](t, ctx, `document.querySelector("#panel-bitsBy .legend").textContent`)
	figures := eval[int](t, ctx, `document.querySelectorAll("figure path.line").length`)
	if title != "训练曲线 · 运行 1" || figures < 5 || !strings.Contains(bits, "中文") {
		t.Errorf("title %q, %d curves, legend %q", title, figures, bits)
	}
}

func TestPlotsFollowARunThatGoesOn(t *testing.T) {
	folder := t.TempDir()
	training(t, folder, "r", 3)
	server := httptest.NewServer(serve.PlotsHandler(serve.RunsIn(folder)))
	defer server.Close()
	get := func(query string) (int, serve.PlotData) {
		response, err := http.Get(server.URL + "/lian/runs" + query)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		var d serve.PlotData
		json.Unmarshal(text, &d)
		return response.StatusCode, d
	}
	last := func(d serve.PlotData) int {
		if len(d.Runs) != 1 {
			t.Fatalf("%d runs", len(d.Runs))
		}
		loss, _ := history.Find(d.Runs[0].Series, "loss")
		return loss.Step[len(loss.Step)-1]
	}
	if _, d := get(""); last(d) != 3 {
		t.Errorf("at first the last step is %d", last(d))
	}
	r, err := store.OpenRun(filepath.Join(folder, "r"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	steps(r.Events, 4, 7)
	if _, d := get("?run=r"); last(d) != 7 || d.Runs[0].Status != store.StatusRunning {
		t.Errorf("then it is %d, %s", last(d), d.Runs[0].Status)
	}
	for _, bad := range []string{"?run=..", "?run=%2Fetc", "?run=none", "?run=a%2F..%2Fr"} {
		if code, _ := get(bad); code != http.StatusNotFound {
			t.Errorf("%s gives %d", bad, code)
		}
	}
	page, err := http.Get(server.URL + "/")
	if err != nil || page.StatusCode != http.StatusOK || page.Request.URL.Path != "/runs" {
		t.Errorf("the page: %v %v", page, err)
	}
}
