package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

type step struct {
	Loss float64 `json:"loss"`
	Note string  `json:"note,omitempty"`
}

func TestWhatIsEmittedIsReadBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	w, err := NewWriter(path, "demo", "pretrain")
	if err != nil {
		t.Fatal(err)
	}
	w.Emit("train.step", step{Loss: 2.5, Note: "春眠不觉晓 <b>"})
	w.Step("finetune").Emit("train.begin", nil)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	events, err := Read(path)
	if err != nil || len(events) != 2 {
		t.Fatalf("Read = %d events, %v; want 2", len(events), err)
	}
	var got step
	if err := events[0].Decode(&got); err != nil || got.Note != "春眠不觉晓 <b>" || got.Loss != 2.5 {
		t.Errorf("payload = %+v, %v", got, err)
	}
	if events[0].Run != "demo" || events[0].Step != "pretrain" || events[0].Kind != "train.step" || events[0].Time.IsZero() {
		t.Errorf("envelope = %+v", events[0])
	}
	if events[1].Step != "finetune" || events[1].Payload != nil {
		t.Errorf("second event = %+v", events[1])
	}
}

func TestTornLineIsCutAndReported(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	for _, tail := range []string{`{"kind":"tra`, string(bytes.Repeat([]byte("x"), 200<<10))} {
		if err := os.WriteFile(path, []byte(`{"time":"2026-01-01T00:00:00Z","kind":"a"}`+"\n"+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		events, err := Read(path)
		if err != nil || len(events) != 2 || events[1].Kind != KindTorn {
			t.Fatalf("Read of a torn file = %v, %v; want a and %s", events, err, KindTorn)
		}
		w, err := NewWriter(path, "", "")
		if err != nil {
			t.Fatal(err)
		}
		w.Emit("b", nil)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		events, err = Read(path)
		if err != nil || len(events) != 3 || events[1].Kind != KindTorn || events[2].Kind != "b" {
			t.Fatalf("after reopening: %v, %v; want a, %s, b", events, err, KindTorn)
		}
		var torn Torn
		if err := events[1].Decode(&torn); err != nil || torn.Bytes != int64(len(tail)) {
			t.Errorf("torn = %+v, %v; want %d bytes", torn, err, len(tail))
		}
	}
}

func TestNaNIsKeptAsText(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	w, err := NewWriter(path, "", "")
	if err != nil {
		t.Fatal(err)
	}
	w.Emit("train.step", step{Loss: math.NaN()})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	events, err := Read(path)
	if err != nil || len(events) != 1 {
		t.Fatalf("Read = %v, %v", events, err)
	}
	var kept Unencodable
	if err := events[0].Decode(&kept); err != nil || kept.Text != "{Loss:NaN Note:}" || kept.Reason == "" {
		t.Errorf("kept = %+v, %v", kept, err)
	}
}

func TestConcurrentEventsDoNotMix(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	w, err := NewWriter(path, "", "")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 50 {
				w.Emit("k", map[string]int{"i": i, "j": j})
			}
		})
	}
	group.Wait()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	events, err := Read(path)
	if err != nil || len(events) != 400 {
		t.Fatalf("Read = %d events, %v; want 400", len(events), err)
	}
}

func TestAFileIsFollowedAsItGrows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	w, err := NewWriter(path, "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var offset int64
	for i := range 3 {
		w.Emit(fmt.Sprint("k", i), nil)
		events, next, err := ReadFrom(path, offset)
		if err != nil || len(events) != 1 || events[0].Kind != fmt.Sprint("k", i) {
			t.Fatalf("step %d: %v, %v", i, events, err)
		}
		offset = next
	}
}

func TestTailReadsTheLastEvents(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	w, err := NewWriter(path, "", "")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		w.Emit(fmt.Sprint("k", i), string(bytes.Repeat([]byte("字"), 5000)))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 3, 39, 40, 100} {
		events, err := Tail(path, n)
		if err != nil || len(events) != min(n, 40) || events[len(events)-1].Kind != "k39" {
			t.Errorf("Tail(%d) = %d events, %v", n, len(events), err)
		}
	}
}

func TestEmittingAfterCloseIsAnError(t *testing.T) {
	w, err := NewWriter(filepath.Join(t.TempDir(), "events.jsonl"), "", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w.Emit("late", nil)
	if w.Err() == nil || w.Close() == nil {
		t.Error("an event that could not be written left no error")
	}
}

func TestTeeReachesEverySink(t *testing.T) {
	var a, b int
	sink := Tee(Func(func(string, any) { a++ }), nil, Func(func(string, any) { b++ }))
	sink.Emit("x", nil)
	Tee().Emit("x", nil)
	if a != 1 || b != 1 {
		t.Errorf("a, b = %d, %d; want 1, 1", a, b)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"time":"2026-01-01T00:00:00Z","kind":"a","payload":{"x":1}}`))
	f.Add([]byte(`{"kind":""}`))
	f.Add([]byte("\xff"))
	f.Fuzz(func(t *testing.T, line []byte) {
		e, err := Parse(line)
		if err != nil {
			return
		}
		again, err := Parse(bytes.TrimSuffix(encode(e), []byte("\n")))
		if err != nil || again.Kind != e.Kind || !again.Time.Equal(e.Time) {
			a, _ := json.Marshal(e)
			t.Fatalf("%s does not come back: %v", a, err)
		}
	})
}
