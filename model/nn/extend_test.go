package nn_test

import (
	"math"
	"slices"
	"testing"

	"lian/compute"
	"lian/compute/ref"
	"lian/model/nn"
)

// TestNewRowsAreMeansOfOldOnes adds three tokens to a vocabulary of five, one of them
// in the place of the last.
func TestNewRowsAreMeansOfOldOnes(t *testing.T) {
	b := ref.New()
	d, err := nn.Initialise(b, nn.Spec{Family: "llama", Vocab: 5, Hidden: 8, Layers: 1, Context: 16, Norm: nn.Norm{Epsilon: 1e-5},
		Block: nn.Block{Attention: nn.Attention{Heads: 2, KVHeads: 1, HeadSize: 4, RoPE: nn.RoPE{Theta: 10000, Rotary: 4}}, FeedForward: nn.FeedForward{Hidden: 16}}}, 3, 0)
	if err != nil {
		t.Fatal(err)
	}
	grown, err := d.Extend(b, 4, [][]int32{{0, 1}, {}, {4}}, 8)
	if err != nil {
		t.Fatal(err)
	}
	s := b.NewStream()
	rows := func(d *nn.Decoder, name string) []float32 {
		w := d.Parameters().Get(name)
		out := make([]float32, w.Elements())
		if err := s.Read(w, compute.HostBytes(out)); err != nil {
			t.Fatal(err)
		}
		return out
	}
	for _, name := range []string{"embedding", "head"} {
		was, is := rows(d, name), rows(grown, name)
		if len(is) != 8*8 || !slices.Equal(was[:4*8], is[:4*8]) {
			t.Fatalf("%s: %d values, or the old rows have changed", name, len(is))
		}
		for k := range 8 {
			all := 0.0
			for r := range 5 {
				all += float64(was[8*r+k]) / 5
			}
			for row, want := range map[int]float64{4: (float64(was[k]) + float64(was[8+k])) / 2, 5: all, 6: float64(was[4*8+k]), 7: all} {
				if got := float64(is[8*row+k]); math.Abs(got-want) > 1e-7 {
					t.Errorf("%s: row %d, column %d is %v, want %v", name, row, k, got, want)
				}
			}
		}
	}
	if grown.Spec.Vocab != 8 || d.Spec.Vocab != 5 {
		t.Errorf("vocabularies of %d and %d", grown.Spec.Vocab, d.Spec.Vocab)
	}
	if _, err := d.Extend(b, 5, [][]int32{{5}}, 0); err == nil {
		t.Error("a row that is not there was taken")
	}
}
