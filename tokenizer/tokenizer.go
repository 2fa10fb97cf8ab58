package tokenizer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Tokenizer turns text into ids and back. It is made by Load, Parse, FromGGUF or
// New, does not change afterwards, and is safe for concurrent use.
type Tokenizer struct {
	def    Definition
	source []byte // the tokenizer.json it was read from, if any
	notes  []string

	bytes   [][]byte // by id; nil for an unused id
	kind    []kind
	ids     map[string]int32 // ordinary tokens by bytes
	surface map[string]int32 // every token by surface form or text
	single  [256]int32       // id of a byte, -1 when the vocabulary lacks it
	missing []byte
	ranks   ranks
	stages  []stage
	raw     trie // added tokens found before normalisation
	late    trie // added tokens found after it
	hash    string
	cache   cache
}

type kind uint8

const (
	unused kind = iota
	ordinary
	added
	special
)

// Special is a control token of the vocabulary.
type Special struct {
	ID   int32
	Text string
}

// Entry is one token of the vocabulary.
type Entry struct {
	// Text is the surface form: byte-level alphabet, or the text of an added token.
	Text string
	// Bytes are what the token stands for.
	Bytes []byte
	// Special: a control token. Added: found in text as a whole (specials too).
	Special, Added bool
}

// New makes a tokenizer from its definition, or says which part contradicts which.
func New(d Definition) (*Tokenizer, error) {
	t := &Tokenizer{def: d}
	if err := t.vocabulary(); err != nil {
		return nil, err
	}
	if err := t.merges(); err != nil {
		return nil, err
	}
	var err error
	if t.stages, err = compile(d.Steps); err != nil {
		return nil, err
	}
	for _, id := range append(append([]int32(nil), d.Before...), d.After...) {
		if id < 0 || int(id) >= len(t.bytes) || t.kind[id] == unused {
			return nil, fmt.Errorf("post_processor: token %d is not in the vocabulary of %d", id, len(t.bytes))
		}
	}
	for _, a := range d.Added {
		if a.Normalized {
			t.late.add(a)
		} else {
			t.raw.add(a)
		}
	}
	if len(t.missing) > 0 {
		t.notes = append(t.notes, fmt.Sprintf("the vocabulary has no token for %d of the 256 bytes (hexadecimal % x); texts lose them", len(t.missing), t.missing))
	}
	t.hash = t.sum()
	return t, nil
}

func (t *Tokenizer) vocabulary() error {
	size := len(t.def.Tokens)
	if size == 0 {
		return fmt.Errorf("model.vocab: empty")
	}
	t.bytes = make([][]byte, size)
	t.kind = make([]kind, size)
	t.ids = make(map[string]int32, size)
	t.surface = make(map[string]int32, size)
	for _, a := range t.def.Added {
		if a.ID < 0 || int(a.ID) >= size || t.def.Tokens[a.ID] != a.Text || a.Text == "" {
			return fmt.Errorf("added_tokens: %q has id %d, where the vocabulary holds another token", a.Text, a.ID)
		}
		t.kind[a.ID] = added
		if a.Special {
			t.kind[a.ID] = special
		}
	}
	for i, text := range t.def.Tokens {
		if text == "" {
			continue
		}
		id := int32(i)
		if other, taken := t.surface[text]; taken {
			return fmt.Errorf("model.vocab: %q has two ids, %d and %d", text, other, id)
		}
		t.surface[text] = id
		if t.kind[id] != unused {
			t.bytes[id] = []byte(text)
			// An added token may be a word of the ordinary vocabulary as well.
			if b, ok := FromByteLevel(text); ok && t.kind[id] == added {
				t.ids[b] = id
			}
			continue
		}
		t.kind[id] = ordinary
		if b, ok := FromByteLevel(text); ok {
			t.ids[b] = id
			t.bytes[id] = []byte(b)
		} else {
			t.bytes[id] = []byte(text) // as the ByteLevel decoder does; no text encodes to it
		}
	}
	for b := range 256 {
		id, ok := t.ids[string([]byte{byte(b)})]
		if !ok {
			id = -1
			t.missing = append(t.missing, byte(b))
		}
		t.single[b] = id
	}
	return nil
}

