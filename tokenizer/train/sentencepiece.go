package train

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"strings"
	"unicode/utf8"

	"lian/config"
	"lian/tokenizer"
	"lian/tokenizer/charmap"
)

// SentencePieceOptions of TrainSentencePiece, with the names and defaults that they
// have in sentencepiece 0.2; DefaultSentencePiece gives the defaults.
type SentencePieceOptions struct {
	// Model is tokenizer.ScoreBPE or tokenizer.Unigram.
	Model tokenizer.Model `yaml:"-"`
	// VocabSize is the number of pieces wanted, all kinds included.
	VocabSize int `yaml:"-"`
	// Control pieces are never found in text.
	Control []string `yaml:"-"`

	CharacterCoverage      float64  `yaml:"character_coverage" help:"share of the text's characters that the vocabulary holds, most frequent first" default:"0.9995" range:"0.98..1"`
	RequiredChars          string   `yaml:"required_chars" help:"characters that it holds however rare"`
	ByteFallback           bool     `yaml:"byte_fallback" help:"256 pieces for the bytes of characters that it does not hold" default:"false"`
	UserDefined            []string `yaml:"user_defined_symbols" help:"pieces that are always found in text, and whole"`
	Normalizer             string   `yaml:"normalizer" help:"how characters are made alike: Unicode's NFKC, with other spaces and controls (nmt), without case (cf), or as they are" default:"nmt_nfkc" range:"nmt_nfkc|nfkc|nmt_nfkc_cf|nfkc_cf|identity"`
	AddDummyPrefix         bool     `yaml:"add_dummy_prefix" help:"a blank before each sentence" default:"true"`
	RemoveExtraWhitespaces bool     `yaml:"remove_extra_whitespaces" help:"no blanks at the ends of a sentence, one instead of several" default:"true"`
	SplitByScript          bool     `yaml:"split_by_unicode_script" help:"no piece of two scripts" default:"true"`
	SplitByNumber          bool     `yaml:"split_by_number" help:"no piece of digits and other characters" default:"true"`
	SplitByWhitespace      bool     `yaml:"split_by_whitespace" help:"no piece with a blank within" default:"true"`
	SplitDigits            bool     `yaml:"split_digits" help:"every digit is a piece" default:"false"`
	WhitespaceAsSuffix     bool     `yaml:"treat_whitespace_as_suffix" help:"the blank belongs to the word before it" default:"false"`
	WhitespaceOnlyPieces   bool     `yaml:"allow_whitespace_only_pieces" help:"pieces of several blanks" default:"false"`
	MaxPieceLength         int      `yaml:"max_sentencepiece_length" help:"most characters of a piece" default:"16" range:"1..512"`
	MaxSentenceLength      int      `yaml:"max_sentence_length" help:"lines of more bytes are left out, and counted; 0 leaves none out" default:"4192" range:"0.."`
	UnkID                  int      `yaml:"unk_id" help:"id of the unknown piece; -1 for none, which needs byte_fallback" default:"0" range:"-1.."`
	BosID                  int      `yaml:"bos_id" help:"id of the piece that begins a text; -1 for none" default:"1" range:"-1.."`
	EosID                  int      `yaml:"eos_id" help:"id of the piece that ends a text; -1 for none" default:"2" range:"-1.."`
	PadID                  int      `yaml:"pad_id" help:"id of the padding piece; -1 for none" default:"-1" range:"-1.."`
	UnkPiece               string   `yaml:"unk_piece" help:"the unknown piece" default:"<unk>"`
	BosPiece               string   `yaml:"bos_piece" help:"the piece that begins a text" default:"<s>"`
	EosPiece               string   `yaml:"eos_piece" help:"the piece that ends a text" default:"</s>"`
	PadPiece               string   `yaml:"pad_piece" help:"the padding piece" default:"<pad>"`
	SeedSize               int      `yaml:"seed_sentencepiece_size" help:"unigram: most pieces to begin with" default:"1000000" range:"1.."`
	ShrinkingFactor        float64  `yaml:"shrinking_factor" help:"unigram: share of the pieces that each pruning keeps" default:"0.75" range:"0.5..0.95"`
	SubIterations          int      `yaml:"num_sub_iterations" help:"unigram: passes over the text between prunings" default:"2" range:"1..10"`

	// Workers is the number of goroutines, 0 for one per CPU.
	Workers int `yaml:"-"`
	// Progress is called now and then: BPE counts merges, unigram the pieces that
	// pruning has removed. Reading is called before that with the bytes of text read.
	Progress func(done, total int) `yaml:"-"`
	Reading  func(bytes int64)     `yaml:"-"`
}

