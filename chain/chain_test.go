package chain

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"lian/store"
)

const threeSteps = `
name: three
about: three steps
dials:
  word: hello
  times: 2
steps:
  one:
    uses: text
    with: {text: "${word}, 世界", times: "${times}"}
  other:
    uses: text
    with: {text: other}
  two:
    uses: text
    with:
      text: "length ${steps.one.values.length}"
      from: ["${steps.one.out}"]
  three:
    uses: text
    with: {text: end, from: ["${steps.two.out}", "${steps.other.out}"]}
`

type bench struct {
	t    *testing.T
	runs string
	ran  []string
}

func (b *bench) run(text string, o Options) (Status, error) {
	b.t.Helper()
	r, err := Parse([]byte(text), "r.yaml")
	if err != nil {
		b.t.Fatal(err)
	}
	b.ran = nil
	o.Runs = b.runs
	return Run(context.Background(), r, KindSet(textKind(&b.ran), slowKind(true)), o)
}

func (b *bench) must(text string, o Options, ran ...string) Status {
	b.t.Helper()
	s, err := b.run(text, o)
	if err != nil {
		b.t.Fatal(err)
	}
	if !slices.Equal(b.ran, ran) {
		b.t.Fatalf("ran %v, want %v", b.ran, ran)
	}
	return s
}

func TestOnlyWhatFollowsFromAChangeRunsAgain(t *testing.T) {
	b := &bench{t: t, runs: t.TempDir()}
	b.must(threeSteps, Options{}, "one", "other", "two", "three")
	text, err := os.ReadFile(filepath.Join(b.runs, "three", "three", "out.txt"))
	if want := "end\nlength 28\nhello, 世界\nhello, 世界\nother\n"; err != nil || string(text) != want {
		t.Fatalf("result is %q, %v, want %q", text, err, want)
	}
	s := b.must(threeSteps, Options{})
	for _, step := range s.Steps {
		if step.State != Cached {
			t.Errorf("%s is %s", step.Name, step.State)
		}
	}
	b.must(threeSteps, Options{Set: []string{"other.text=changed"}}, "other", "three")
	b.must(threeSteps, Options{Set: []string{"other.text=changed"}})
	b.must(threeSteps, Options{Set: []string{"times=3", "other.text=changed"}}, "one", "two", "three")
	// the settings differ, the result does not: what follows is not run
	b.must(strings.Replace(threeSteps, "times: 2", "times: 1", 1), Options{}, "one", "other", "two", "three")
	b.must(strings.Replace(threeSteps, `"${word}, 世界", times: "${times}"`, `"${word}, 世界", fail: nofile`, 1), Options{}, "one")
	b.must(threeSteps, Options{From: "two", Set: []string{"times=1"}}, "one", "two", "three")
}

func TestHarmedOutputsAreMadeAgain(t *testing.T) {
	b := &bench{t: t, runs: t.TempDir()}
	b.must(threeSteps, Options{}, "one", "other", "two", "three")
	file := filepath.Join(b.runs, "three", "one", "out.txt")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// same bytes, other time: only looked at more closely
	if err := os.Chtimes(file, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	b.must(threeSteps, Options{})
	text[0] = 'X'
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	b.must(threeSteps, Options{}, "one") // its result is the same again
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	s := b.must(threeSteps, Options{}, "one")
	if !strings.Contains(s.Steps[0].Reason, "out.txt is gone") {
		t.Errorf("reason = %q", s.Steps[0].Reason)
	}
	if err := os.Remove(filepath.Join(b.runs, "three", "two", DoneFile)); err != nil {
		t.Fatal(err)
	}
	b.must(threeSteps, Options{}, "two")
}

func TestARunCanBeMoved(t *testing.T) {
	b := &bench{t: t, runs: t.TempDir()}
	b.must(threeSteps, Options{}, "one", "other", "two", "three")
	moved := t.TempDir()
	if err := os.Rename(filepath.Join(b.runs, "three"), filepath.Join(moved, "three")); err != nil {
		t.Fatal(err)
	}
	b.runs = moved
	b.must(threeSteps, Options{})
}

func TestOutsideFilesAreInputs(t *testing.T) {
	b := &bench{t: t, runs: t.TempDir()}
	dir := t.TempDir()
	file := filepath.Join(dir, "诗.txt")
	old := time.Now().Add(-time.Hour)
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		old = old.Add(time.Second)
		if err := os.Chtimes(file, old, old); err != nil {
			t.Fatal(err)
		}
	}
	recipe := "name: r\ndials: {file: ''}\nsteps:\n  one: {uses: text, with: {file: '${file}'}}\n"
	o := Options{Set: []string{"file=" + file}}
	if _, err := b.run(recipe, o); err == nil || !strings.Contains(err.Error(), "诗.txt") {
		t.Errorf("a missing input: %v", err)
	}
	write("床前明月光")
	b.must(recipe, o, "one")
	b.must(recipe, o)
	write("床前明月光")
	b.must(recipe, o)
	write("疑是地上霜")
	b.must(recipe, o, "one")
}