func (t *Tokenizer) merges() error {
	t.ranks = newRanks(len(t.def.Merges))
	for i, m := range t.def.Merges {
		left, ok := t.surface[m[0]]
		if !ok {
			return fmt.Errorf("model.merges: merge %d: %q is not in the vocabulary", i, m[0])
		}
		right, ok := t.surface[m[1]]
		if !ok {
			return fmt.Errorf("model.merges: merge %d: %q is not in the vocabulary", i, m[1])
		}
		whole, ok := t.surface[m[0]+m[1]]
		if !ok {
			return fmt.Errorf("model.merges: merge %d: %q + %q = %q is not in the vocabulary", i, m[0], m[1], m[0]+m[1])
		}
		// A pair that comes twice has the later rank, as in the reference.
		t.ranks.put(left, right, int32(i), whole)
	}
	return nil
}

// sum hashes what decides which ids a text gets.
func (t *Tokenizer) sum() string {
	h := sha256.New()
	fmt.Fprintf(h, "lian tokenizer 1\nnfc=%t ignore_merges=%t\n%s", t.def.NFC, t.def.IgnoreMerges, describe(t.def.Steps))
	for id, b := range t.bytes {
		fmt.Fprintf(h, "%d %q\n", t.kind[id], b)
	}
	for _, m := range t.def.Merges {
		fmt.Fprintf(h, "%q %q\n", m[0], m[1])
	}
	for _, a := range t.def.Added {
		fmt.Fprintf(h, "%d %t %t %t\n", a.ID, a.StripLeft, a.StripRight, a.Normalized)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Hash is a SHA-256 (hexadecimal) over everything that decides which ids a text
// gets; equal hashes mean equal ids. Tokens added around a text are not part of it.
func (t *Tokenizer) Hash() string { return t.hash }

// VocabSize is the largest id plus one.
func (t *Tokenizer) VocabSize() int { return len(t.bytes) }

// TokenBytes are the bytes that a token stands for, nil for an id that is not in
// the vocabulary. The caller must not change them.
func (t *Tokenizer) TokenBytes(id int32) []byte {
	if id < 0 || int(id) >= len(t.bytes) {
		return nil
	}
	return t.bytes[id]
}

// ID is the token with this surface form (ordinary tokens, byte-level alphabet) or
// text (added tokens).
func (t *Tokenizer) ID(surface string) (id int32, ok bool) {
	id, ok = t.surface[surface]
	return id, ok
}

// Special is the control token with this text.
func (t *Tokenizer) Special(text string) (id int32, ok bool) {
	id, ok = t.surface[text]
	if !ok || t.kind[id] != special {
		return 0, false
	}
	return id, true
}

// IsSpecial tells whether id is a control token.
func (t *Tokenizer) IsSpecial(id int32) bool {
	return id >= 0 && int(id) < len(t.kind) && t.kind[id] == special
}

// SpecialTokens are the control tokens, by id.
func (t *Tokenizer) SpecialTokens() []Special {
	var out []Special
	for id, k := range t.kind {
		if k == special {
			out = append(out, Special{ID: int32(id), Text: t.def.Tokens[id]})
		}
	}
	return out
}

// Vocabulary is every token by id; an unused id has an empty Text.
func (t *Tokenizer) Vocabulary() []Entry {
	out := make([]Entry, len(t.bytes))
	for id := range out {
		out[id] = Entry{Text: t.def.Tokens[id], Bytes: t.bytes[id], Special: t.kind[id] == special, Added: t.kind[id] >= added}
	}
	return out
}

// Merges are the merge rules as pairs of surface forms, best first.
func (t *Tokenizer) Merges() [][2]string { return append([][2]string(nil), t.def.Merges...) }

// PatternName is what GGUF's tokenizer.ggml.pre calls the way this tokenizer splits
// text, "" when llama.cpp has no name for it. (GGUF cannot ask for NFC; the name is
// that of the split alone.)
func (t *Tokenizer) PatternName() string { return patternName(t.def.Steps, t.def.IgnoreMerges) }

// Around are the ids that the model expects before and after a text (its BOS and
// EOS, from the post-processor). Encode adds none.
func (t *Tokenizer) Around() (before, after []int32) {
	return append([]int32(nil), t.def.Before...), append([]int32(nil), t.def.After...)
}

// MissingBytes are the bytes that the vocabulary has no token for. Text loses them,
// as with the reference; published vocabularies and those trained here by default
// miss none.
func (t *Tokenizer) MissingBytes() []byte { return append([]byte(nil), t.missing...) }

// Notes are the parts of the file that were read but are left to the caller, one
// sentence each.
func (t *Tokenizer) Notes() []string { return append([]string(nil), t.notes...) }
