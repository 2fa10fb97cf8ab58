package nn_test

import (
	"math"
	"testing"

	"lian/compute"
	"lian/compute/cpu"
	"lian/model"
	"lian/model/nn"
)

// TestAttentionMapsMixTheValuesIntoWhatComesOut: for every kind of attention, with a cache and without, the weights times the values
// are the attention's own result. Scores of these weights are large, so that their last bits show.
func TestAttentionMapsMixTheValuesIntoWhatComesOut(t *testing.T) {
	each(t, func(t *testing.T, b compute.Backend, d *nn.Decoder) { mapsMix(t, b, d) })
}

func mapsMix(t *testing.T, b compute.Backend, d *nn.Decoder) {
	t.Helper()
	s, seen := b.NewStream(), 0
	look := func(layer int, o *compute.Attention) {
		maps, err := model.AttentionMaps(s, o)
		if err != nil {
			t.Fatal(err)
		}
		v, err := model.Floats(s, o.V)
		if err != nil {
			t.Fatal(err)
		}
		out, err := model.Floats(s, o.Out)
		if err != nil {
			t.Fatal(err)
		}
		row, heads, kvHeads, size := 0, o.Q.Shape[1], o.V.Shape[1], o.V.Shape[2]
		for n, m := range maps {
			for i := range m.Queries {
				for h := range heads {
					for c := range size {
						sum := 0.0
						for j := range m.Keys {
							sum += float64(m.Weights[(h*m.Queries+i)*m.Keys+j]) * float64(v[((row+j)*kvHeads+h/(heads/kvHeads))*size+c])
						}
						if got := float64(out[((row+i)*heads+h)*size+c]); math.Abs(got-sum) > 1e-3*max(1, math.Abs(sum)) {
							t.Fatalf("layer %d sequence %d query %d head %d: %v comes out, the map gives %v", layer, n, i, h, got, sum)
						}
					}
				}
			}
			row += m.Queries
		}
		seen++
	}
	p := &model.Pass{Stream: s, Arena: compute.NewArena(b, 1<<16), Precision: model.Exact, Taps: model.Taps{Attention: look}}
	batch := &model.Batch{}
	batch.Add([]int32{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8}, 0, nil)
	batch.Add([]int32{2, 7}, 0, nil)
	if _, err := d.Forward(p, batch); err != nil {
		t.Fatal(err)
	}
	if seen != d.Spec.Layers {
		t.Errorf("%d layers were seen of %d", seen, d.Spec.Layers)
	}
}

// TestAttentionMapsAreTheSameOverTheCache, whose rows lie in blocks.
func TestAttentionMapsAreTheSameOverTheCache(t *testing.T) {
	b := cpu.New(1)
	d := small(t, b)
	ids := make([]int32, 40)
	for i := range ids {
		ids[i] = int32(i * 7 % 300)
	}
	var last [2][]float32
	for c := range 2 {
		s := b.NewStream()
		p := &model.Pass{Stream: s, Arena: compute.NewArena(b, 1<<16), Precision: model.Exact}
		p.Taps.Attention = func(layer int, o *compute.Attention) {
			maps, err := model.AttentionMaps(s, o)
			if err != nil {
				t.Fatal(err)
			}
			m := maps[0]
			last[c] = m.Weights[(m.Heads-1)*m.Queries*m.Keys+(m.Queries-1)*m.Keys:][:m.Keys] // of the last head's last query
		}
		from := 0
		batch := &model.Batch{}
		if c == 1 {
			p.Cache = model.NewCache(b, d.Info(), model.KVF32, 16, 8)
			first := &model.Batch{}
			first.Add(ids[:25], 0, p.Cache.Alike([]int32{3, 1}))
			if _, err := d.Forward(p, first); err != nil {
				t.Fatal(err)
			}
			from = 25
			batch.Add(ids[from:], from, p.Cache.Alike([]int32{3, 1, 5}))
		} else {
			batch.Add(ids, 0, nil)
		}
		if _, err := d.Forward(p, batch); err != nil {
			t.Fatal(err)
		}
	}
	for i := range last[0] {
		if math.Abs(float64(last[0][i]-last[1][i])) > 1e-6 {
			t.Fatalf("key %d has %v without the cache, %v with it", i, last[0][i], last[1][i])
		}
	}
}
