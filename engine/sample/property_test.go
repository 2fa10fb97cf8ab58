package sample

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"lian/random"
)

// anyParams are parameters that Validate accepts, most steps off most of the time.
func anyParams(t *rapid.T) Params {
	maybe := func(name string, low, high float32) float32 {
		if rapid.IntRange(0, 3).Draw(t, name+" on") > 0 {
			return 0
		}
		return rapid.Float32Range(low, high).Draw(t, name)
	}
	count := func(name string, most int) int {
		if rapid.IntRange(0, 3).Draw(t, name+" on") > 0 {
			return 0
		}
		return rapid.IntRange(0, most).Draw(t, name)
	}
	p := Params{
		Temperature: rapid.SampledFrom([]float32{0, 1e-40, 0.01, 0.7, 1, 5}).Draw(t, "temperature"), TopK: count("top_k", 80),
		TopP: maybe("top_p", 0, 1), MinP: maybe("min_p", 0, 1), TypicalP: maybe("typical_p", 0, 1), TopNSigma: maybe("top_n_sigma", 0, 3),
		XTCProbability: maybe("xtc", 0, 1), XTCThreshold: rapid.Float32Range(0, 1).Draw(t, "xtc threshold"), MinKeep: count("min_keep", 10),
		DynatempRange: maybe("dynatemp", 0, 5), DynatempExponent: rapid.Float32Range(0, 10).Draw(t, "exponent"),
		RepetitionPenalty: maybe("repetition", 0.1, 10), PresencePenalty: maybe("presence", -2, 2), FrequencyPenalty: maybe("frequency", -2, 2),
		RepeatLastN: count("last", 5), NoRepeatNGram: count("ngram", 3), DRYMultiplier: maybe("dry", 0, 100), DRYBase: rapid.Float32Range(1, 10).Draw(t, "base"),
		DRYAllowedLength: count("allowed", 3), DRYLastN: count("dry last", 9), DRYBreakers: []string{"b"}, Seed: rapid.Uint64().Draw(t, "seed"), MinTokens: count("min_tokens", 4),
		Mirostat: rapid.SampledFrom([]int{0, 0, 0, 2}).Draw(t, "mirostat"), MirostatTau: rapid.Float32Range(0.1, 10).Draw(t, "tau"), MirostatEta: rapid.Float32Range(0, 1).Draw(t, "eta"),
	}
	if rapid.Bool().Draw(t, "llama.cpp") {
		p.Order = []string{LlamaCpp}
	} else {
		p.TopH, p.EpsilonCutoff, p.EtaCutoff = maybe("top_h", 0, 1), maybe("epsilon", 0, 1), maybe("eta", 0, 1)
	}
	if rapid.Bool().Draw(t, "biased") {
		p.LogitBias = map[int32]float32{3: rapid.Float32Range(-100, 100).Draw(t, "bias"), 999: 1}
		p.Banned = [][]int32{{1}, {2, 4}, {2000}}
		p.SequenceBias = []SequenceBias{{[]int32{2, 5}, 3}, {[]int32{7}, minusInfinity}}
	}
	return p
}

// TestWhateverTheParametersAreOnlyAllowedTokensAreChosen over rows with infinities, NaN and ties, with and without a mask.
func TestWhateverTheParametersAreOnlyAllowedTokensAreChosen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anyParams(t)
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		n := rapid.SampledFrom([]int{1, 2, 20, 64, 130, 700}).Draw(t, "vocabulary")
		r := random.New(rapid.Uint64().Draw(t, "row"))
		scale := rapid.SampledFrom([]float64{0, 1, 5, 1e30}).Draw(t, "scale")
		odd := rapid.SampledFrom([]int{0, 0, 3, 30}).Draw(t, "odd")
		row := make([]float32, n)
		for i := range row {
			row[i] = float32(scale * r.Normal(i))
			if odd > 0 && r.Int(n+i, 100) < odd {
				row[i] = []float32{minusInfinity, float32(math.NaN()), row[0], float32(math.Inf(1))}[r.Int(2*n+i, 4)]
			}
		}
		var mask []uint64
		if rapid.Bool().Draw(t, "masked") {
			mask = make([]uint64, (n+63)/64)
			for i := range n {
				if r.Int(3*n+i, 10) < rapid.SampledFrom([]int{1, 5, 10}).Draw(t, "density") {
					mask[i/64] |= 1 << (i % 64)
				}
			}
		}
		s, again := New(p), New(p)
		for _, x := range []*Sampler{s, again} {
			x.Texts(func(id int32) []byte { return []byte{'a' + byte(id%26)} })
			x.Stops([]int32{0, 6})
			x.Prompt([]int32{2, 4, 2, 4})
		}
		before := slices.Clone(row)
		for position := range 8 {
			possible := false
			for i, l := range row {
				possible = possible || l > minusInfinity && (mask == nil || mask[i/64]>>(i%64)&1 != 0)
			}
			id := s.NextWithin(row, mask, position)
			if other := again.NextWithin(row, mask, position); other != id {
				t.Fatalf("position %d: %d, and %d when asked again", position, id, other)
			}
			for i := range row {
				if math.Float32bits(row[i]) != math.Float32bits(before[i]) {
					t.Fatalf("logit %d is %v, it was %v", i, row[i], before[i])
				}
			}
			if id < 0 {
				if possible && p.Banned == nil && p.NoRepeatNGram == 0 && p.MinTokens == 0 && p.RepetitionPenalty == 0 {
					t.Fatalf("position %d: no token, and there were some", position)
				}
				continue
			}
			switch {
			case int(id) >= n, !(row[id] > minusInfinity):
				t.Fatalf("token %d is none or has logit %v", id, row[min(int(id), n-1)])
			case mask != nil && mask[id/64]>>(id%64)&1 == 0:
				t.Fatalf("token %d is outside the mask", id)
			case position < p.MinTokens && (id == 0 || id == 6):
				t.Fatalf("the reply ends at token %d of at least %d", position, p.MinTokens)
			case p.Banned != nil && (id == 1 || id == 7):
				t.Fatalf("token %d is banned", id)
			}
		}
	})
}

