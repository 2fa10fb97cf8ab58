package tokenizer

import (
	"fmt"
	"strings"
)

// Definition is everything that makes a byte-level BPE tokenizer; files are read
// into one and written from one.
type Definition struct {
	// Tokens are surface forms by id (byte-level alphabet for ordinary tokens, plain
	// text for added ones). An empty string is an id that the vocabulary leaves unused.
	Tokens []string
	// Merges are pairs of surface forms, best first.
	Merges [][2]string
	// Added are tokens that are found in text before anything else is done with it.
	Added []Added
	// NFC asks for Unicode normal form C before splitting.
	NFC bool
	// Steps split text into pieces; merges never cross a piece.
	Steps []Step
	// IgnoreMerges takes a piece that is a token as it is, without applying merges.
	IgnoreMerges bool
	// Before and After are ids that the model expects around a text (such as BOS);
	// Encode does not add them, Around tells them.
	Before, After []int32
}

// Added is one entry of a file's added_tokens.
type Added struct {
	ID   int32
	Text string
	// Special tokens are control marks: recognised in text only where the caller of
	// EncodeWith allows it, left out by DecodeText. Others are always recognised.
	Special bool
	// StripLeft and StripRight let the token swallow white space beside it.
	StripLeft, StripRight bool
	// Normalized tokens are looked for after normalisation instead of before.
	Normalized bool
}

// StepKind is a kind of pre-tokenisation step.
type StepKind string

// The kinds of step, named as in tokenizer.json.
const (
	// Split cuts text at the matches of Pattern; what lies between matches is a
	// piece too (behaviour "Isolated").
	Split StepKind = "Split"
	// Digits cuts text at numbers (Unicode category N).
	Digits StepKind = "Digits"
	// ByteLevelStep maps bytes to the byte-level alphabet, after splitting by the
	// GPT-2 pattern if Pattern is set.
	ByteLevelStep StepKind = "ByteLevel"
)

// Step is one step of pre-tokenisation; each splits the pieces of the one before.
type Step struct {
	Kind StepKind
	// Pattern is a regular expression (Split, ByteLevelStep); "" splits nothing.
	Pattern string
	// Individual cuts numbers into single characters (Digits).
	Individual bool
	// PrefixSpace puts a space before each piece that does not begin with one
	// (ByteLevelStep).
	PrefixSpace bool
}

// describe is a canonical text of the steps, for hashing and comparing.
func describe(steps []Step) string {
	var b strings.Builder
	for _, s := range steps {
		if s.Kind == ByteLevelStep && s.Pattern == "" && !s.PrefixSpace {
			continue // only the alphabet, which every tokenizer here uses
		}
		fmt.Fprintf(&b, "%q individual=%t prefix=%t\n", s.Pattern, s.Individual, s.PrefixSpace)
	}
	return b.String()
}
