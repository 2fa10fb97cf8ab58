package ngram

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestProbabilitiesSumToOne(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		texts := rapid.SliceOf(rapid.StringMatching(`[ab春眠不觉晓 ]{0,20}`)).Draw(r, "texts")
		order := rapid.IntRange(1, MaxOrder).Draw(r, "order")
		m, err := Train(order, slices.Values(texts))
		if err != nil {
			r.Fatal(err)
		}
		context := []byte(rapid.StringMatching(`[abz春眠]{0,9}`).Draw(r, "context"))
		for n := 1; n <= order; n++ {
			sum := 0.0
			for b := range 256 {
				p := m.Probability(context, byte(b), n)
				if p <= 0 || p > 1 {
					r.Fatalf("order %d: P(%d|%q) = %g", n, b, context, p)
				}
				sum += p
			}
			if math.Abs(sum-1) > 1e-12 {
				r.Fatalf("order %d after %q: the sum is %.15f", n, context, sum)
			}
		}
	})
}

func TestFormulaByHand(t *testing.T) {
	m, err := Train(2, slices.Values([]string{"abab", "ac"}))
	if err != nil {
		t.Fatal(err)
	}
	// order 1: 6 bytes, a 3, b 2, c 1, 3 different
	a, b, z := (3+3/256.0)/9, (2+3/256.0)/9, (3/256.0)/9
	for _, c := range []struct {
		why     string
		context string
		next    byte
		order   int
		want    float64
	}{
		{"no context", "", 'a', 2, a},
		{"order 1 ignores the context", "a", 'b', 1, b},
		{"a is followed by b twice and c once", "a", 'b', 2, (2 + 2*b) / 5},
		{"never seen after a", "a", 'z', 2, (2 * z) / 5},
		{"a context that was never seen", "z", 'a', 2, a},
		{"documents are apart: nothing follows c", "c", 'a', 2, a},
		{"only the last byte counts", "zzza", 'b', 2, (2 + 2*b) / 5},
		{"order 0 is the model's", "a", 'b', 0, (2 + 2*b) / 5},
	} {
		if got := m.Probability([]byte(c.context), c.next, c.order); math.Abs(got-c.want) > 1e-15 {
			t.Errorf("%s: %g, want %g", c.why, got, c.want)
		}
	}
	if got, want := m.BitsPerByte(slices.Values([]string{"ab", "a"}), 2), -(2*math.Log2(a)+math.Log2((2+2*b)/5))/3; math.Abs(got-want) > 1e-12 {
		t.Errorf("bits per byte = %g, want %g", got, want)
	}
	if got := m.BitsPerByte(slices.Values([]string{""}), 2); got != 0 {
		t.Errorf("no text: %g", got)
	}
}

// naive counts with maps, straight from the formula.
func naive(texts []string, context, next string) float64 {
	p := 1.0 / 256
	for k := 0; k <= len(context); k++ {
		h := context[len(context)-k:]
		c, total, different := 0, 0, map[byte]bool{}
		for _, text := range texts {
			for i := range len(text) - k {
				if text[i:i+k] == h {
					total++
					different[text[i+k]] = true
					if text[i+k] == next[0] {
						c++
					}
				}
			}
		}
		if total == 0 {
			break
		}
		t := float64(len(different))
		p = (float64(c) + t*p) / (float64(total) + t)
	}
	return p
}

func TestAgreesWithTheSlowVersion(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		texts := rapid.SliceOfN(rapid.StringMatching(`[abc月]{0,30}`), 1, 5).Draw(r, "texts")
		context := rapid.StringMatching(`[abc月]{0,2}`).Draw(r, "context")
		next := rapid.SampledFrom([]string{"a", "b", "z", "\xe6"}).Draw(r, "next")
		m, err := Train(MaxOrder, slices.Values(texts))
		if err != nil {
			r.Fatal(err)
		}
		if got, want := m.Probability([]byte(context), next[0], 0), naive(texts, context, next); math.Abs(got-want) > 1e-14 {
			r.Fatalf("P(%q|%q) = %g, slow version %g", next, context, got, want)
		}
	})
}

func TestOrderOfTextsDoesNotMatter(t *testing.T) {
	texts := []string{"one two", "two three", "三 四"}
	a, err := Train(5, slices.Values(texts))
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(texts)
	b, err := Train(5, slices.Values(texts))
	if err != nil {
		t.Fatal(err)
	}
	if x, y := a.Bits("two 四", 5), b.Bits("two 四", 5); x != y {
		t.Errorf("%g and %g", x, y)
	}
}

func TestRefusesOrders(t *testing.T) {
	for _, order := range []int{-1, 0, MaxOrder + 1} {
		if _, err := Train(order, slices.Values([]string{"a"})); err == nil {
			t.Errorf("order %d passed", order)
		}
	}
}

func BenchmarkTrainTenMegabytes(b *testing.B) {
	words := strings.Fields("func the of a package returns string error if an io Reader Writer bytes is not nil and to for")
	var text strings.Builder
	seed := uint64(1)
	for text.Len() < 10<<20 {
		seed = seed*6364136223846793005 + 1442695040888963407
		text.WriteString(words[seed>>33%uint64(len(words))])
		text.WriteByte(' ')
		text.WriteByte(byte('a' + seed>>40%26))
	}
	for b.Loop() {
		start := time.Now()
		m, err := Train(5, slices.Values([]string{text.String()}))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(start).Seconds(), "train-s")
		start = time.Now()
		m.Bits(text.String()[:1<<20], 5)
		b.ReportMetric(time.Since(start).Seconds(), "score-1MB-s")
	}
}