// TestSelectionIsTheSortedBeginning holds prefix against sorting.
func TestSelectionIsTheSortedBeginning(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 200).Draw(t, "n")
		items := make([]item, n)
		for i := range items {
			items[i] = item{float64(rapid.IntRange(0, 9).Draw(t, "key")), int32(i), float64(rapid.IntRange(0, 4).Draw(t, "weight"))}
		}
		weight, count := float64(rapid.IntRange(0, 300).Draw(t, "wanted")), rapid.IntRange(0, n+2).Draw(t, "count")
		sorted := slices.Clone(items)
		slices.SortFunc(sorted, func(a, b item) int {
			if a.before(b) {
				return -1
			}
			return 1
		})
		want, sum := sorted[n-1], 0.0
		for i, x := range sorted {
			if sum += x.weight; sum >= weight && i+1 >= count {
				want = x
				break
			}
		}
		if got := prefix(items, weight, count); got != want {
			t.Fatalf("the beginning of weight %v and %d items ends with %v, expected %v", weight, count, got, want)
		}
	})
}

// TestLongRowsKeepWhatASortKeeps: the steps look at parts of long rows only; here everything is sorted.
func TestLongRowsKeepWhatASortKeeps(t *testing.T) {
	for _, n := range []int{1000, 5000, 49152} {
		for _, sharp := range []float64{0, 3, 12} {
			row := logitsOf(n, sharp, uint64(n))
			for _, p := range []Params{{TopK: 1}, {TopK: 40}, {TopK: 3000}, {TopP: 0.3}, {TopP: 0.95}, {TopP: 0.999}, {TopP: 0.5, MinKeep: 70}, {MinP: 0.05}, {TypicalP: 0.3}, {TypicalP: 0.95}, {TopNSigma: 1}, {EpsilonCutoff: 1e-3}} {
				p.Temperature = 1.3
				s := New(p)
				s.adjust(row)
				s.begin(row, nil)
				s.narrow()
				got := len(s.pool.all())
				list := make([]candidate, n)
				for i, l := range row {
					list[i] = candidate{int32(i), l / 1.3}
				}
				whole := New(p) // the same steps over a list, which has no parts
				whole.pool.rows(row)
				whole.pool.listed, whole.pool.list = true, list
				for _, step := range whole.steps {
					if step.name != "temperature" {
						step.narrow(whole, &whole.pool)
					}
				}
				if want := len(whole.pool.list); got < want-1 || got > want+1 { // float32 sums differ in the last bits
					t.Errorf("%d tokens, sharpness %v, %+v: kept %d, of a list %d", n, sharp, p, got, want)
				}
			}
		}
	}
}

// TestDrawsFollowTheirProbabilities: Pearson's chi-square over fixed seeds, for a list and for a whole row.
func TestDrawsFollowTheirProbabilities(t *testing.T) {
	row := []float32{0.3, -1, 2, 0.7, 1.1, -0.2, 1.9, 0, -3, 1.5}
	for _, p := range []Params{{Temperature: 1}, {Temperature: 0.6}, {Temperature: 1, TopK: 5}, {Temperature: 1.5, TopP: 0.8}, {Temperature: 1, MinP: 0.2}, {Temperature: 1, TypicalP: 0.7}, {Temperature: 0.9, TopNSigma: 1}} {
		p.Seed = 11
		s := New(p)
		s.begin(row, nil)
		s.narrow()
		expected, total := map[int32]float64{}, 0.0
		for _, x := range s.pool.all() {
			expected[x.id] = math.Exp(float64(x.logit))
			total += expected[x.id]
		}
		const n = 30000
		counts := map[int32]int{}
		for position := range n {
			counts[s.Next(row, position)]++
		}
		square := 0.0
		for id, e := range expected {
			e *= n / total
			square += (float64(counts[id]) - e) * (float64(counts[id]) - e) / e
			delete(counts, id)
		}
		// 27.9 is the quantile 0.999 for 9 degrees of freedom, fewer have less
		if square > 27.9 || len(counts) > 0 {
			t.Errorf("%+v: chi-square %.1f over %d tokens; others drawn: %v", p, square, len(expected), counts)
		}
	}
}

func TestALongReplyAllocatesNothing(t *testing.T) {
	row := logitsOf(5000, 8, 3)
	for _, p := range []Params{{}, {Temperature: 1}, {Temperature: 1, TopK: 40, TopP: 0.9, MinP: 0.05}, {Temperature: 1, TopP: 0.9, RepetitionPenalty: 1.1}, {Temperature: 1, Order: []string{LlamaCpp}, XTCProbability: 0.5, XTCThreshold: 0.1, TopK: 40}} {
		s, position := New(p), 0
		next := func() { s.Next(row, position); position++ }
		for range 3000 {
			next()
		}
		if n := testing.AllocsPerRun(200, next); n > 0 {
			t.Errorf("%+v: %v allocations a token", p, n)
		}
	}
}
