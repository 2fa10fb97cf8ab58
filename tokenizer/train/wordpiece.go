package train

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"slices"

	"lian/tokenizer"
)

// WordPieceOptions of TrainWordPiece.
type WordPieceOptions struct {
	// VocabSize is the number of tokens wanted: special tokens, characters, merges.
	VocabSize int `yaml:"-"`
	// Special tokens get the ids 0, 1, 2, … in this order; Unknown must be one of them.
	Special []string `yaml:"-"`
	// MinFrequency is the count below which a pair is not merged; 0 and 1 mean any.
	MinFrequency int64 `yaml:"-"`
	// LimitAlphabet keeps the most frequent characters only; 0 keeps all.
	LimitAlphabet int `yaml:"-"`

	Unknown           string `yaml:"unknown" help:"token of words that the vocabulary cannot write" default:"[UNK]"`
	Prefix            string `yaml:"prefix" help:"what stands before tokens that do not begin a word" default:"##"`
	Lowercase         bool   `yaml:"lowercase" help:"text is put in lower case and loses its accents" default:"true"`
	ChineseCharacters bool   `yaml:"chinese_characters" help:"every Chinese character is a word" default:"true"`

	// Workers is the number of goroutines, 0 for one per CPU.
	Workers int `yaml:"-"`
	// Progress is called now and then with the number of tokens found so far, Reading
	// before that with the bytes of text read.
	Progress func(done, total int) `yaml:"-"`
	Reading  func(bytes int64)     `yaml:"-"`
}

// TrainWordPiece learns a vocabulary for BERT's tokenizer as Hugging Face's
// WordPieceTrainer does: merges as of BpeTrainer, of which the tokens are kept. The
// reference numbers the characters within words as it meets them, which differs from
// run to run, and with it which of two equally frequent pairs is merged first; here
// they are in the order of their code points.
//
// Before marks a text's beginning ([CLS]) and After its end ([SEP]) if these are
// among the special tokens.
func TrainWordPiece(ctx context.Context, texts iter.Seq[string], o WordPieceOptions) (*tokenizer.Tokenizer, error) {
	if !slices.Contains(o.Special, o.Unknown) || o.Unknown == "" {
		return nil, fmt.Errorf("unknown token %q: is not among the special tokens %q", o.Unknown, o.Special)
	}
	if o.LimitAlphabet < 0 || o.MinFrequency < 0 || o.Workers < 0 {
		return nil, fmt.Errorf("limit of the alphabet, min frequency and workers must not be negative")
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	d := tokenizer.Definition{Model: tokenizer.WordPiece, Unknown: o.Unknown, ContinuingPrefix: o.Prefix, LongestWord: 100,
		Normalize: []tokenizer.Normalization{{Kind: tokenizer.Bert, CleanText: true, ChineseCharacters: o.ChineseCharacters,
			StripAccents: o.Lowercase, Lowercase: o.Lowercase}},
		Steps:  []tokenizer.Step{{Kind: tokenizer.BertStep}},
		Decode: []tokenizer.Decoding{{Kind: tokenizer.WordPieceText, Affix: o.Prefix, Cleanup: true}},
	}
	normalizer, err := tokenizer.NewNormalizer(d.Normalize)
	if err != nil {
		return nil, err
	}
	splitter, err := tokenizer.NewSplitter(d.Steps)
	if err != nil {
		return nil, err
	}
	shared := Options{VocabSize: o.VocabSize, Special: o.Special, MinFrequency: o.MinFrequency, Workers: o.Workers, Progress: o.Progress}
	r, err := newRanked(shared)
	if err != nil {
		return nil, err
	}
	r.prefix = o.Prefix
	words, err := count(ctx, lookAhead(cutLines(texts)), o.Workers, o.Reading, func(c chunk, add func(string)) {
		splitter.Split(normalizer.Normalize(c.text), add) // white space is no part of words, so lines can be cut
	})
	if err != nil {
		return nil, err
	}
	begins, continues := r.characters(words, o.LimitAlphabet)
	if o.VocabSize < len(r.surface) {
		return nil, fmt.Errorf("a vocabulary of %d is too small: %d special tokens and the characters are %d; ask for more, or limit the alphabet", o.VocabSize, len(o.Special), len(r.surface))
	}
	err = r.learn(ctx, words, shared, func(ids []int32, word []byte) []int32 {
		for i, c := range string(word) {
			from := begins
			if i > 0 {
				from = continues
			}
			if id, ok := from[c]; ok {
				ids = append(ids, id)
			}
		}
		return ids
	})
	if err != nil {
		return nil, err
	}
	d.Tokens = r.surface
	d.Added = special(o.Special)
	for i, text := range o.Special {
		switch text {
		case "[CLS]":
			d.Before = []int32{int32(i)}
		case "[SEP]":
			d.After = []int32{int32(i)}
		}
	}
	return tokenizer.New(d)
}

// characters gives ids to the characters of words, by code point, then to those that
// do not begin a word.
func (r *ranked) characters(words *bag, limit int) (begins, continues map[rune]int32) {
	counts := map[rune]int64{}
	within := map[rune]bool{}
	for i, x := range words.items {
		for k, c := range string(words.text(i)) {
			counts[c] += x.times
			if k > 0 {
				within[c] = true
			}
		}
	}
	begins, continues = map[rune]int32{}, map[rune]int32{}
	kept := mostFrequent(counts, limit)
	for _, c := range kept {
		begins[c] = r.id(string(c))
	}
	for _, c := range kept {
		if within[c] {
			continues[c] = r.id(r.prefix + string(c))
		}
	}
	return begins, continues
}
