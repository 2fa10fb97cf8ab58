package nn_test

import (
	"math"
	"slices"
	"testing"

	"lian/compute"
	"lian/compute/cpu"
	"lian/model"
	"lian/model/nn"
)

// plainLlama is a forward of a Llama in float64, one sequence, distances between a query and a key as `distance` says.
func plainLlama(t *testing.T, b compute.Backend, d *nn.Decoder, ids []int32, distance func(query, key int) int) [][]float64 {
	t.Helper()
	weights := func(name string) []float32 {
		v, err := model.Floats(b.NewStream(), d.Parameters().Get(name))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	product := func(name string, x []float64) []float64 {
		w := weights(name)
		out := make([]float64, len(w)/len(x))
		for i := range out {
			for j, v := range x {
				out[i] += float64(w[i*len(x)+j]) * v
			}
		}
		return out
	}
	norm := func(name string, x []float64) []float64 {
		w, sum := weights(name), 0.0
		for _, v := range x {
			sum += v * v
		}
		out := make([]float64, len(x))
		for i, v := range x {
			out[i] = v / math.Sqrt(sum/float64(len(x))+float64(d.Spec.Norm.Epsilon)) * float64(w[i])
		}
		return out
	}
	s := d.Spec
	a, hidden := s.Attention, s.Hidden
	table, stream := weights("embedding"), make([][]float64, len(ids))
	for i, id := range ids {
		for _, v := range table[int(id)*hidden:][:hidden] {
			stream[i] = append(stream[i], float64(v))
		}
	}
	for l := range s.Layers {
		at := "layers." + string(rune('0'+l)) + "."
		var q, k, v [][]float64
		for _, x := range stream {
			h := norm(at+"attention_norm", x)
			q, k, v = append(q, product(at+"attention.q", h)), append(k, product(at+"attention.k", h)), append(v, product(at+"attention.v", h))
		}
		for i := range stream {
			mixed := make([]float64, a.Heads*a.HeadSize)
			for h := range a.Heads {
				g, scores, total := h/(a.Heads/a.KVHeads), make([]float64, i+1), 0.0
				for j := range scores {
					for p := range a.HeadSize / 2 { // a pair turned by the distance
						angle := float64(distance(i, j)) * math.Pow(a.RoPE.Theta, -2*float64(p)/float64(a.HeadSize))
						x, y := q[i][h*a.HeadSize+p], q[i][h*a.HeadSize+p+a.HeadSize/2]
						u, w := k[j][g*a.HeadSize+p], k[j][g*a.HeadSize+p+a.HeadSize/2]
						scores[j] += (x*u+y*w)*math.Cos(angle) + (x*w-y*u)*math.Sin(angle)
					}
					scores[j] = math.Exp(scores[j] / math.Sqrt(float64(a.HeadSize)))
					total += scores[j]
				}
				for j, p := range scores {
					for c := range a.HeadSize {
						mixed[h*a.HeadSize+c] += p / total * v[j][g*a.HeadSize+c]
					}
				}
			}
			for c, o := range product(at+"attention.o", mixed) {
				stream[i][c] += o
			}
			h := norm(at+"feed_forward_norm", stream[i])
			gate, up := product(at+"feed_forward.gate", h), product(at+"feed_forward.up", h)
			for c, g := range gate {
				up[c] *= g / (1 + math.Exp(-g))
			}
			for c, o := range product(at+"feed_forward.down", up) {
				stream[i][c] += o
			}
		}
	}
	for i := range stream {
		stream[i] = norm("norm", stream[i])
	}
	return stream
}

// TestSelfExtendIsTheFormula of arXiv 2401.01325, and cached chunks are one forward.
func TestSelfExtendIsTheFormula(t *testing.T) {
	b := cpu.New(2)
	make1 := func() *nn.Decoder {
		d, err := nn.Initialise(b, nn.Spec{Family: "llama", Vocab: 50, Hidden: 32, Layers: 2, Context: 24, Norm: nn.Norm{Epsilon: 1e-5}, TiedEmbedding: true, Block: nn.Block{
			Attention:   nn.Attention{Heads: 4, KVHeads: 2, HeadSize: 8, RoPE: nn.RoPE{Theta: 10000, Rotary: 8}},
			FeedForward: nn.FeedForward{Hidden: 40}}}, 3, 0.2)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	plain, extended := make1(), make1()
	e := nn.SelfExtend{Group: 3, Window: 10}
	if err := extended.ExtendContext(e); err != nil {
		t.Fatal(err)
	}
	if got := extended.Info().Context; got != (24-10)*3+10 {
		t.Errorf("the context became %d", got)
	}
	ids := make([]int32, 45)
	for i := range ids {
		ids[i] = int32(i * 17 % 50)
	}
	run := func(d *nn.Decoder, cuts ...int) []float32 {
		s := b.NewStream()
		p := &model.Pass{Stream: s, Arena: compute.NewArena(b, 1<<16), Precision: model.Exact}
		if cuts != nil {
			p.Cache = model.NewCache(b, d.Info(), model.KVF32, 16, 6)
		}
		var out []float32
		from := 0
		for _, to := range append(cuts, len(ids)) {
			batch := &model.Batch{}
			if p.Cache != nil {
				batch.Add(ids[from:to], from, p.Cache.Alike([]int32{4, 1, 3, 0, 5}[:(to+15)/16]))
			} else {
				batch.Add(ids[from:to], from, nil)
			}
			x, err := d.Forward(p, batch)
			if err != nil {
				t.Fatal(err)
			}
			rows := make([]float32, x.Elements())
			if err := s.Read(x, compute.HostBytes(rows)); err != nil {
				t.Fatal(err)
			}
			out, from = append(out, rows...), to
			p.Arena.Reset()
		}
		return out
	}
	apart := func(got []float32, want [][]float64) (most float64) {
		for i, row := range want {
			for c, v := range row {
				most = max(most, math.Abs(float64(got[i*len(row)+c])-v))
			}
		}
		return most
	}
	ordinary := func(q, k int) int { return q - k }
	if d := apart(run(plain), plainLlama(t, b, plain, ids, ordinary)); d > 1e-3 {
		t.Fatalf("without self-extend the plain forward is off by %v", d)
	}
	grouped := func(q, k int) int {
		if q-k < e.Window {
			return q - k
		}
		return q/e.Group + e.Window - e.Window/e.Group - k/e.Group
	}
	whole := run(extended)
	if d := apart(whole, plainLlama(t, b, extended, ids, grouped)); d > 1e-3 {
		t.Errorf("with self-extend it is off by %v", d)
	}
	for _, cuts := range [][]int{{1, 2, 3}, {10, 11, 12, 30, 31}, {16, 32}, {44}} {
		if got := run(extended, cuts...); !slices.Equal(got, whole) {
			t.Errorf("cut at %v the rows are others", cuts)
		}
	}
}

func TestSelfExtendRefusesOtherPositions(t *testing.T) {
	b := cpu.New(1)
	for name, spec := range parts() {
		d, err := nn.Initialise(b, spec, 3, 0.5)
		if err != nil {
			t.Fatal(err)
		}
		err = d.ExtendContext(nn.SelfExtend{Group: 4, Window: 16})
		t.Logf("%s: %v", name, err)
	}
	d := small(t, b)
	for _, e := range []nn.SelfExtend{{}, {Group: 1, Window: 4}, {Group: 2}, {Group: 2, Window: 128}} {
		if d.ExtendContext(e) == nil {
			t.Errorf("%+v was accepted", e)
		}
	}
}