// DefaultSentencePiece are the defaults.
func DefaultSentencePiece(model tokenizer.Model, vocabSize int) SentencePieceOptions {
	o := SentencePieceOptions{Model: model, VocabSize: vocabSize}
	if err := config.Defaults(&o); err != nil {
		panic(err) // a wrong tag; every test finds it
	}
	return o
}

// SentencePiece is a vocabulary that TrainSentencePiece learnt.
type SentencePiece struct {
	options SentencePieceOptions
	charmap []byte
	pieces  []scored
	// Sentences were learnt from; TooLong and Reserved were left out: longer than
	// MaxSentenceLength, or holding U+2585, which marks rare characters in training.
	Sentences, TooLong, Reserved int
}

// scored is a piece.
type scored struct {
	text  string
	score float32
	role  tokenizer.Role
}

// TrainSentencePiece learns a vocabulary as sentencepiece's trainers do. Each line of
// the texts is a sentence. When the texts hold too few pieces the vocabulary stays
// smaller than asked. The result does not depend on Workers.
//
// BPE merges the most frequent pair of pieces, of equals the shorter, then the one
// that comes first by its bytes. Unigram: see unigram.
func TrainSentencePiece(ctx context.Context, texts iter.Seq[string], o SentencePieceOptions) (*SentencePiece, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Progress == nil {
		o.Progress = func(int, int) {}
	}
	r := &SentencePiece{options: o}
	var err error
	if r.charmap, err = charmap.Load(o.Normalizer); err != nil {
		return nil, err
	}
	meta, err := o.meta()
	if err != nil {
		return nil, err
	}
	c, err := r.read(ctx, texts, meta)
	if err != nil {
		return nil, err
	}
	if room := o.VocabSize - len(meta); len(c.kept) > room {
		return nil, fmt.Errorf("a vocabulary of %d is too small: %d special pieces and %d characters; ask for more, or for less character coverage", o.VocabSize, len(meta), len(c.kept))
	}
	var learnt []scored
	if o.Model == tokenizer.Unigram {
		learnt, err = newUnigram(c, &o, o.VocabSize-len(meta)).learn(ctx)
	} else {
		learnt, err = learnBPE(ctx, c, &o, o.VocabSize-len(meta))
	}
	if err != nil {
		return nil, err
	}
	r.fill(meta, learnt)
	return r, nil
}

func (o *SentencePieceOptions) check() error {
	switch {
	case o.Model != tokenizer.ScoreBPE && o.Model != tokenizer.Unigram:
		return fmt.Errorf("model %q: expected %q or %q", o.Model, tokenizer.ScoreBPE, tokenizer.Unigram)
	case o.VocabSize < 1:
		return fmt.Errorf("vocabulary of %d: expected at least 1", o.VocabSize)
	case !(o.CharacterCoverage >= 0.98 && o.CharacterCoverage <= 1):
		return fmt.Errorf("character coverage %v: expected 0.98 to 1", o.CharacterCoverage)
	case o.MaxPieceLength < 1 || o.MaxPieceLength > 512:
		return fmt.Errorf("max piece length %d: expected 1 to 512 characters", o.MaxPieceLength)
	case !(o.ShrinkingFactor >= 0.5 && o.ShrinkingFactor <= 0.95):
		return fmt.Errorf("shrinking factor %v: expected 0.5 to 0.95", o.ShrinkingFactor)
	case o.SubIterations < 1 || o.SubIterations > 10:
		return fmt.Errorf("sub-iterations %d: expected 1 to 10", o.SubIterations)
	case o.SeedSize < 1:
		return fmt.Errorf("seed size %d: expected at least 1", o.SeedSize)
	case o.MaxSentenceLength < 0 || o.Workers < 0:
		return fmt.Errorf("max sentence length and workers must not be negative")
	case !utf8.ValidString(o.RequiredChars):
		return fmt.Errorf("required characters %q: not UTF-8", o.RequiredChars)
	}
	return nil
}

