package step

import (
	"context"
	"fmt"
	"math"
	"path/filepath"

	"lian/compute"
	"lian/model"
	"lian/model/adapter"
	"lian/model/checkpoint"
	"lian/store"
)

// MergeReport says how near the merged model is to the adapter over its base.
type MergeReport struct {
	Model         string  `json:"model"`
	MaxDifference float64 `json:"max_difference"` // between logits
	Tolerance     float64 `json:"tolerance"`
	Positions     int     `json:"positions"`
	SameGreedy    int     `json:"same_greedy"`
}

// mergeTolerance is the largest difference of logits that rounding explains.
const mergeTolerance = 1e-2

// Merge writes base with an adapter merged in as dir/model and checks its logits on ids against those of the adapter over the base.
func Merge(ctx context.Context, base, adapterDir, dir string, ids [][]int32) (MergeReport, error) {
	r := MergeReport{Model: filepath.Join(dir, "model"), Tolerance: mergeTolerance}
	b, err := Backend()
	if err != nil {
		return r, err
	}
	m, err := OpenModel(base, b, checkpoint.Options{Float32: true})
	if err != nil {
		return r, err
	}
	defer m.Close()
	l, err := adapter.Load(adapterDir, b, m.Model, m.Bindings)
	if err != nil {
		return r, err
	}
	if err := l.Prepare(b.NewStream(), m.Model); err != nil {
		return r, err
	}
	adapted, err := allLogits(ctx, b, m.Model, l, ids)
	if err != nil {
		return r, err
	}
	if err := l.Merge(b.NewStream(), m.Model); err != nil {
		return r, err
	}
	if err := saveModel(r.Model, b.NewStream(), m.Family, m.Model, m.Config, m.Tokenizer, m.Template, m.Separator, true); err != nil {
		return r, err
	}
	again, err := OpenModel(r.Model, b, checkpoint.Options{})
	if err != nil {
		return r, err
	}
	defer again.Close()
	merged, err := allLogits(ctx, b, again.Model, nil, ids)
	if err != nil {
		return r, err
	}
	vocab := m.Model.Spec.Vocab
	for at := 0; at < len(adapted); at += vocab {
		bestA, bestM := 0, 0
		for i := range vocab {
			r.MaxDifference = math.Max(r.MaxDifference, math.Abs(float64(adapted[at+i])-float64(merged[at+i])))
			if adapted[at+i] > adapted[at+bestA] {
				bestA = i
			}
			if merged[at+i] > merged[at+bestM] {
				bestM = i
			}
		}
		r.Positions++
		if bestA == bestM {
			r.SameGreedy++
		}
	}
	if r.MaxDifference > r.Tolerance {
		return r, fmt.Errorf("merged logits differ from the adapter's by %.3g, expected at most %.3g; %s is not to be trusted", r.MaxDifference, r.Tolerance, r.Model)
	}
	return r, store.WriteJSON(filepath.Join(dir, "merge.json"), r)
}

// allLogits are the logits of every position of texts, one after another.
func allLogits(ctx context.Context, b compute.Backend, m model.Model, a model.Adapter, ids [][]int32) ([]float32, error) {
	var out []float32
	s, arena := b.NewStream(), compute.NewArena(b, 1<<20)
	for _, text := range ids {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		arena.Reset()
		pass := &model.Pass{Stream: s, Arena: arena, Adapter: a, Precision: model.Exact}
		batch := &model.Batch{}
		batch.Add(text, 0, nil)
		hidden, err := m.Forward(pass, batch)
		if err != nil {
			return nil, err
		}
		part := make([]float32, len(text)*m.Info().Vocab)
		if err := s.Read(model.Logits(pass, m, hidden, nil), compute.HostBytes(part)); err != nil {
			return nil, err
		}
		out = append(out, part...)
	}
	return out, nil
}

// MergeModel is lian merge: MODEL+ADAPTER, or an adapter that names its base, written as one model folder.
func MergeModel(ctx context.Context, path, out string) (MergeReport, error) {
	base, adapterDir, ok, err := cutAdapter(path)
	if err == nil && !ok {
		adapterDir = base
		base, err = baseOf(base)
	}
	if err != nil {
		return MergeReport{}, err
	}
	// a fixed text of low ids: every vocabulary has them
	ids := make([]int32, 64)
	for i := range ids {
		ids[i] = int32(i*37%200 + 1)
	}
	return Merge(ctx, base, adapterDir, out, [][]int32{ids})
}
