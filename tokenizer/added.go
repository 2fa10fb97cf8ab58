package tokenizer

import (
	"sort"
	"unicode"
	"unicode/utf8"
)

// trie finds added tokens in text.
type trie struct {
	next  map[uint64]int32 // node<<8 | byte → node
	token []int32          // by node: index into added, -1 for none
	added []Added
	first [256]bool // bytes that begin a token: most positions are dismissed by it
}

func (t *trie) add(a Added, text string) {
	if text == "" {
		return
	}
	if t.next == nil {
		t.next = map[uint64]int32{}
		t.token = []int32{-1}
	}
	node := int32(0)
	for i := range len(text) {
		key := uint64(node)<<8 | uint64(text[i])
		child, ok := t.next[key]
		if !ok {
			child = int32(len(t.token))
			t.token = append(t.token, -1)
			t.next[key] = child
		}
		node = child
	}
	t.token[node] = int32(len(t.added))
	t.added = append(t.added, a)
	t.first[text[0]] = true
}

// at gives the tokens that begin at text[i:], short ones first.
func (t *trie) at(text string, i int, yield func(k, end int)) {
	node := int32(0)
	for j := i; j < len(text); j++ {
		child, ok := t.next[uint64(node)<<8|uint64(text[j])]
		if !ok {
			return
		}
		node = child
		if k := t.token[node]; k >= 0 {
			yield(int(k), j+1)
		}
	}
}

// allow tells whether the control token at text[start:end] counts; nil is never.
type allow = func(start, end int) bool

// find gives the leftmost token in text[from:], the longest of those that begin
// there. A control token that is not allowed is passed over as a whole, unless one
// that is allowed begins within it. limit is where the token before ended with the
// white space it swallowed, up to which StripLeft may reach; next is where to look for
// the token after.
func (t *trie) find(text string, from, limit int, allowed allow) (a *Added, start, end, next int) {
	if len(t.added) == 0 {
		return nil, len(text), len(text), len(text)
	}
	pass := from // up to here only allowed control tokens count
	for i := from; i < len(text); i++ {
		if !t.first[text[i]] {
			continue
		}
		found, stop, past := -1, 0, 0
		t.at(text, i, func(k, end int) {
			past = end
			switch b := &t.added[k]; {
			case b.Special:
				if allowed == nil || !allowed(i, end) {
					return
				}
			case i < pass:
				return
			}
			found, stop = k, end
		})
		// The longest token decides, also when it does not count here.
		if past > stop && found >= 0 && !t.added[found].Special {
			found = -1
		}
		if found >= 0 && t.added[found].SingleWord && !alone(text, i, stop) {
			found = -1
		}
		if found >= 0 {
			start, end := t.added[found].strip(text, limit, i, stop)
			return &t.added[found], start, end, stop
		}
		pass = max(pass, past)
		if allowed == nil && past > i {
			i = past - 1
		}
	}
	return nil, len(text), len(text), len(text)
}

// alone tells whether no word character stands beside text[start:end].
func alone(text string, start, end int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:start])
	after, _ := utf8.DecodeRuneInString(text[end:])
	return (start == 0 || !isWordRune(before)) && (end == len(text) || !isWordRune(after))
}

// isWordRune is \w of regular expressions.
func isWordRune(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.In(r, unicode.M, unicode.Nd, unicode.Nl, unicode.Pc, unicode.Other_Alphabetic, unicode.Join_Control)
}

// strip widens a token by the white space that it swallows.
func (a *Added) strip(text string, from, start, end int) (int, int) {
	for a.StripLeft && start > from {
		r, n := utf8.DecodeLastRuneInString(text[from:start])
		if !unicode.IsSpace(r) {
			break
		}
		start -= n
	}
	for a.StripRight && end < len(text) {
		r, n := utf8.DecodeRuneInString(text[end:])
		if !unicode.IsSpace(r) {
			break
		}
		end += n
	}
	return start, end
}

// fragment is a part of a text: an added token or, with a nil, text for the model.
type fragment struct {
	a          *Added
	start, end int
}

// longestFirst cuts text at added tokens as llama.cpp does: the longest token
// everywhere it occurs, then the next. Source: llama-vocab.cpp,
// tokenizer_st_partition.
func (t *trie) longestFirst(text string, allowed allow) []fragment {
	type found struct{ k, start, end int }
	var all []found
	for i := range len(text) {
		if len(t.added) > 0 && t.first[text[i]] {
			t.at(text, i, func(k, end int) {
				if !t.added[k].Special || allowed != nil && allowed(i, end) {
					all = append(all, found{k, i, end})
				}
			})
		}
	}
	sort.SliceStable(all, func(i, j int) bool {
		return all[i].end-all[i].start > all[j].end-all[j].start
	})
	var taken []fragment
	for _, f := range all {
		at := sort.Search(len(taken), func(i int) bool { return taken[i].end > f.start })
		if at < len(taken) && taken[at].start < f.end {
			continue
		}
		a, from, to := &t.added[f.k], 0, len(text)
		if at > 0 {
			from = taken[at-1].end
		}
		if at < len(taken) {
			to = taken[at].start
		}
		start, end := f.start, f.end
		for a.StripLeft && start > from && asciiSpace(text[start-1]) {
			start--
		}
		for a.StripRight && end < to && asciiSpace(text[end]) {
			end++
		}
		taken = append(taken, fragment{})
		copy(taken[at+1:], taken[at:])
		taken[at] = fragment{a, start, end}
	}
	var out []fragment
	last := 0
	for _, f := range taken {
		if f.start > last {
			out = append(out, fragment{nil, last, f.start})
		}
		out = append(out, f)
		last = f.end
	}
	if last < len(text) {
		out = append(out, fragment{nil, last, len(text)})
	}
	return out
}

func asciiSpace(b byte) bool { return b == ' ' || b >= '\t' && b <= '\r' }

func sortAdded(a []Added) { sort.Slice(a, func(i, j int) bool { return a[i].ID < a[j].ID }) }
