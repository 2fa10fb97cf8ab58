package train

import (
	"context"
	"fmt"
	"iter"
	"runtime"

	"lian/tokenizer"
)

// Options of Train. The zero value of each but VocabSize is useful.
type Options struct {
	// VocabSize is the number of tokens wanted: special tokens, 256 bytes, merges.
	VocabSize int
	// Special tokens get the ids 0, 1, 2, … in this order.
	Special []string
	// Pattern is the name of the way to split text, "" for tokenizer.DefaultPattern.
	// See tokenizer.Patterns.
	Pattern string
	// Steps, when given, replace Pattern.
	Steps []tokenizer.Step
	// MinFrequency is the count below which a pair is not merged; 0 and 1 mean any.
	MinFrequency int64
	// MaxTokenBytes limits the length of learned tokens; 0 means no limit. As in the
	// reference, the very first merge of two bytes is not checked.
	MaxTokenBytes int
	// SeenBytesOnly gives ids only to bytes that the texts hold. Such a vocabulary
	// loses other bytes; it is there to compare with the reference.
	SeenBytesOnly bool
	// LimitAlphabet keeps the most frequent bytes only; 0 keeps all. The others are lost
	// from text, as with the reference.
	LimitAlphabet int
	// PrefixSpace puts a space before texts that do not begin with one, and keeps it for
	// encoding. With the pattern gpt-2 only.
	PrefixSpace bool
	// Workers is the number of goroutines, 0 for one per CPU.
	Workers int
	// Progress is called now and then with the number of tokens found so far, Reading
	// before that with the bytes of text read.
	Progress func(done, total int)
	Reading  func(bytes int64)
}

// Train learns a vocabulary from texts; each is split on its own. When the texts
// hold too few different pairs the vocabulary stays smaller than asked: look at
// VocabSize of the result. It stops with ctx's error when ctx ends.
func Train(ctx context.Context, texts iter.Seq[string], o Options) (*tokenizer.Tokenizer, error) {
	steps, err := o.steps()
	if err != nil {
		return nil, err
	}
	splitter, err := tokenizer.NewSplitter(steps)
	if err != nil {
		return nil, err
	}
	if o.MaxTokenBytes < 0 || o.MinFrequency < 0 || o.LimitAlphabet < 0 || o.Workers < 0 {
		return nil, fmt.Errorf("max token bytes, min frequency, limit of the alphabet and workers must not be negative")
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if canCut(steps) {
		texts = cutWords(texts)
	}
	r, err := newRanked(o)
	if err != nil {
		return nil, err
	}
	words, err := count(ctx, lookAhead(texts), o.Workers, o.Reading, func(c chunk, add func(string)) { splitter.Split(c.text, add) })
	if err != nil {
		return nil, err
	}
	byID := r.alphabet(words, o)
	if o.VocabSize < len(r.surface) {
		return nil, fmt.Errorf("a vocabulary of %d is too small: %d special tokens and the bytes are %d", o.VocabSize, len(o.Special), len(r.surface))
	}
	if err := r.learn(ctx, words, o, func(ids []int32, word []byte) []int32 {
		for _, b := range word {
			if id := byID[b]; id >= 0 {
				ids = append(ids, id)
			}
		}
		return ids
	}); err != nil {
		return nil, err
	}
	d := tokenizer.Definition{Tokens: r.surface, Merges: r.list(), Steps: steps, Added: special(o.Special)}
	return tokenizer.New(d)
}

// steps are the ways in which texts are split.
func (o *Options) steps() ([]tokenizer.Step, error) {
	if o.Steps != nil {
		return o.Steps, nil
	}
	name := o.Pattern
	if name == "" {
		name = tokenizer.DefaultPattern
	}
	steps, ok := tokenizer.PatternSteps(name)
	if !ok {
		return nil, fmt.Errorf("pattern %q: not known; known are %v", name, tokenizer.Patterns())
	}
	if o.PrefixSpace {
		if len(steps) != 1 || steps[0].Pattern != tokenizer.PatternGPT2 {
			return nil, fmt.Errorf("pattern %q: a space before texts goes with the pattern gpt-2 only", name)
		}
		return []tokenizer.Step{{Kind: tokenizer.ByteLevelStep, Pattern: tokenizer.PatternGPT2, PrefixSpace: true}}, nil
	}
	return steps, nil
}

// canCut tells whether texts that are cut before lines give the same pieces.
func canCut(steps []tokenizer.Step) bool {
	known := false
	for _, s := range steps {
		switch s.Pattern {
		case tokenizer.PatternGPT2, tokenizer.PatternQwen2, tokenizer.PatternLlama3:
			known = true
		}
		if s.PrefixSpace || !known && s.Kind != tokenizer.Digits {
			return false
		}
	}
	return known
}

// learn makes the merges.
func (r *ranked) learn(ctx context.Context, words *bag, o Options, symbols func(ids []int32, word []byte) []int32) error {
	c, err := newCells(words, symbols)
	if err != nil {
		return err
	}
	*words = bag{} // to be collected
	return newMerger(c, len(r.surface), r, o.Workers).run(ctx, func() {
		if o.Progress != nil {
			o.Progress(len(r.surface), o.VocabSize)
		}
	})
}