// meta are the pieces that are not learnt, by id.
func (o *SentencePieceOptions) meta() (map[int]scored, error) {
	meta := map[int]scored{}
	unknown := false
	for _, x := range []struct {
		name, text string
		id         int
		role       tokenizer.Role
	}{
		{"unk", o.UnkPiece, o.UnkID, tokenizer.UnknownRole}, {"bos", o.BosPiece, o.BosID, tokenizer.Control},
		{"eos", o.EosPiece, o.EosID, tokenizer.Control}, {"pad", o.PadPiece, o.PadID, tokenizer.Control},
	} {
		if x.id < 0 {
			continue
		}
		other, taken := meta[x.id]
		switch {
		case x.text == "" || !utf8.ValidString(x.text):
			return nil, fmt.Errorf("%s piece %q: empty or not UTF-8", x.name, x.text)
		case x.id >= o.VocabSize:
			return nil, fmt.Errorf("%s id %d: outside the vocabulary of %d", x.name, x.id, o.VocabSize)
		case taken:
			return nil, fmt.Errorf("%s id %d: is that of %q already", x.name, x.id, other.text)
		case unknown && x.text == o.UnkPiece:
			return nil, fmt.Errorf("%s piece %q: is the unknown piece already", x.name, x.text)
		}
		unknown = unknown || x.role == tokenizer.UnknownRole
		meta[x.id] = scored{text: x.text, role: x.role}
	}
	if !unknown && !o.ByteFallback {
		return nil, fmt.Errorf("unk id %d: a vocabulary without byte fallback needs an unknown piece", o.UnkID)
	}
	seen := map[string]bool{}
	id := 0
	add := func(text string, role tokenizer.Role) error {
		if seen[text] || text == "" || text == o.UnkPiece || !utf8.ValidString(text) {
			return fmt.Errorf("special piece %q: empty, not UTF-8, the unknown piece or given twice", text)
		}
		seen[text] = true
		for k, x := range meta { // a usual piece that is given another role
			if x.text == text && x.role != tokenizer.ByteRole {
				meta[k] = scored{text: text, role: role}
				return nil
			}
		}
		for {
			if _, taken := meta[id]; !taken {
				break
			}
			id++
		}
		meta[id] = scored{text: text, role: role}
		return nil
	}
	for _, text := range o.Control {
		if err := add(text, tokenizer.Control); err != nil {
			return nil, err
		}
	}
	for _, text := range o.UserDefined {
		if err := add(text, tokenizer.UserDefined); err != nil {
			return nil, err
		}
	}
	if o.ByteFallback {
		for b := range 256 {
			if err := add(fmt.Sprintf("<0x%02X>", b), tokenizer.ByteRole); err != nil {
				return nil, err
			}
		}
	}
	return meta, nil
}

// fill puts the special pieces at their ids and the learnt ones between and behind.
func (r *SentencePiece) fill(meta map[int]scored, learnt []scored) {
	for id := 0; id < r.options.VocabSize; id++ {
		if x, ok := meta[id]; ok {
			r.pieces = append(r.pieces, x)
		} else if len(learnt) > 0 {
			r.pieces = append(r.pieces, learnt[0])
			learnt = learnt[1:]
		}
	}
}

// Definition is what makes a tokenizer of the vocabulary.
func (r *SentencePiece) Definition() tokenizer.Definition {
	o := &r.options
	d := tokenizer.Definition{Model: o.Model, ByteFallback: o.ByteFallback, FuseUnknown: !o.ByteFallback, Float32: true}
	for id, p := range r.pieces {
		d.Tokens = append(d.Tokens, p.text)
		d.Scores = append(d.Scores, float64(p.score))
		d.Roles = append(d.Roles, p.role)
		switch p.role {
		case tokenizer.UnknownRole:
			d.Unknown = p.text
			d.Added = append(d.Added, tokenizer.Added{ID: int32(id), Text: p.text, Special: true})
		case tokenizer.Control:
			d.Added = append(d.Added, tokenizer.Added{ID: int32(id), Text: p.text, Special: true})
		}
	}
	d.Normalize = []tokenizer.Normalization{r.normalization()}
	d.Decode = []tokenizer.Decoding{{Kind: tokenizer.SentencePieceDecoding, Unknown: unknownSurface,
		Prepended: o.AddDummyPrefix || o.RemoveExtraWhitespaces, DropAll: o.RemoveExtraWhitespaces}}
	return d
}

