package sample

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestZeroParamsAreGreedyAndTiesGoToTheLowestID(t *testing.T) {
	s := New(Params{})
	if got := s.Next([]float32{1, 3, 3, 2}, 0); got != 1 {
		t.Fatalf("got token %d, want 1", got)
	}
}

func TestMaskedTokensAreNeverChosen(t *testing.T) {
	inf := float32(math.Inf(-1))
	nan := float32(math.NaN())
	for _, temperature := range []float32{0, 1, 5} {
		s := New(Params{Temperature: temperature})
		for position := range 200 {
			if got := s.Next([]float32{inf, 1, inf, 1, nan}, position); got != 1 && got != 3 {
				t.Fatalf("temperature %v: chose masked token %d", temperature, got)
			}
		}
		if got := s.Next([]float32{inf, inf}, 0); got != -1 {
			t.Fatalf("temperature %v: all masked gave %d, want -1", temperature, got)
		}
	}
}

func TestPlusInfinityForces(t *testing.T) {
	s := New(Params{Temperature: 1})
	if got := s.Next([]float32{0, float32(math.Inf(1)), 9}, 3); got != 1 {
		t.Fatalf("got %d, want 1", got)
	}
}

func TestLogitsAreLeftAlone(t *testing.T) {
	logits := []float32{3, 1, 2}
	s := New(Params{Temperature: 1, RepetitionPenalty: 2, LogitBias: map[int32]float32{0: 1, 99: 1}, TopK: 2, TopP: 0.9, MinP: 0.1})
	s.Prompt([]int32{0, 77})
	s.Next(logits, 0)
	if !slices.Equal(logits, []float32{3, 1, 2}) {
		t.Fatalf("logits became %v", logits)
	}
}

// A choice must not depend on what the sampler drew before: (seed, position) is the whole key.
func TestTheDrawDependsOnSeedAndPositionOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		logits := rapid.SliceOfN(rapid.Float32Range(-5, 5), 2, 40).Draw(t, "logits")
		p := Params{
			Temperature: rapid.Float32Range(0.1, 2).Draw(t, "temperature"), TopK: rapid.IntRange(0, 50).Draw(t, "k"),
			TopP: rapid.Float32Range(0, 1).Draw(t, "p"), MinP: rapid.Float32Range(0, 1).Draw(t, "min p"), Seed: rapid.Uint64().Draw(t, "seed"),
		}
		position := rapid.IntRange(0, 1000).Draw(t, "position")
		fresh := New(p).Next(logits, position)
		used := New(p)
		for i := range 3 {
			used.Next(logits, i)
		}
		if got := used.Next(logits, position); got != fresh {
			t.Fatalf("position %d: %d from a fresh sampler, %d from a used one", position, fresh, got)
		}
	})
}

func TestSamplingFollowsTheDistribution(t *testing.T) {
	logits := []float32{float32(math.Log(0.5)), float32(math.Log(0.3)), float32(math.Log(0.2))}
	s := New(Params{Temperature: 1, Seed: 7})
	var counts [3]int
	const n = 20000
	for i := range n {
		counts[s.Next(logits, i)]++
	}
	for i, want := range []float64{0.5, 0.3, 0.2} {
		if got := float64(counts[i]) / n; math.Abs(got-want) > 0.02 {
			t.Errorf("token %d drawn %.3f of the time, want %.2f", i, got, want)
		}
	}
}

func TestDerivedSeedsDiffer(t *testing.T) {
	if Derive(5, 0) != 5 {
		t.Error("the first reply must keep the request's seed")
	}
	seen := map[uint64]bool{}
	for n := range 100 {
		seen[Derive(5, n)] = true
	}
	if len(seen) != 100 {
		t.Errorf("100 replies have %d seeds", len(seen))
	}
}

func TestParametersOutOfRangeAreNamed(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		why  string
		p    Params
		want string
	}{
		{"negative temperature", Params{Temperature: -1}, "temperature is -1, expected 0 to 5"},
		{"not a number", Params{TopP: nan}, "top_p is NaN, expected 0 to 1"},
		{"penalty", Params{PresencePenalty: 3}, "presence_penalty is 3, expected -2 to 2"},
		{"negative k", Params{TopK: -1}, "top_k is -1, expected 0 (all) or more"},
		{"token id", Params{LogitBias: map[int32]float32{-4: 1}}, "logit_bias has token id -4, expected 0 or more"},
		{"bias", Params{LogitBias: map[int32]float32{4: nan}}, "logit_bias of token 4 is NaN, expected a finite number"},
	} {
		if err := c.p.Validate(); err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", c.why, err, c.want)
		}
	}
	if err := (Params{Temperature: 1, TopP: 0.9}).Validate(); err != nil {
		t.Error(err)
	}
}
