package sample

import (
	"math"
	"slices"
	"strings"
	"testing"

	"lian/random"
)

// TestMirostatIsTheFormula follows mu by arXiv 2007.14966, algorithm 2, written plainly.
func TestMirostatIsTheFormula(t *testing.T) {
	row := logitsOf(300, 4, 5)
	p := Params{Temperature: 0.9, Mirostat: 2, MirostatTau: 3, MirostatEta: 0.2, Seed: 4}
	s, mu := New(p), 6.0
	for position := range 60 {
		id := s.Next(row, position)
		total := 0.0
		for _, l := range row {
			total += math.Exp(float64(l) / 0.9)
		}
		kept := 0.0
		for _, l := range row {
			if w := math.Exp(float64(l) / 0.9); -math.Log2(w/total) <= mu {
				kept += w
			}
		}
		w := math.Exp(float64(row[id]) / 0.9)
		if surprise := -math.Log2(w / total); surprise > mu+1e-4 {
			t.Fatalf("token %d of %v bits with mu %v", id, surprise, mu)
		}
		mu -= 0.2 * (-math.Log2(w/kept) - 3)
		if math.Abs(mu-s.mu) > 1e-4 {
			t.Fatalf("after %d tokens mu is %v, expected %v", position+1, s.mu, mu)
		}
	}
}

// TestDryIsTheFormula looks for the longest repeated run before each token by trying all, in texts of few tokens.
func TestDryIsTheFormula(t *testing.T) {
	r := random.New(9)
	for trial := range 300 {
		n := 5 + r.Int(trial, 40)
		p := Params{Temperature: 1, DRYMultiplier: 0.8, DRYBase: 1.75, DRYAllowedLength: 1 + trial%3, DRYBreakers: []string{"d", "ef"}}
		if trial%4 == 0 {
			p.DRYLastN = 12
		}
		s := New(p)
		text := func(id int32) []byte { return []byte{'a' + byte(id)} }
		s.Texts(text)
		var ids []int32
		for i := range n {
			ids = append(ids, int32(r.Int(1000*trial+i, 7)))
		}
		s.Prompt(ids)
		row := make([]float32, 8)
		s.adjust(row)
		seen := ids
		if p.DRYLastN > 0 {
			seen = ids[max(0, len(ids)-p.DRYLastN):]
		}
		limit := len(seen)
		for i := len(ids) - 1; i >= 0; i-- { // tokens after the last breaker
			if ids[i] == 3 || ids[i] == 5 && i > 0 && ids[i-1] == 4 {
				limit = min(limit, len(ids)-1-i)
				break
			}
		}
		for id := range row {
			best := -1
			for end := range len(seen) - 1 {
				if seen[end+1] != int32(id) {
					continue
				}
				run := 0
				for run <= end && seen[end-run] == seen[len(seen)-1-run] {
					run++
				}
				if run = min(run, limit); run >= p.DRYAllowedLength {
					best = max(best, run)
				}
			}
			want := 0.0
			if best >= 0 && limit >= p.DRYAllowedLength && len(seen) > p.DRYAllowedLength && id != 3 {
				want = -0.8 * math.Pow(1.75, float64(best-p.DRYAllowedLength))
			}
			if math.Abs(float64(row[id])-want) > 1e-5*math.Abs(want) {
				t.Fatalf("after %v with %+v token %d has %v, expected %v", ids, p, id, row[id], want)
			}
		}
	}
}

// TestBreakersAreFoundOverTheBordersOfTokens, in the middle of characters too.
func TestBreakersAreFoundOverTheBordersOfTokens(t *testing.T) {
	b := newBreakers([]string{"链条", "\n"})
	for i, piece := range []string{"链", "条", "a", "\xe9", "\x93", "\xbe\xe6\x9d", "\xa1x", "链", "x条", "\n\n"} {
		b.add([]byte(piece), i+1)
		if want := []int{0, 2, 2, 2, 2, 2, 7, 7, 7, 10}[i]; b.at != want {
			t.Errorf("after %q the last breaker ends at token %d, expected %d", piece, b.at, want)
		}
	}
}

// TestXTCLeavesOutAtItsRate, and never all that is probable.
func TestXTCLeavesOutAtItsRate(t *testing.T) {
	row := []float32{3, 2.9, 2.8, 0, -1, -1}
	s := New(Params{Temperature: 1, TopK: 6, XTCProbability: 0.3, XTCThreshold: 0.1, Seed: 2, Order: []string{LlamaCpp}})
	without := 0
	const n = 20000
	for position := range n {
		s.position = position
		s.begin(row, nil)
		s.narrow()
		if !slices.ContainsFunc(s.pool.all(), func(x candidate) bool { return x.id == 0 }) {
			without++
			if s.pool.list[0].id != 2 || len(s.pool.list) != 4 {
				t.Fatalf("left %v, expected tokens 2 to 5", s.pool.list)
			}
		}
	}
	if rate := float64(without) / n; math.Abs(rate-0.3) > 0.015 {
		t.Errorf("left out %.3f of the time, expected 0.3", rate)
	}
}

