package history

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"lian/event"
	"lian/store"
	"lian/train/figure"
)

// trained makes a run with the events of a function.
func trained(t *testing.T, name string, emit func(event.Sink)) string {
	t.Helper()
	dir := t.TempDir()
	r, err := store.NewRun(dir, name, "pretrain", nil)
	if err != nil {
		t.Fatal(err)
	}
	emit(r.Events)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

func step(n int) figure.Step {
	return figure.Step{Step: n, Steps: 100, Loss: 10 / float64(n), Tokens: int64(n) * 1000, Seconds: 2, Rate: 500}
}

func TestAResumedRunIsReadAsIfItHadNotStopped(t *testing.T) {
	dir := trained(t, "中文", func(e event.Sink) {
		for n := 1; n <= 30; n++ {
			e.Emit(figure.KindStep, step(n))
			if n%10 == 0 {
				e.Emit(figure.KindHeldOut, figure.HeldOut{Step: n, Tokens: int64(n) * 1000, BitsPerByte: 9})
			}
		}
		e.Emit(store.KindRunResumed, nil)
		for n := 21; n <= 50; n++ {
			e.Emit(figure.KindStep, step(n))
			if n%10 == 0 {
				e.Emit(figure.KindHeldOut, figure.HeldOut{Step: n, Tokens: int64(n) * 1000, BitsPerByte: 1})
			}
		}
	})
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := r.Main()
	if len(s.Steps) != 50 || s.Training != 100 || s.Resumed != 1 || len(s.HeldOut) != 5 || s.HeldOut[1].BitsPerByte != 9 || s.HeldOut[2].BitsPerByte != 1 {
		t.Errorf("%d steps, %v s, resumed %d, held out %v", len(s.Steps), s.Training, s.Resumed, s.HeldOut)
	}
	for i, x := range s.Steps {
		if x.Step != i+1 {
			t.Fatalf("step %d stands at %d", x.Step, i)
		}
	}
}

func TestARunIsFollowedWhileItGrows(t *testing.T) {
	dir := trained(t, "r", func(e event.Sink) { e.Emit(figure.KindStep, step(1)) })
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, store.EventsFile), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.WriteString(`{"time":"2026-01-01T00:00:00Z","kind":"train.step","payload":{"step":2,"loss":1`)
	if changed, err := r.Update(); changed || err != nil {
		t.Errorf("half a line: changed %v, %v", changed, err)
	}
	f.WriteString("}}\n" + `{"time":"2026-01-01T00:00:01Z","kind":"train.guard","payload":{"step":2,"reason":"loss"}}` + "\n")
	if changed, err := r.Update(); !changed || err != nil {
		t.Errorf("a whole line: changed %v, %v", changed, err)
	}
	if s := r.Main(); len(s.Steps) != 2 || len(s.Notes) != 1 || s.Notes[0].Text != "loss" || s.Notes[0].Step != 2 {
		t.Errorf("%+v", s)
	}
}

func TestANumberThatIsNoneIsTold(t *testing.T) {
	dir := trained(t, "r", func(e event.Sink) {
		e.Emit(figure.KindStep, step(1))
		bad := step(2)
		bad.Loss = math.NaN()
		e.Emit(figure.KindStep, bad)
	})
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if s := r.Main(); len(s.Steps) != 1 || len(s.Notes) != 1 {
		t.Errorf("%d steps, notes %v", len(s.Steps), s.Notes)
	}
}

func TestSeriesKeepTheirMeanAndTheirEnds(t *testing.T) {
	var s Stage
	for n := 1; n <= 1000; n++ {
		x := step(n)
		x.Loss = float64(n % 2)
		s.Steps, s.seconds = append(s.Steps, x), append(s.seconds, float64(n))
	}
	list := s.Series(100)
	loss, ok := Find(list, "loss")
	if !ok || len(loss.Value) != 100 || loss.Step[99] != 1000 || loss.Value[50] != 0.5 || loss.Low[50] != 0 || loss.High[50] != 1 {
		t.Errorf("%+v", loss)
	}
	if all, _ := Find(s.Series(0), "loss"); len(all.Value) != 1000 || all.Low != nil {
		t.Errorf("%d points", len(all.Value))
	}
}

func TestAFigureAtEqualTokensIsAMeanOfItsNeighbours(t *testing.T) {
	x := Series{Tokens: []int64{100, 200, 1000, 1010, 1040, 2000}, Value: []float64{9, 8, 4, 5, 6, 1}}
	for _, c := range []struct {
		tokens int64
		want   float64
		ok     bool
	}{{1000, 5, true}, {150, 9, true}, {500, 8, true}, {2000, 1, true}, {2001, 0, false}} {
		if got, ok := x.At(c.tokens); got != c.want && !(c.tokens == 150 && got == 8) || ok != c.ok {
			t.Errorf("at %d: %v %v, expected %v", c.tokens, got, ok, c.want)
		}
	}
}

func TestTheShareOfComputeIsThatOfAllSteps(t *testing.T) {
	var s Stage
	for n, waited := range []float64{0.5, 0, 0.02, 0} {
		x := step(n + 1)
		x.Waited = waited
		s.Steps, s.seconds = append(s.Steps, x), append(s.seconds, float64(2*n+2))
	}
	for _, f := range s.Summary() {
		if f.Name == "compute_share" {
			if want := 1 - 0.52/8; math.Abs(f.Value-want) > 1e-12 || f.Unit != "share" {
				t.Errorf("%+v, expected %v", f, want)
			}
			return
		}
	}
	t.Error("the summary does not have it")
}
