package train

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"lian/compute"
	"lian/compute/cpu"
	"lian/dtype"
	"lian/model"
	"lian/model/adapter"
	"lian/model/checkpoint"
	"lian/model/family"
	"lian/model/nn"
	"lian/train/optim"
	"lian/train/schedule"
)

// counting is a source that is a function of the step: runs of numbers.
type counting struct{}

func (counting) Step(s int) ([]Sequence, error) {
	var out []Sequence
	for r := range 4 {
		q := Sequence{}
		for i := range 5 + r {
			q.IDs = append(q.IDs, int32((s+r+i)%11))
			q.Targets = append(q.Targets, int32((s+r+i+1)%11))
		}
		out = append(out, q)
	}
	return out, nil
}

func tinySpec() nn.Spec {
	return nn.Spec{Family: "llama", Vocab: 11, Hidden: 32, Layers: 2, Context: 16, Norm: nn.Norm{Epsilon: 1e-5}, TiedEmbedding: true, Block: nn.Block{
		Attention:   nn.Attention{Heads: 4, KVHeads: 2, HeadSize: 8, RoPE: nn.RoPE{Theta: 10000, Rotary: 8}},
		FeedForward: nn.FeedForward{Hidden: 48}}}
}

func trainer(t *testing.T, workers int, folder string, lora bool) *Trainer {
	t.Helper()
	b := cpu.New(workers)
	m, err := nn.Initialise(b, tinySpec(), 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	tr := &Trainer{Backend: b, Model: m, Weights: m.Parameters(), Source: counting{}, Folder: folder,
		Options: Options{Steps: 30, Schedule: schedule.Options{LearningRate: .01, Warmup: .1, FinalRate: .1},
			Optimizer: optim.Options{Beta1: .9, Beta2: .95, Epsilon: 1e-8, Decay: .1, ClipNorm: 1}, MicroTokens: 16, SaveEvery: 7, KeepLast: 2}}
	if lora {
		bindings, err := mustFamily(t).Bindings(m.Spec)
		if err != nil {
			t.Fatal(err)
		}
		l, err := adapter.New(b, m, bindings, adapter.Config{Rank: 2, Alpha: 4}, 1)
		if err != nil {
			t.Fatal(err)
		}
		tr.Adapter, tr.Weights = l, l.Parameters()
	}
	return tr
}

func mustFamily(t *testing.T) *family.Family { t.Helper(); return familyNamed(t, "llama") }

func familyNamed(t *testing.T, name string) *family.Family {
	t.Helper()
	f, err := family.ByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// file is the model as it would be published.
func file(t *testing.T, tr *Trainer) string {
	t.Helper()
	dir := t.TempDir()
	if err := checkpoint.SaveFolder(dir, tr.Backend.NewStream(), mustFamily(t), tr.Model.(*nn.Decoder), checkpoint.FolderOptions{Type: dtype.F32}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestInterruptedRunsGiveTheSameBytes: stopped at any step, with any number of workers.
func TestInterruptedRunsGiveTheSameBytes(t *testing.T) {
	whole := trainer(t, 1, "", false)
	var first, last float64
	whole.OnStep = func(p Progress) {
		if p.Step == 1 {
			first = p.Loss
		}
		last = p.Loss
	}
	if err := whole.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if last > first/2 {
		t.Errorf("the loss went from %v to %v; expected it to halve", first, last)
	}
	want := file(t, whole)
	for _, stop := range []int{1, 7, 18, 30} {
		folder := t.TempDir()
		ctx, cancel := context.WithCancel(context.Background())
		part := trainer(t, 3, folder, false)
		part.OnStep = func(p Progress) {
			if p.Step == stop {
				cancel()
			}
		}
		if err := part.Run(ctx); stop < 30 && !errors.Is(err, context.Canceled) {
			t.Fatalf("stopped at %d: %v", stop, err)
		}
		rest := trainer(t, 2, folder, false)
		steps := 0
		rest.OnStep = func(Progress) { steps++ }
		if err := rest.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		if steps != 30-stop {
			t.Errorf("after a stop at %d, %d steps were taken again", stop, steps)
		}
		if file(t, rest) != want {
			t.Errorf("stopped at step %d, the model differs", stop)
		}
		cancel()
	}
}

func TestStateOfOtherSettingsIsRefused(t *testing.T) {
	folder := t.TempDir()
	if err := trainer(t, 1, folder, false).Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	other := trainer(t, 1, folder, false)
	other.Options.Schedule.LearningRate = .02
	if err := other.Run(context.Background()); err == nil {
		t.Error("a checkpoint made with another learning rate was continued")
	}
}

// TestAdaptersTrainOnlyThemselves: the base stays, the merged model is the adapted one, and its files load again.
func TestAdaptersTrainOnlyThemselves(t *testing.T) {
	tr := trainer(t, 2, "", true)
	before := file(t, tr)
	if err := tr.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if file(t, tr) != before {
		t.Fatal("the base's weights moved")
	}
	l := tr.Adapter.(*adapter.LoRA)
	bindings, _ := mustFamily(t).Bindings(tinySpec())
	dir := t.TempDir()
	if err := l.Save(dir, tr.Backend.NewStream(), bindings, "base"); err != nil {
		t.Fatal(err)
	}
	again, err := adapter.Load(dir, tr.Backend, tr.Model, bindings)
	if err != nil {
		t.Fatal(err)
	}
	want := logits(t, tr, l)
	if got := logits(t, tr, again); got != want {
		t.Error("a loaded adapter gives other logits")
	}
	if logits(t, tr, nil) == want {
		t.Error("the adapter changes nothing")
	}
	s := tr.Backend.NewStream()
	if err := l.Merge(s, tr.Model); err != nil {
		t.Fatal(err)
	}
	merged := logits(t, tr, nil)
	for i := range want {
		if d := want[i] - merged[i]; d > 1e-4 || d < -1e-4 {
			t.Fatalf("logit %d is %v merged, %v adapted", i, merged[i], want[i])
		}
	}
}

func logits(t *testing.T, tr *Trainer, a model.Adapter) (out [11]float32) {
	t.Helper()
	s := tr.Backend.NewStream()
	p := &model.Pass{Stream: s, Arena: compute.NewArena(tr.Backend, 1<<16), Adapter: a}
	batch := &model.Batch{}
	batch.Add([]int32{1, 2, 3}, 0, nil)
	h, err := tr.Model.Forward(p, batch)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Read(model.Logits(p, tr.Model, h, []int32{2}), compute.HostBytes(out[:])); err != nil {
		t.Fatal(err)
	}
	return out
}
