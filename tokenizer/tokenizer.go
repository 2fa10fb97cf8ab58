package tokenizer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"sync"
)

// Tokenizer turns text into ids and back. It is made by Load, Parse, FromGGUF or
// New, does not change afterwards, and is safe for concurrent use.
type Tokenizer struct {
	def    Definition
	source string // the tokenizer.json it was read from, if any
	notes  []string

	vocab    vocabulary // what tokens stand for
	kind     []kind     // by id
	surface  index      // every token by surface form or text
	normal   []normalizer
	onlyNFC  bool // normal is NFC alone
	first    bool // a step asks whether a piece is the first
	stages   []stage
	model    model
	raw      trie // added tokens found before normalisation
	late     trie // added tokens found after it
	plain    bool // a text is what its tokens stand for, put together
	join     joining
	dropAll  bool
	stripped int // blanks at the beginning that are not of the text
	shown    map[int32]string
	finders  map[*Decoding]func([]match, string) []match
	pool     benches
	hash     func() string
}

// model is an engine that makes what only encoding needs when it is asked to.
type model interface {
	engine
	prepare()
}

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
	if d.Model == "" {
		d.Model = ByteBPE
	}
	t := &Tokenizer{def: d}
	t.pool = newBenches()
	t.hash = sync.OnceValue(t.sum)
	if err := t.words(); err != nil {
		return nil, err
	}
	bytes := d.Model == ByteBPE || d.Model == RankBPE
	t.plain = bytes && (d.Decode == nil || len(d.Decode) == 1 && d.Decode[0].Kind == ByteLevelDecoding) ||
		d.Model == LongestMatch && len(d.Decode) == 1 && d.Decode[0].Kind == PlainDecoding
	var err error
	if t.normal, err = compileNormalizations(d.Normalize, &t.def); err != nil {
		return nil, err
	}
	t.onlyNFC = len(d.Normalize) == 1 && d.Normalize[0].Kind == NFC
	if t.stages, err = compile(d.Steps, bytes); err != nil {
		return nil, err
	}
	for _, s := range d.Steps {
		t.first = t.first || s.Kind == Metaspace && s.Prepend == "first" && len(d.Normalize) > 0
	}
	if t.model, err = t.newModel(); err != nil {
		return nil, err
	}
	if err := t.checkDecoders(); err != nil {
		return nil, err
	}
	if err := t.checkTemplates(); err != nil {
		return nil, err
	}
	t.addedTokens()
	t.howToJoin()
	return t, nil
}

func (t *Tokenizer) newModel() (model, error) {
	switch t.def.Model {
	case ByteBPE, RankBPE:
		m, err := newByteBPE(t)
		if err == nil && len(m.missing) > 0 {
			t.notes = append(t.notes, fmt.Sprintf("the vocabulary has no token for %d of the 256 bytes (hexadecimal % x); texts lose them", len(m.missing), m.missing))
		}
		return m, err
	case BPE:
		return newCharBPE(t)
	case ScoreBPE:
		return newScoreBPE(t)
	case Unigram:
		return newUnigram(t)
	case WordPiece:
		return newWordPiece(t)
	case PhantomWordPiece:
		return newPhantomWordPiece(t)
	case WordLevel:
		unknown, err := t.unknownID()
		return &wordLevel{t, unknown}, err
	case Characters, Words:
		m, err := newScoreBPE(t)
		if err != nil {
			return nil, err
		}
		return &characters{m, t.def.Model == Words}, nil
	case LongestMatch:
		return newLongestMatch(t)
	}
	return nil, fmt.Errorf("model.type: %q is not implemented", t.def.Model)
}

// addedTokens prepares the search for added tokens. Those that are normalised are
// looked for in their normal form, and decoding shows it, as in the reference.
func (t *Tokenizer) addedTokens() {
	for _, a := range t.def.Added {
		if !a.Normalized {
			t.raw.add(a, a.Text)
			continue
		}
		p := passage{s: a.Text}
		for _, n := range t.normal {
			n(&p)
		}
		if p.s != a.Text {
			if t.shown == nil {
				t.shown = map[int32]string{}
			}
			t.shown[a.ID] = p.s
		}
		t.late.add(a, p.s)
	}
}

