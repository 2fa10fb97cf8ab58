package train

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"unicode/utf8"

	"lian/tokenizer"
)

// ranked is the rule of Hugging Face's BpeTrainer: the pair with the highest count,
// of equals the one with the smallest left id, then the smallest right id. A token
// that arises in a second way keeps its id.
type ranked struct {
	surface []string // by id
	length  []int32  // by id: symbols
	ids     map[string]int32
	merges  [][2]int32
	prefix  string // of symbols that do not begin a word
	limit   int32  // of symbols in a token
	size    int    // tokens wanted
	rare    int64  // pairs that come less often are not merged
}

func newRanked(o Options) (*ranked, error) {
	r := &ranked{ids: map[string]int32{}, limit: math.MaxInt32, size: o.VocabSize, rare: max(o.MinFrequency, 1)}
	if o.MaxTokenBytes > 0 {
		r.limit = int32(min(o.MaxTokenBytes, math.MaxInt32))
	}
	for i, text := range o.Special {
		if _, twice := r.ids[text]; twice || text == "" || !utf8.ValidString(text) {
			return nil, fmt.Errorf("special token %d: %q is empty, not UTF-8 or given twice", i, text)
		}
		r.add(text, 0)
	}
	return r, nil
}

func (r *ranked) add(surface string, length int32) int32 {
	id := int32(len(r.surface))
	r.ids[surface] = id
	r.surface = append(r.surface, surface)
	r.length = append(r.length, length)
	return id
}

// id is the token with this surface, which is made if it is not there.
func (r *ranked) id(surface string) int32 {
	id, ok := r.ids[surface]
	if !ok {
		id = r.add(surface, 1)
	}
	r.length[id] = 1
	return id
}

func (r *ranked) full() bool            { return len(r.surface) >= r.size }
func (r *ranked) least() int64          { return r.rare }
func (r *ranked) before(a, b pair) bool { return a < b }

// allowed: as in the reference, pairs of single symbols are not checked.
func (r *ranked) allowed(left, right int32) bool {
	a, b := r.length[left], r.length[right]
	return a+b < r.limit || a == 1 && b == 1
}

func (r *ranked) merge(p pair, _ int64) (id int32, fresh, ok bool) {
	left, right := p.left(), p.right()
	second := r.surface[right]
	if len(second) >= len(r.prefix) && second[:len(r.prefix)] == r.prefix {
		second = second[len(r.prefix):]
	}
	text := r.surface[left] + second
	length := r.length[left] + r.length[right]
	id, known := r.ids[text]
	if !known {
		id = r.add(text, length)
	}
	r.length[id] = length
	r.merges = append(r.merges, [2]int32{left, right})
	return id, !known, true
}

// list is the merges as pairs of surface forms, the last of equal ones only: a pair
// is merged a second time when a token arose in two ways in different words, and the
// reference numbers it anew.
func (r *ranked) list() [][2]string {
	seen := make(map[[2]int32]bool, len(r.merges))
	var out [][2]string
	for _, m := range slices.Backward(r.merges) {
		if !seen[m] {
			seen[m] = true
			out = append(out, [2]string{r.surface[m[0]], r.surface[m[1]]})
		}
	}
	slices.Reverse(out)
	return out
}

// alphabet gives ids to bytes: by code point of their surface form, after the
// special tokens. The result has −1 for a byte that has none.
func (r *ranked) alphabet(words *bag, o Options) [256]int32 {
	var seen [256]int64
	for i, x := range words.items {
		for _, b := range words.text(i) {
			seen[b] += x.times
		}
	}
	counts := map[rune]int64{}
	byID := [256]int32{}
	for b, n := range seen {
		byID[b] = -1
		if !o.SeenBytesOnly {
			n = math.MaxInt64
		}
		if n > 0 {
			c, _ := utf8.DecodeRuneInString(tokenizer.ByteLevel(string([]byte{byte(b)})))
			counts[c] = n
		}
	}
	for _, c := range mostFrequent(counts, o.LimitAlphabet) {
		b, _ := tokenizer.FromByteLevel(string(c))
		byID[b[0]] = r.id(string(c))
	}
	return byID
}

// mostFrequent are the characters of an alphabet in the order of their code points;
// of more than limit the most frequent, of equals the first. 0 is no limit.
func mostFrequent(counts map[rune]int64, limit int) []rune {
	all := slices.Sorted(maps.Keys(counts))
	if limit == 0 || len(all) <= limit {
		return all
	}
	slices.SortStableFunc(all, func(a, b rune) int { return cmp.Compare(counts[b], counts[a]) })
	all = all[:limit]
	slices.Sort(all)
	return all
}

// special are the special tokens as tokenizers keep them.
func special(texts []string) (out []tokenizer.Added) {
	for i, text := range texts {
		out = append(out, tokenizer.Added{ID: int32(i), Text: text, Special: true})
	}
	return out
}
