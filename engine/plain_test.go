package engine

import (
	"math"
	"testing"

	"lian/compute"
	"lian/model"
)

// What the tests compare with: one sequence, no cache, sums in float64.

func floatBytes(values []float32) []byte { return compute.HostBytes(values) }

// rowsOf are the logits after each token of a text.
func rowsOf(t *testing.T, b compute.Backend, m model.Model, ids []int32) [][]float32 {
	t.Helper()
	batch := &model.Batch{}
	batch.Add(ids, 0, nil)
	pass := &model.Pass{Stream: b.NewStream(), Arena: compute.NewArena(b, 1<<16), Precision: model.Exact}
	hidden, err := m.Forward(pass, batch)
	if err != nil {
		t.Fatal(err)
	}
	vocab := m.Info().Vocab
	all := make([]float32, len(ids)*vocab)
	if err := pass.Stream.Read(model.Logits(pass, m, hidden, nil), floatBytes(all)); err != nil {
		t.Fatal(err)
	}
	rows := make([][]float32, len(ids))
	for i := range rows {
		rows[i] = all[i*vocab : (i+1)*vocab]
	}
	return rows
}

func plainLogSoftmax(row []float32) []float64 {
	most, sum := math.Inf(-1), 0.0
	for _, l := range row {
		most = max(most, float64(l))
	}
	for _, l := range row {
		sum += math.Exp(float64(l) - most)
	}
	out := make([]float64, len(row))
	for i, l := range row {
		out[i] = float64(l) - most - math.Log(sum)
	}
	return out
}