func TestMistakesAreFoundBeforeAnythingRuns(t *testing.T) {
	for _, c := range []struct{ why, from, to, want string }{
		{"unknown kind", "uses: text\n    with: {text: other}", "uses: txt", `r.yaml:11: step other: no such kind of step "txt"; did you mean text?`},
		{"unknown setting", "{text: other}", "{txet: other}", "txet: no such setting; did you mean text?"},
		{"unknown setting with a reference", "from: [\"${steps.one.out}\"]", "form: [\"${steps.one.out}\"]", "form: no such setting; did you mean from?"},
		{"unknown dial", "${word}", "${wrod}", "${wrod}: no such dial; did you mean word?"},
		{"unknown step", "${steps.one.out}", "${steps.on.out}", "refers to step on, which does not exist; did you mean one?"},
		{"later step", "{text: other}", "{text: '${steps.two.out}'}", "refers to step two, which stands below it"},
		{"itself", "{text: other}", "{text: '${steps.other.out}'}", "refers to itself"},
		{"bad reference", "${steps.one.out}", "${steps.one.output}", "expected ${DIAL}, ${steps.NAME.out} or ${steps.NAME.values.KEY}"},
		{"out of range", "text: other", "times: 0", "times: expected a value from 1 to 1000, found 0"},
		{"unknown key", "uses: text\n    with: {text: other}", "usse: text", "usse: no such key in step other; did you mean uses?"},
		{"key at the top", "dials:", "dails:", "dails: no such key in the recipe; did you mean dials?"},
		{"twice", "other:", "one:", "steps: one is there twice; the first is on line 8"},
		{"bad name", "other:", "Other One:", "expected a name of lower-case letters"},
		{"with is a list", "with: {text: other}", "with: [a]", "with: expected settings as key: value"},
		{"after nothing", "with: {text: other}", "after: [nothing]", "refers to step nothing"},
		{"no steps", "steps:", "about2:", "no such key in the recipe"},
	} {
		text := strings.Replace(threeSteps, c.from, c.to, 1)
		if text == threeSteps {
			t.Fatalf("%s: %q is not in the recipe", c.why, c.from)
		}
		r, err := Parse([]byte(text), "r.yaml")
		if err == nil {
			err = r.Check(KindSet(textKind(nil)))
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s:\n got %v\nwant %s", c.why, err, c.want)
		}
	}
	for _, c := range []struct{ set, want string }{
		{"wrod=x", "--set wrod=x: no such dial; did you mean word?"},
		{"times=many", `expected a number such as 2, found "many"`},
		{"oen.text=x", "no step named oen; did you mean one?"},
		{"one.txet=x", "--set one.txet: no such setting; did you mean text?"},
		{"one.times=0", "--set one.times: expected a value from 1 to 1000, found 0"},
		{"one", "expected setting=value"},
	} {
		b := &bench{t: t, runs: filepath.Join(t.TempDir(), "runs")}
		_, err := b.run(threeSteps, Options{Set: []string{c.set}})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("--set %s:\n got %v\nwant %s", c.set, err, c.want)
		}
		if _, err := os.Stat(b.runs); err == nil {
			t.Errorf("--set %s: something was written", c.set)
		}
	}
}

func TestAnUnknownValueIsNamed(t *testing.T) {
	b := &bench{t: t, runs: t.TempDir()}
	_, err := b.run(strings.Replace(threeSteps, "values.length", "values.lenght", 1), Options{})
	if err == nil || !strings.Contains(err.Error(), "step one gave no value lenght; did you mean length?") {
		t.Error(err)
	}
}

func TestValuesKeepTheirType(t *testing.T) {
	b := &bench{t: t, runs: t.TempDir()}
	b.must("name: r\nsteps:\n  one: {uses: text}\n  two: {uses: text, with: {times: '${steps.one.values.length}', from: [], text: 'a $${b} ${steps.one.values.length}'}}\n", Options{}, "one", "two")
	text, err := os.ReadFile(filepath.Join(b.runs, "r", "two", "out.txt"))
	if err != nil || string(text) != strings.Repeat("a ${b} 6\n", 6) {
		t.Errorf("%q, %v", text, err)
	}
}