// unknownSurface is how sentencepiece shows the unknown piece.
const unknownSurface = " \u2047 "

func (r *SentencePiece) normalization() tokenizer.Normalization {
	o := &r.options
	return tokenizer.Normalization{Kind: tokenizer.SentencePieceText, Map: r.charmap, DummyPrefix: o.AddDummyPrefix,
		RemoveExtraSpaces: o.RemoveExtraWhitespaces, EscapeSpaces: true, SpaceIsSuffix: o.WhitespaceAsSuffix}
}

// VocabSize is the number of pieces.
func (r *SentencePiece) VocabSize() int { return len(r.pieces) }

// learnBPE learns merges; characters come after them.
func learnBPE(ctx context.Context, c *corpus, o *SentencePieceOptions, size int) ([]scored, error) {
	rule := &shortest{shapes: newShapes(o), known: map[string]bool{}, room: size - len(c.kept)}
	ids := make(map[rune]int32, len(c.kept))
	for _, x := range c.kept {
		ids[x.char] = int32(len(rule.surface))
		rule.surface = append(rule.surface, string(x.char))
		rule.shape = append(rule.shape, rule.shapes.of(x.char))
	}
	cells, err := newCells(c.words, func(dst []int32, word []byte) []int32 {
		for _, r := range string(word) {
			dst = append(dst, ids[r])
		}
		return dst
	})
	if err != nil {
		return nil, err
	}
	c.words = nil
	err = newMerger(cells, len(rule.surface), rule, o.Workers).run(ctx, func() {
		o.Progress(len(rule.merged), rule.room)
	})
	if err != nil {
		return nil, err
	}
	var out []scored
	add := func(text string) { out = append(out, scored{text, -float32(len(out)), tokenizer.Ordinary}) }
	for _, text := range rule.merged {
		add(text)
	}
	for _, x := range c.kept {
		add(string(x.char))
	}
	return out, nil
}

// shortest is the rule of sentencepiece's BPE: the most frequent pair, of equals the
// one that makes the shorter piece, then the piece that is less by its bytes. A piece
// that arises in a second way is not merged that way. Pairs that come no longer may
// still fill up the vocabulary.
type shortest struct {
	shapes
	surface []string
	shape   []shape
	known   map[string]bool
	merged  []string
	room    int // for merges
}

func (r *shortest) full() bool   { return len(r.merged) >= r.room }
func (r *shortest) least() int64 { return 0 }

func (r *shortest) allowed(left, right int32) bool {
	_, ok := r.join(r.shape[left], r.shape[right])
	return ok
}

func (r *shortest) before(a, b pair) bool {
	if x, y := r.length(a), r.length(b); x != y {
		return x < y
	}
	// The pieces of a and b are not put together to be compared.
	a1, a2, b1, b2 := r.surface[a.left()], r.surface[a.right()], r.surface[b.left()], r.surface[b.right()]
	for {
		n := min(len(a1), len(b1))
		if k := strings.Compare(a1[:n], b1[:n]); k != 0 {
			return k < 0
		}
		if a1, b1 = a1[n:], b1[n:]; a1 == "" {
			a1, a2 = a2, ""
		}
		if b1 == "" {
			b1, b2 = b2, ""
		}
		if a1 == "" || b1 == "" {
			if len(a1) != len(b1) {
				return len(a1) < len(b1)
			}
			return a < b
		}
	}
}

func (r *shortest) length(p pair) int32 { return r.shape[p.left()].length + r.shape[p.right()].length }

func (r *shortest) merge(p pair, _ int64) (id int32, fresh, ok bool) {
	text := r.surface[p.left()] + r.surface[p.right()]
	if r.known[text] {
		return 0, false, false
	}
	r.known[text] = true
	r.merged = append(r.merged, text)
	joined, _ := r.join(r.shape[p.left()], r.shape[p.right()])
	r.surface = append(r.surface, text)
	r.shape = append(r.shape, joined)
	return int32(len(r.surface) - 1), true, true
}
