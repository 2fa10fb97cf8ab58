package engine

import (
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
		p := PlanFor(m.Info(), 0, o)
		if p.Cache != bytes || len(p.Groups) != 2 || p.Groups[0].Blocks != 32 || p.Groups[1].Blocks >= 32 {
			t.Errorf("%s: planned %+v, allocated %d", kv, p, bytes)
		}
	}
}

func TestFitUsesWhatThereIs(t *testing.T) {
	_, m, _ := tinyOn(t, nil)
	o := Options{StepTokens: 16, Sequences: 9}
	whole := PlanFor(m.Info(), 1000, Options{StepTokens: 16, Sequences: 9, CacheTokens: 9 * 160})
	fitted, plan, err := Fit(m.Info(), 1000, o, whole.Total)
	if err != nil || fitted.Context != 160 || fitted.Sequences != 9 || plan.Total != whole.Total {
		t.Errorf("for all of %d: %+v, %+v, %v", whole.Total, fitted, plan, err)
	}
	fitted, plan, err = Fit(m.Info(), 1000, o, whole.Total/2)
	if err != nil || fitted.Context != 160 || fitted.Sequences < 2 || fitted.Sequences > 5 || plan.Total > whole.Total/2 {
		t.Errorf("for half of it: %+v, %+v, %v", fitted, plan, err)
	}
	if _, _, err := Fit(m.Info(), 1000, o, 2000); err == nil {
		t.Error("2000 bytes were enough")
	}
}