func TestAFailedStepIsNamedAndTheRunGoesOn(t *testing.T) {
	b := &bench{t: t, runs: t.TempDir()}
	flag := filepath.Join(t.TempDir(), "fail")
	if err := os.WriteFile(flag, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	recipe := strings.Replace(threeSteps, "{text: other}", "{text: other, fail: '"+flag+"'}", 1)
	s, err := b.run(recipe, Options{Command: "lian run r.yaml"})
	if err == nil || !strings.Contains(err.Error(), "step other: it does not work") || !strings.Contains(err.Error(), "go on with: lian run r.yaml") {
		t.Error(err)
	}
	if s.Steps[0].State != Done || s.Steps[1].State != Failed || s.Steps[2].State != Waiting || s.Finished {
		t.Errorf("%+v", s.Steps)
	}
	if err := os.Remove(flag); err != nil {
		t.Fatal(err)
	}
	b.must(recipe, Options{}, "other", "two", "three")
}

func TestAPanicIsAnErrorOfItsStep(t *testing.T) {
	r, err := Parse([]byte("name: r\nsteps: {one: {uses: bad}}"), "r.yaml")
	if err != nil {
		t.Fatal(err)
	}
	bad := NewKind("bad", "1", "", func(context.Context, *Context, *struct{}) error { panic("oops") })
	_, err = Run(context.Background(), r, KindSet(bad), Options{Runs: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "step one: internal error: oops") {
		t.Error(err)
	}
}

func TestAnInterruptedStepGoesOn(t *testing.T) {
	runs := t.TempDir()
	load := func() *Recipe {
		r, err := Parse([]byte("name: r\nsteps: {one: {uses: slow, with: {pause: 5, parts: 30}}}"), "r.yaml")
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { // in the middle of the step, whenever that is
		for {
			if _, err := os.Stat(filepath.Join(runs, "r", "one", "checkpoint.txt")); err == nil {
				cancel()
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	_, err := Run(ctx, load(), KindSet(slowKind(true)), Options{Runs: runs, Command: "lian demo"})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "step one: interrupted") || !strings.HasSuffix(err.Error(), "go on with: lian demo") {
		t.Fatal(err)
	}
	s, err := Run(context.Background(), load(), KindSet(slowKind(true)), Options{Runs: runs})
	if err != nil || s.Steps[0].Attempts != 2 || s.Steps[0].Wall < 0.15 {
		t.Errorf("%+v, %v", s.Steps, err)
	}
}

func TestDryRunWritesNothingAndSaysWhy(t *testing.T) {
	b := &bench{t: t, runs: filepath.Join(t.TempDir(), "runs")}
	s := b.must(threeSteps, Options{DryRun: true})
	if s.Steps[0].Reason != "has not run yet" || s.Steps[3].Reason != "follows from two, other" {
		t.Errorf("%+v", s.Steps)
	}
	if _, err := os.Stat(b.runs); err == nil {
		t.Error("a dry run wrote something")
	}
	b.must(threeSteps, Options{}, "one", "other", "two", "three")
	s = b.must(threeSteps, Options{DryRun: true, Set: []string{"other.text=x"}})
	if s.Steps[0].State != Cached || s.Steps[1].Reason != "its settings or inputs changed" || s.Steps[2].State != Cached || s.Steps[3].Reason != "follows from other" {
		t.Errorf("%+v", s.Steps)
	}
}

func TestOneFolderHasOneRunAtATime(t *testing.T) {
	runs := t.TempDir()
	other, err := store.ContinueRun(runs, "three", "recipe three", nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, runs: runs}
	if _, err := b.run(threeSteps, Options{}); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Error(err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	b.must(threeSteps, Options{}, "one", "other", "two", "three")
}

func TestAFolderThatCannotBeWrittenIsALine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, runs: filepath.Join(file, "runs")}
	_, err := b.run(threeSteps, Options{})
	if err == nil || !strings.Contains(err.Error(), "--runs") {
		t.Error(err)
	}
}

func TestTheReportIsKeptFresh(t *testing.T) {
	b := &bench{t: t, runs: t.TempDir()}
	var seen []Status
	o := Options{Every: 10 * time.Millisecond, Refresh: func(s Status) error { seen = append(seen, s); return nil }}
	b.must("name: r\nsteps: {one: {uses: slow, with: {pause: 5}}}", o)
	if len(seen) < 5 || seen[0].Steps[0].State != Waiting || !seen[len(seen)-1].Finished {
		t.Errorf("%d refreshes, first %+v, last %+v", len(seen), seen[0], seen[len(seen)-1])
	}
	seen = nil
	b.must("name: r\nsteps: {one: {uses: slow, with: {pause: 5}}}", o)
	if n := len(seen); n == 0 || !seen[n-1].Finished || seen[n-1].Steps[0].State != Cached {
		t.Errorf("the report of a cached run: %+v", seen)
	}
	o.Refresh = func(Status) error { return errors.New("no room") }
	if _, err := b.run("name: r\nsteps: {one: {uses: slow}}", o); err == nil || !strings.Contains(err.Error(), "report card: no room") {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(threeSteps))
	f.Add([]byte("steps: {a: {with: {b: ${c}}, after: [a]}}"))
	f.Add([]byte("steps: &a {a: *a}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := Parse(text, "f")
		if err != nil {
			return
		}
		_ = r.Check(KindSet(textKind(nil)))
	})
}
