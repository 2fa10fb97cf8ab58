package tokenizer

import (
	"math"
	"slices"
	"strings"
)

// portable is the definition in terms that tokenizer.json has: sentencepiece's and
// tiktoken's models become merges, their normalisers and llama.cpp's the steps that
// Hugging Face writes for them (transformers, convert_slow_tokenizer.py).
func (d Definition) portable() (Definition, error) {
	switch d.Model {
	case ScoreBPE:
		d.Model, d.Merges, d.FuseUnknown, d.Added = BPE, d.scoreMerges(), true, d.withSymbols()
		d.Scores, d.Roles = nil, nil
	case RankBPE:
		d.Model, d.Merges, d.IgnoreMerges = ByteBPE, d.RankMerges(), true
	}
	var normalize []Normalization
	for _, n := range d.Normalize {
		normalize = append(normalize, n.portable()...)
	}
	d.Normalize = normalize
	var decode []Decoding
	for _, x := range d.Decode {
		if x.Kind != LlamaDecoding && x.Kind != SentencePieceDecoding {
			decode = append(decode, x)
			continue
		}
		decode = append(decode, Decoding{Kind: ReplaceText, Pattern: blank, Content: " ", Literal: true})
		if d.ByteFallback {
			decode = append(decode, Decoding{Kind: ByteFallbackDecoding})
		}
		decode = append(decode, Decoding{Kind: Fuse})
		if x.Prepended || x.Kind == SentencePieceDecoding {
			decode = append(decode, Decoding{Kind: StripText, Character: " ", Start: 1})
		}
	}
	d.Decode = decode
	return d, nil
}

// portable is a normalisation in terms that tokenizer.json has.
func (n Normalization) portable() (out []Normalization) {
	switch n.Kind {
	case LlamaSpaces, SentencePieceText, LlamaUnigramText:
	default:
		return []Normalization{n}
	}
	if len(n.Map) > 0 {
		out = append(out, Normalization{Kind: Precompiled, Map: n.Map})
	}
	if n.RemoveExtraSpaces {
		out = append(out, Normalization{Kind: StripSpaces, Left: true, Right: true}, Normalization{Kind: Replace, Pattern: " {2,}", Content: " "})
	}
	space := " "
	if n.EscapeSpaces {
		space = blank
	}
	if n.DummyPrefix {
		out = append(out, Normalization{Kind: Prepend, Content: space})
	}
	if n.EscapeSpaces {
		out = append(out, Normalization{Kind: Replace, Pattern: " ", Content: blank, Literal: true})
	}
	return out
}

// withSymbols are the added tokens, and the vocabulary's user-defined ones, which are
// found in text before anything else too.
func (d *Definition) withSymbols() []Added {
	known := map[int32]bool{}
	for _, a := range d.Added {
		known[a.ID] = true
	}
	added := slices.Clone(d.Added)
	for id, text := range d.Tokens {
		if d.role(int32(id)) == UserDefined && !known[int32(id)] && text != "" {
			added = append(added, Added{ID: int32(id), Text: text})
		}
	}
	slices.SortStableFunc(added, func(a, b Added) int { return int(a.ID) - int(b.ID) })
	return added
}

// scoreMerges are the merges of a vocabulary with scores: every way to put a token
// together of two others, by the token's score, then by the parts' ids.
func (d *Definition) scoreMerges() [][2]string {
	ids := map[string]int32{}
	for id, text := range d.Tokens {
		if role := d.role(int32(id)); text != "" && (role == Ordinary || role == UserDefined) {
			ids[text] = int32(id)
		}
	}
	type merge struct {
		score       float64
		left, right int32
		pair        [2]string
	}
	var all []merge
	for id, text := range d.Tokens {
		if ids[text] != int32(id) || d.role(int32(id)) != Ordinary {
			continue
		}
		for at := range text {
			left, ok := ids[text[:at]]
			if at == 0 || !ok {
				continue
			}
			if right, ok := ids[text[at:]]; ok {
				all = append(all, merge{d.Scores[id], left, right, [2]string{text[:at], text[at:]}})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b merge) int {
		switch {
		case a.score != b.score && a.score > b.score:
			return -1
		case a.score != b.score:
			return 1
		case a.left != b.left:
			return int(a.left) - int(b.left)
		}
		return int(a.right) - int(b.right)
	})
	out := make([][2]string, len(all))
	for i, m := range all {
		out[i] = m.pair
	}
	return out
}

// RankMerges are the merges of a vocabulary whose ids are ranks (tiktoken's): a token
// is made of the two parts that its bytes are merged to by all earlier ones.
func (d *Definition) RankMerges() (merges [][2]string) {
	rank := map[string]int{}
	for id, text := range d.Tokens {
		if _, ok := rank[text]; !ok && text != "" {
			rank[text] = id
		}
	}
	for _, a := range d.Added {
		delete(rank, d.Tokens[a.ID])
	}
	for id, text := range d.Tokens {
		parts := strings.Split(text, "")
		if r, ok := rank[text]; !ok || r != id || len(parts) < 2 {
			continue
		}
		for len(parts) > 2 {
			best, at := math.MaxInt, -1
			for i := range len(parts) - 1 {
				if r, ok := rank[parts[i]+parts[i+1]]; ok && r < best && r < id {
					best, at = r, i
				}
			}
			if at < 0 {
				break
			}
			parts[at] += parts[at+1]
			parts = append(parts[:at+1], parts[at+2:]...)
		}
		if len(parts) == 2 {
			merges = append(merges, [2]string{parts[0], parts[1]})
		}
	}
	return merges
}
