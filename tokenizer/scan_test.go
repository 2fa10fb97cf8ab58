package tokenizer

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dlclark/regexp2/v2"
)

// endsByRegexp splits by the expression itself, as patterns without a scanner are.
func endsByRegexp(t testing.TB, pattern, text string) []int {
	re, err := regexp2.Compile(possessive(pattern), regexp2.Unicode)
	if err != nil {
		t.Fatal(err)
	}
	return endsOf(byRegexp(re), text)
}

func endsOf(find func([]match, string) []match, text string) (ends []int) {
	for _, m := range find(nil, text) {
		if m.end > m.start {
			ends = append(ends, m.end)
		}
	}
	return ends
}

func byScanner(pattern, text string) (ends []int) {
	for i := 0; i < len(text); {
		i = scanners[pattern](text, i)
		ends = append(ends, i)
	}
	return ends
}

var scanSeeds = []string{
	"", " ", "  ", "\n", " \n ", "\r\n\r\n  x", "a  b\t\tc", "x\u00a0y\u3000z", "\u0085a",
	"it's I'LL we'Re 'tis ''s 'x", "12345 6 ７８ Ⅷ½", "中文，汉字。 混排English与123数字！\n\n下一段",
	"你好 世界", "😀👨‍👩‍👧🇨🇳", "e\u0301", "\xff\xfe中\xe4\xb8", "a\x80b", "!!!\r\n\r\n", " !?\n x", "\u200b\u2028\ufeff",
	"if err != nil {\n\t\treturn err\n\t}\n", "   leading", "trailing   ", "\t\n \t", "a\n  b", "' '", "'",
}

func TestScannersEqualTheirPatterns(t *testing.T) {
	for pattern := range scanners {
		for _, text := range scanSeeds {
			if got, want := byScanner(pattern, text), endsByRegexp(t, pattern, text); !slices.Equal(got, want) {
				t.Errorf("%s\n%q: got %v, want %v", pattern, text, got, want)
			}
		}
	}
}

func FuzzScanners(f *testing.F) {
	for _, s := range scanSeeds {
		f.Add(s)
	}
	compiled := map[string]func([]match, string) []match{}
	for pattern := range scanners {
		compiled[pattern] = byRegexp(regexp2.MustCompile(possessive(pattern), regexp2.Unicode))
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "ſ") {
			t.Skip("regexp2 does not fold the long s to s; the reference does, and so do the scanners")
		}
		for pattern, find := range compiled {
			if got, want := byScanner(pattern, text), endsOf(find, text); !slices.Equal(got, want) {
				t.Errorf("%s\n%q: got %v, want %v", pattern, text, got, want)
			}
		}
	})
}

func TestLongSIsAnS(t *testing.T) {
	// Measured with tokenizers 0.23.3: (?i:'s) matches 'ſ.
	if got := byScanner(PatternQwen2, "x'ſy"); !slices.Equal(got, []int{1, 4, 5}) {
		t.Errorf("got %v", got)
	}
}

func TestEveryNamedPatternCompiles(t *testing.T) {
	seen, first := map[string]bool{}, map[string]string{}
	for _, n := range registry() {
		if _, err := compile(n.steps, true); err != nil {
			t.Errorf("%s: %v", n.names[0], err)
		}
		for _, name := range n.names {
			if seen[name] {
				t.Errorf("%s comes twice", name)
			}
			seen[name] = true
		}
		for name := range n.keepSpaces {
			if !slices.Contains(n.names, name) {
				t.Errorf("%s: keep_spaces names %s, which is not among the names", n.names[0], name)
			}
		}
		alike := fmt.Sprint(describe(n.steps), n.ignoreMerges)
		if first[alike] == "" {
			first[alike] = n.names[0]
		}
		if got := patternName(n.steps, n.ignoreMerges); got != first[alike] {
			t.Errorf("%s is called %s", n.names[0], got)
		}
	}
	if !seen[DefaultPattern] {
		t.Errorf("the default pattern %s is not in the table", DefaultPattern)
	}
}

// naive merges by the definition: the best pair, the leftmost of equals.
func naive(m *byteBPE, piece string) []int32 {
	var ids []int32
	for i := range len(piece) {
		ids = append(ids, m.single[piece[i]])
	}
	for {
		best, at, whole := int32(noRank), 0, int32(0)
		for i := 0; i+1 < len(ids); i++ {
			if r, w := m.ranks.get(ids[i], ids[i+1]); r < best {
				best, at, whole = r, i, w
			}
		}
		if best == noRank {
			return ids
		}
		ids = slices.Replace(ids, at, at+2, whole)
	}
}

// overlapping is a vocabulary whose merges compete for the same bytes.
func overlapping(t testing.TB) *Tokenizer {
	d := Definition{Tokens: Alphabet()}
	for _, m := range [][2]string{{"a", "b"}, {"b", "a"}, {"a", "a"}, {"aa", "b"}, {"ab", "ab"}, {"ba", "aa"}, {"aa", "aa"}, {"c", "ab"}, {"aaaa", "aaaa"}, {"ä", "¸"}, {"ä¸", "Ń"}} {
		d.Merges = append(d.Merges, m)
		d.Tokens = append(d.Tokens, m[0]+m[1])
	}
	d.Steps, _ = PatternSteps(DefaultPattern)
	tok, err := New(d)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func FuzzMerge(f *testing.F) {
	f.Add("aaaaaaaaab")
	f.Add(strings.Repeat("abaab", 40))
	f.Add(strings.Repeat("中文abc", 30))
	tok := overlapping(f)
	m := tok.model.(*byteBPE)
	m.prepare()
	f.Fuzz(func(t *testing.T, piece string) {
		if piece == "" || len(piece) > 2000 {
			return
		}
		want, w := naive(m, piece), newWork()
		g := &w.merge
		for i := range len(piece) {
			g.ids, g.ends = append(g.ids, m.single[piece[i]]), append(g.ends, int32(i+1))
		}
		if g.long(func(i, j int32) (int32, int32) { return m.ranks.get(g.ids[i], g.ids[j]) }); !slices.Equal(g.ids, want) {
			t.Errorf("heap: %q: got %v, want %v", piece, g.ids, want)
		}
		if m.symbols(piece, w); !slices.Equal(g.ids, want) {
			t.Errorf("merged: %q: got %v, want %v", piece, g.ids, want)
		}
		if got := m.encode(nil, piece, w); !slices.Equal(got, want) {
			t.Errorf("cut and merged: %q: got %v, want %v", piece, got, want)
		}
		var parts []int32
		for _, p := range m.parts(nil, piece, w) {
			parts = append(parts, p.id)
		}
		if !slices.Equal(parts, want) {
			t.Errorf("with places: %q: got %v, want %v", piece, parts, want)
		}
	})
}
