package store

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lian/config"
	"lian/event"
)

type settings struct {
	Rate float64 `yaml:"lr" help:"peak learning rate" default:"0.001"`
	Text string  `yaml:"text" default:"春"`
}

func begun(t *testing.T, dir, name string, c any) *Run {
	t.Helper()
	r, err := NewRun(dir, name, "pretrain", c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func closed(t *testing.T, r *Run) {
	t.Helper()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

func kinds(t *testing.T, dir string) string {
	t.Helper()
	events, err := event.Read(filepath.Join(dir, EventsFile))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range events {
		out = append(out, e.Kind)
	}
	return strings.Join(out, " ")
}

func TestARunIsAReadableFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "runs")
	r := begun(t, dir, "第一次", &settings{Rate: 0.5, Text: "诗"})
	r.Step("tokenizer").Emit("tokenizer.trained", map[string]int{"size": 4096})
	if r.IsDone() {
		t.Error("a run that has just begun is done")
	}
	if err := r.Done(map[string]float64{"loss": 2.25}); err != nil {
		t.Fatal(err)
	}
	closed(t, r)
	var back settings
	text, err := os.ReadFile(filepath.Join(dir, "第一次", ConfigFile))
	if err != nil || config.Decode(text, ConfigFile, &back) != nil || back.Rate != 0.5 || back.Text != "诗" {
		t.Errorf("settings = %s, %v", text, err)
	}
	e, err := ReadEntry(r.Dir)
	if err != nil || e.Status != StatusDone || e.Name != "第一次" || e.Kind != "pretrain" || string(e.Summary) == "" || e.Finished.IsZero() {
		t.Errorf("entry = %+v, %v", e, err)
	}
	if got := kinds(t, r.Dir); got != "run.begun tokenizer.trained run.done" {
		t.Errorf("events: %s", got)
	}
}

func TestANameIsTakenOnce(t *testing.T) {
	dir := t.TempDir()
	closed(t, begun(t, dir, "a", nil))
	if _, err := NewRun(dir, "a", "pretrain", nil); !errors.Is(err, ErrExists) {
		t.Errorf("second run of a name: %v", err)
	}
	if _, err := ContinueRun(dir, "a", "finetune", nil); err == nil || !strings.Contains(err.Error(), `is a run of "pretrain"`) {
		t.Errorf("a run of another kind: %v", err)
	}
}

func TestNamesStayWithinTheFolder(t *testing.T) {
	for _, name := range []string{"", ".", "..", "a/b", `a\b`, "../x", ".hidden", "a\x00b", " a", "c:", "a.", strings.Repeat("x", 201)} {
		if r, err := NewRun(t.TempDir(), name, "k", nil); err == nil {
			r.Close()
			t.Errorf("%q was taken as a name", name)
		}
	}
}

func TestOneProcessWorksInARun(t *testing.T) {
	dir := t.TempDir()
	r := begun(t, dir, "a", nil)
	if _, err := OpenRun(r.Dir); !errors.Is(err, ErrLocked) {
		t.Errorf("opened twice: %v", err)
	}
	if e, err := ReadEntry(r.Dir); err != nil || e.Status != StatusRunning {
		t.Errorf("entry while running = %+v, %v", e, err)
	}
	closed(t, r)
	again, err := OpenRun(r.Dir)
	if err != nil {
		t.Fatal(err)
	}
	again.Fail(errors.New("disk full"))
	closed(t, again)
	if e, err := ReadEntry(r.Dir); err != nil || e.Status != StatusStopped || e.Reason != "disk full" {
		t.Errorf("entry after a failure = %+v, %v", e, err)
	}
	if got := kinds(t, r.Dir); got != "run.begun run.resumed run.failed" {
		t.Errorf("events: %s", got)
	}
}

func TestOtherSettingsTakeTheDoneMarkAway(t *testing.T) {
	dir := t.TempDir()
	r := begun(t, dir, "a", &settings{Rate: 1})
	if err := r.Done(nil); err != nil {
		t.Fatal(err)
	}
	closed(t, r)
	for _, c := range []struct {
		rate float64
		done bool
	}{{1, true}, {2, false}} {
		r, err := ContinueRun(dir, "a", "pretrain", &settings{Rate: c.rate})
		if err != nil {
			t.Fatal(err)
		}
		if r.IsDone() != c.done {
			t.Errorf("rate %v: done = %v, want %v", c.rate, r.IsDone(), c.done)
		}
		closed(t, r)
	}
	if got := kinds(t, r.Dir); got != "run.begun run.done run.reopened" {
		t.Errorf("events: %s", got)
	}
}

func TestAFolderThatIsNoRunIsSaidToBe(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenRun(dir); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "is not a run") {
		t.Errorf("OpenRun = %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, InfoFile), []byte("[]"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenRun(dir); err == nil || !strings.Contains(err.Error(), InfoFile) {
		t.Errorf("OpenRun of a damaged run = %v", err)
	}
}

// TestKilledRunsGoOn kills a process at many moments of beginning and finishing
// runs; whatever it had printed as done must be so.
func TestKilledRunsGoOn(t *testing.T) {
	if dir := os.Getenv("LIAN_TEST_RUNS"); dir != "" {
		writeRuns(dir)
		return
	}
	if testing.Short() {
		t.Skip("kills processes; not with -short")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		dir := t.TempDir()
		cmd := exec.Command(self, "-test.run=^TestKilledRunsGoOn$")
		cmd.Env = append(os.Environ(), "LIAN_TEST_RUNS="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		reported := make(chan []string)
		go func() {
			var names []string
			for lines := bufio.NewScanner(out); lines.Scan(); {
				names = append(names, lines.Text())
			}
			reported <- names
		}()
		time.Sleep(time.Duration(20+i*17) * time.Millisecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		names := <-reported
		_ = cmd.Wait() // was killed
		for _, name := range names {
			if e, err := ReadEntry(filepath.Join(dir, name)); err != nil || e.Status != StatusDone || string(e.Summary) == "" {
				t.Errorf("%s was reported as done, but: %+v, %v", name, e, err)
			}
		}
		children, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, child := range children {
			r, err := ContinueRun(dir, child.Name(), "k", &settings{})
			if err != nil {
				t.Errorf("%s does not go on: %v", child.Name(), err)
				continue
			}
			closed(t, r)
			kinds(t, r.Dir) // readable
		}
	}
}

func writeRuns(dir string) {
	for i := 0; ; i++ {
		name := fmt.Sprint("run-", i)
		r, err := NewRun(dir, name, "k", &settings{})
		if err != nil {
			panic(err)
		}
		r.Events.Emit("step", strings.Repeat("x", 3000))
		if err := r.Done(map[string]int{"i": i}); err != nil {
			panic(err)
		}
		os.Stdout.WriteString(name + "\n")
		if err := r.Close(); err != nil {
			panic(err)
		}
	}
}

func TestHomeFollowsTheEnvironment(t *testing.T) {
	t.Setenv(HomeEnvironment, "")
	if filepath.Base(Home()) != "lian" && Home() != ".lian" {
		t.Errorf("Home = %s", Home())
	}
	t.Setenv(HomeEnvironment, "somewhere")
	if Home() != "somewhere" {
		t.Errorf("Home = %s", Home())
	}
}

func TestHashFileIsSHA256(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := WriteFile(path, []byte("abc")); err != nil {
		t.Fatal(err)
	}
	const want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" // FIPS 180-2, appendix B.1
	if got, err := HashFile(path); err != nil || got != want {
		t.Errorf("HashFile = %s, %v", got, err)
	}
}