// prepare makes what only encoding needs.
func (t *Tokenizer) prepare() { t.model.prepare() }

// sum hashes what decides which ids a text gets.
func (t *Tokenizer) sum() string {
	h := sha256.New()
	d := &t.def
	nfc := len(d.Normalize) == 1 && d.Normalize[0].Kind == NFC
	fmt.Fprintf(h, "lian tokenizer 1\nnfc=%t ignore_merges=%t\n%s", nfc, d.IgnoreMerges, describe(d.Steps))
	if d.Model != ByteBPE {
		fmt.Fprintf(h, "%s unknown=%q fuse=%t fallback=%t affixes=%q %q longest=%d float32=%t long_first=%t\n", d.Model, d.Unknown, d.FuseUnknown, d.ByteFallback, d.ContinuingPrefix, d.WordSuffix, d.LongestWord, d.Float32, d.LongestFirst)
		fmt.Fprintf(h, "%v\n%v\n", d.Scores, d.Roles)
	}
	if len(d.Normalize) > 0 && !nfc {
		fmt.Fprintf(h, "%+v\n", d.Normalize)
	}
	var line []byte // a hundred thousand of them: Fprintf("%d %q\n") without its cost
	for id, k := range t.kind {
		if k == byteful {
			k = ordinary
		}
		line = strconv.AppendInt(line[:0], int64(k), 10)
		line = strconv.AppendQuote(append(line, ' '), string(t.vocab.token(int32(id))))
		h.Write(append(line, '\n'))
	}
	for _, m := range d.Merges {
		line = strconv.AppendQuote(line[:0], m[0])
		line = strconv.AppendQuote(append(line, ' '), m[1])
		h.Write(append(line, '\n'))
	}
	for _, a := range d.Added {
		fmt.Fprintf(h, "%d %t %t %t %t\n", a.ID, a.StripLeft, a.StripRight, a.Normalized, a.SingleWord)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Hash is a SHA-256 (hexadecimal) over everything that decides which ids a text
// gets; equal hashes mean equal ids. Tokens added around a text are not part of it.
func (t *Tokenizer) Hash() string { return t.hash() }

// Model is how pieces of text become tokens.
func (t *Tokenizer) Model() Model { return t.def.Model }

// VocabSize is the largest id plus one.
func (t *Tokenizer) VocabSize() int { return len(t.kind) }

// TokenBytes are the bytes that a token stands for within a text, nil for an id that
// is not in the vocabulary.
func (t *Tokenizer) TokenBytes(id int32) []byte {
	if id < 0 || int(id) >= len(t.kind) || t.kind[id] == unused {
		return nil
	}
	return []byte(t.vocab.token(id))
}

// ID is the token with this surface form (ordinary tokens) or text (added tokens).
func (t *Tokenizer) ID(surface string) (id int32, ok bool) {
	return t.surface.get(surface)
}

// Special is the control token with this text.
func (t *Tokenizer) Special(text string) (id int32, ok bool) {
	id, ok = t.surface.get(text)
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
	out := make([]Entry, len(t.kind))
	for id := range out {
		out[id] = Entry{Text: t.def.Tokens[id], Bytes: t.TokenBytes(int32(id)), Special: t.kind[id] == special, Added: t.kind[id] >= added}
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

// MissingBytes are the bytes that a byte-level vocabulary has no token for. Text
// loses them, as with the reference; published vocabularies and those trained here
// by default miss none.
func (t *Tokenizer) MissingBytes() []byte {
	if m, ok := t.model.(*byteBPE); ok {
		return append([]byte(nil), m.missing...)
	}
	return nil
}

// Notes are the parts of the file that were read but are left to the caller, one
// sentence each.
func (t *Tokenizer) Notes() []string { return append([]string(nil), t.notes...) }