func TestPenaltiesForgetWhatIsFurtherBackThanTheirWindow(t *testing.T) {
	s := New(Params{Temperature: 1, RepetitionPenalty: 2, PresencePenalty: 1, RepeatLastN: 2})
	s.Prompt([]int32{0, 1})
	s.Record(2)
	row := []float32{4, 4, 4, 4}
	s.adjust(row)
	if want := []float32{4, 2, 1.5, 4}; !slices.Equal(row, want) {
		t.Errorf("logits %v, expected %v", row, want)
	}
	s.restore(row)
	s.Record(3)
	s.Record(3)
	s.adjust(row)
	if want := []float32{4, 4, 4, 1.5}; !slices.Equal(row, want) {
		t.Errorf("logits %v, expected %v", row, want)
	}
}

func TestOrdersAreChecked(t *testing.T) {
	for _, c := range []struct {
		why  string
		p    Params
		says string
	}{
		{"no such step", Params{Order: []string{"top_q"}}, `there is no step "top_q"`},
		{"twice", Params{Order: []string{"top_k", "top_k"}}, "top_k stands there twice"},
		{"left out", Params{TopK: 4, Temperature: 1, Order: []string{"temperature", "top_p"}}, "top_k is set (4) but is no step"},
		{"not llama.cpp's", Params{TopH: 0.5, Temperature: 1, Order: []string{LlamaCpp}}, "top_h is set (0.5)"},
		{"penalties twice", Params{Order: []string{"penalties", "repetition", "temperature"}}, "penalties already does repetition"},
		{"penalty left out", Params{RepetitionPenalty: 1.1, Temperature: 1, Order: []string{"top_k"}}, "repetition is set (1.1)"},
		{"mirostat", Params{Mirostat: 1}, "mirostat is 1"},
		{"aim of mirostat", Params{Mirostat: 2}, "mirostat_tau is 0"},
		{"base of dry", Params{DRYMultiplier: 1}, "dry_base is 0"},
		{"min over max", Params{MinTokens: 5, MaxTokens: 4}, "min_tokens is 5"},
		{"empty ban", Params{Banned: [][]int32{{}}}, "banned: sequence 1 has no token"},
		{"bias of infinity", Params{SequenceBias: []SequenceBias{{[]int32{1}, float32(math.Inf(1))}}}, "sequence_bias: sequence 1"},
	} {
		if err := c.p.Validate(); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, expected an error with %q", c.why, err, c.says)
		}
	}
	for _, order := range [][]string{nil, {HuggingFace}, {LlamaCpp}, {"top_k", "typical_p", "nucleus", "min_p", "temp", "penalties"}} {
		p := Params{Temperature: 0.5, TopK: 5, TopP: 0.5, MinP: 0.1, RepetitionPenalty: 1.2, Order: order}
		if err := p.Validate(); err != nil {
			t.Errorf("%v: %v", order, err)
		}
	}
}

// TestTemperatureLastKeepsMoreOrFewer: what tells the two orders apart.
func TestTemperatureLastKeepsMoreOrFewer(t *testing.T) {
	row := []float32{3, 2, 1, 0}
	kept := func(order string) int {
		s := New(Params{Temperature: 3, TopP: 0.6, Order: []string{order}})
		s.begin(row, nil)
		s.narrow()
		return len(s.pool.all())
	}
	if hf, llama := kept(HuggingFace), kept(LlamaCpp); hf != 2 || llama != 1 {
		t.Errorf("kept %d with the temperature first and %d with it last, expected 2 and 1", hf, llama)
	}
}

// TestLogProbsAreTheSoftmax of the row, the most likely first.
func TestLogProbsAreTheSoftmax(t *testing.T) {
	row := logitsOf(3000, 2, 8)
	row[17] = float32(math.NaN())
	row[18] = minusInfinity
	total := 0.0
	for _, l := range row {
		if l == l {
			total += math.Exp(float64(l))
		}
	}
	var look LogProbs
	got, rank, top := look.Of(row, 100, 7, nil)
	if want := float64(row[100]) - math.Log(total); math.Abs(float64(got)-want) > 1e-5 {
		t.Errorf("log-probability %v, expected %v", got, want)
	}
	above := 0
	for _, l := range row {
		if l > row[100] {
			above++
		}
	}
	if rank != above || len(top) != 7 {
		t.Errorf("rank %d and %d tokens, expected %d and 7", rank, len(top), above)
	}
	for i := 1; i < len(top); i++ {
		if top[i].LogProb > top[i-1].LogProb {
			t.Errorf("token %d is before a more likely one: %v", i, top)
		}
	}
	if _, _, all := look.Of([]float32{1, 2}, 0, 20, nil); len(all) != 2 || all[0].ID != 1 {
		t.Errorf("of two tokens the most likely are %v", all)
	}
}
