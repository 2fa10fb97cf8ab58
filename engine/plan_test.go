package engine

import (
	"strings"
	"testing"

	"lian/model"
	"lian/model/nn"
)

// TestThePlanIsWhatIsAllocated: the bytes of every group, of every type, are those of the cache's tensors.
func TestThePlanIsWhatIsAllocated(t *testing.T) {
	b, m, tok := tinyOn(t, func(s *nn.Spec) { s.Vary(func(l int, b *nn.Block) { b.Attention.Window = 45 * (l % 2) }) })
	for _, kv := range []model.KVType{model.KVF32, model.KVBF16, model.KVInt8, model.KVInt4} {
		o := Options{KV: kv, CacheTokens: 1000, Sequences: 5, StepTokens: 64}
		e, err := build(b, m, tok, o)
		if err != nil {
			t.Fatal(err)
		}
		bytes := int64(0)
		for l := range e.cache.Keys {
			bytes += int64(e.cache.Keys[l].Bytes() + e.cache.Values[l].Bytes())
			if s := e.cache.KeyScales[l]; s != nil {
				bytes += int64(s.Bytes() + e.cache.ValueScales[l].Bytes())
			}
		}
		p := planOf(t, m.Info(), Loaded{}, o)
		if p.Cache != bytes || len(p.Groups) != 2 || p.Groups[0].Blocks != 32 || p.Groups[1].Blocks >= 32 {
			t.Errorf("%s: planned %+v, allocated %d", kv, p, bytes)
		}
	}
}

func TestFitUsesWhatThereIs(t *testing.T) {
	_, m, _ := tinyOn(t, nil)
	o := Options{StepTokens: 16, Sequences: 9}
	with := Loaded{Weights: 1000}
	whole := planOf(t, m.Info(), with, Options{StepTokens: 16, Sequences: 9, CacheTokens: 9 * 160})
	fitted, plan, err := Fit(m.Info(), with, o, whole.Total)
	if err != nil || fitted.Context != 160 || fitted.Sequences != 9 || plan.Total != whole.Total {
		t.Errorf("for all of %d: %+v, %+v, %v", whole.Total, fitted, plan, err)
	}
	fitted, plan, err = Fit(m.Info(), with, o, whole.Total/2)
	if err != nil || fitted.Context != 160 || fitted.Sequences < 2 || fitted.Sequences > 5 || plan.Total > whole.Total/2 {
		t.Errorf("for half of it: %+v, %+v, %v", fitted, plan, err)
	}
	if _, _, err := Fit(m.Info(), with, o, 2000); err == nil {
		t.Error("2000 bytes were enough")
	}
}

func planOf(t *testing.T, i model.Info, with Loaded, o Options) Plan {
	t.Helper()
	p, err := PlanFor(i, with, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestThePlanCountsTheDraftAndTheAdapters: the draft's cache is what draft.NewModel allocates.
func TestThePlanCountsTheDraftAndTheAdapters(t *testing.T) {
	b, m, tok := tinyOn(t, nil)
	_, small, _ := tinyOn(t, func(s *nn.Spec) { s.Layers, s.Context = 1, 100 })
	o := Options{Drafting: Drafting{Draft: "small"}}
	e, err := build(b, m, tok, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.DraftWith(small, tok, nil); err != nil {
		t.Fatal(err)
	}
	info := small.Info()
	alone := planOf(t, m.Info(), Loaded{}, o)
	with := planOf(t, m.Info(), Loaded{Adapters: 300, Draft: &info, DraftWeights: 7}, o)
	if want := e.speculation.model.CacheBytes() + 7; with.Draft != want || with.Total-alone.Total != want+300 {
		t.Errorf("planned %d for the draft, allocated %d; total %d, alone %d", with.Draft, want, with.Total, alone.Total)
	}
}

// TestNoSizeIsChangedInSilence: what an engine cannot have is an error that says what to do.
func TestNoSizeIsChangedInSilence(t *testing.T) {
	b, m, tok := tinyOn(t, nil)
	for why, o := range map[string]Options{
		"context is 161 tokens, and the model was made for 160; ask for at most that, read further with self-extend": {Context: 161},
		"cache_tokens is 96, less than one context of 160 tokens; raise it, or ask for a context of at most 96":      {CacheTokens: 96},
		"step_tokens is -1": {StepTokens: -1},
		"give one of them":  {CacheFolder: CacheFolder{CacheDir: t.TempDir()}, NoPrefix: true},
		"expected auto":     {KV: "int3"},
	} {
		if _, err := build(b, m, tok, o); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%+v: %v, expected %q", o, err, why)
		}
		if _, err := PlanFor(m.Info(), Loaded{}, o); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("planned %+v: %v, expected %q", o, err, why)
		}
	}
	if o, err := (Options{Context: 64, CacheTokens: 96}).For(m.Info()); err != nil || o.Context != 64 || o.CacheTokens != 96 || o.Sequences != 32 {
		t.Errorf("%+v, %v", o, err)
	}
}
