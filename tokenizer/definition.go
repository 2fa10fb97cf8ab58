package tokenizer

import (
	"fmt"
	"strings"
)

// Definition is everything that makes a tokenizer: files of every kind are read into
// one, New makes it work, JSON writes it. The zero value of each field but Tokens
// asks for nothing.
type Definition struct {
	// Model is how a piece of text becomes tokens; "" is ByteBPE.
	Model Model
	// Tokens are surface forms by id (byte-level alphabet for the ordinary tokens of
	// ByteBPE, plain text otherwise). An empty string is an id that the vocabulary
	// leaves unused.
	Tokens []string
	// Scores are logarithms of probability by id (Unigram, ScoreBPE: higher merges first).
	Scores []float64
	// Roles are by id; nil means ordinary for each token that Added does not name.
	Roles []Role
	// Merges are pairs of surface forms, best first (ByteBPE, BPE).
	Merges [][2]string
	// Added are tokens that are found in text before the model sees it.
	Added []Added
	// LongestFirst looks for added tokens one by one, long ones first, as llama.cpp
	// does; otherwise from left to right, the longest that begins at a place.
	LongestFirst bool
	// Normalize changes text before it is split, step by step.
	Normalize []Normalization
	// Steps split text into pieces; tokens never cross a piece.
	Steps []Step
	// Decode puts the text of tokens together, step by step; nil is ByteLevel for
	// ByteBPE, and blanks between tokens for others.
	Decode []Decoding
	// IgnoreMerges takes a piece that is a token as it is, without applying merges.
	IgnoreMerges bool
	// WholeBreaks takes a piece of line breaks that is a token as it is (Gemma 4).
	WholeBreaks bool
	// Unknown is the token for what the vocabulary lacks, "" for none.
	Unknown string
	// FuseUnknown makes one unknown token of several in a row.
	FuseUnknown bool
	// ByteFallback writes what the vocabulary lacks with tokens such as <0xE4>.
	ByteFallback bool
	// ContinuingPrefix stands before tokens that do not begin a word, WordSuffix after
	// those that end one.
	ContinuingPrefix, WordSuffix string
	// LongestWord is the number of characters from which a word is unknown (WordPiece).
	LongestWord int
	// Float32 sums scores as sentencepiece does (Unigram).
	Float32 bool
	// Before and After are ids that the model expects around a text (such as BOS);
	// Encode does not add them, Around tells them.
	Before, After []int32
	// Single and Pair are the templates of one text and of two; nil puts Before and
	// After around each text (see Template). Single has what Before and After have.
	Single, Pair []Part
	// BOS and EOS are the tokens that may begin and end a text where Before and After
	// are empty; nil for none.
	BOS, EOS []int32
	// TrimOffsets tells the places of tokens without the blanks around them
	// (ReferenceTokens); KeepFirstSpace leaves the one before the text.
	TrimOffsets, KeepFirstSpace bool
	// Truncation is how the file asks to cut encodings; Encode never does.
	Truncation *Truncation
	// Padding is how the file asks to pad encodings; Encode never does.
	Padding *Padding
	// CleanSpaces takes blanks before punctuation away where a whole text is decoded for
	// comparison with llama.cpp (Detokenize).
	CleanSpaces bool
}

// Model is a way in which a piece of text becomes tokens.
type Model string

// The models.
const (
	// ByteBPE merges bytes by ranked pairs. Source: Radford et al. 2019.
	ByteBPE Model = "byte-level BPE"
	// RankBPE merges bytes whenever the result is a token, the lowest id first.
	// Source: tiktoken.
	RankBPE Model = "tiktoken BPE"
	// BPE merges characters by ranked pairs. Source: Sennrich et al., arXiv 1508.07909.
	BPE Model = "BPE"
	// ScoreBPE merges characters whenever the result is a token, the best score first.
	// Source: sentencepiece, bpe_model.cc.
	ScoreBPE Model = "SentencePiece BPE"
	// Unigram takes the tokens with the best sum of scores. Source: Kudo, arXiv 1804.10959.
	Unigram Model = "unigram"
	// WordPiece takes the longest token from the left, again and again. Source: BERT.
	WordPiece Model = "WordPiece"
	// PhantomWordPiece is llama.cpp's WordPiece: words begin with U+2581.
	PhantomWordPiece Model = "WordPiece of GGUF"
	// WordLevel takes each piece as a token.
	WordLevel Model = "word level"
	// Characters takes each character as a token. Source: sentencepiece, char_model.cc.
	Characters Model = "characters"
	// Words takes each word between blanks as a token. Source: sentencepiece, word_model.cc.
	Words Model = "words"
	// LongestMatch takes the longest token at each place. Source: RWKV.
	LongestMatch Model = "longest match"
)

// Role is what a token is for, with the numbers that GGUF and sentencepiece use.
type Role uint8

// The roles.
const (
	Ordinary    Role = 1
	UnknownRole Role = 2
	Control     Role = 3
	UserDefined Role = 4
	Unused      Role = 5
	ByteRole    Role = 6
)

// role is the role of an id.
func (d *Definition) role(id int32) Role {
	if d.Roles == nil {
		return Ordinary
	}
	return d.Roles[id]
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
	// SingleWord tokens count only where no letter or digit stands beside them.
	SingleWord bool
	// Outside tokens are no words of the model: no text becomes them by merging.
	Outside bool
	// Normalized tokens are looked for after normalisation instead of before.
	Normalized bool
}

// StepKind is a kind of pre-tokenisation step.
type StepKind string

// The kinds of step, named as in tokenizer.json.
const (
	// Split cuts text at the matches of Pattern (or of Literal) by Behavior.
	Split StepKind = "Split"
	// Digits cuts text at numbers (Unicode category N).
	Digits StepKind = "Digits"
	// ByteLevelStep maps bytes to the byte-level alphabet, after splitting by the
	// GPT-2 pattern if Pattern is set.
	ByteLevelStep StepKind = "ByteLevel"
	// Metaspace writes blanks as Literal and splits before each.
	Metaspace StepKind = "Metaspace"
	// Whitespace keeps words and runs of signs, WhitespaceSplit what stands between
	// white space.
	Whitespace      StepKind = "Whitespace"
	WhitespaceSplit StepKind = "WhitespaceSplit"
	// BertStep splits at white space and isolates punctuation.
	BertStep StepKind = "BertPreTokenizer"
	// Punctuation cuts at punctuation by Behavior, Delimiter at the character Literal.
	Punctuation StepKind = "Punctuation"
	Delimiter   StepKind = "CharDelimiterSplit"
	// UnicodeScripts splits where the script changes.
	UnicodeScripts StepKind = "UnicodeScripts"
	// FixedLength cuts pieces of Length characters.
	FixedLength StepKind = "FixedLength"
)

// Behavior is what becomes of the places that a step cuts at.
type Behavior string

// The behaviours, named as in tokenizer.json; "" is Isolated.
const (
	Isolated           Behavior = "Isolated"
	Removed            Behavior = "Removed"
	MergedWithPrevious Behavior = "MergedWithPrevious"
	MergedWithNext     Behavior = "MergedWithNext"
	Contiguous         Behavior = "Contiguous"
)

// Step is one step of pre-tokenisation; each splits the pieces of the one before.
type Step struct {
	Kind StepKind
	// Pattern is a regular expression (Split, ByteLevelStep); "" splits nothing.
	Pattern string
	// Literal is a text to cut at (Split), or the character of Metaspace and Delimiter.
	Literal string
	// Behavior says where the matches go; Invert exchanges them with what lies between.
	Behavior Behavior
	Invert   bool
	// Individual cuts numbers into single characters (Digits).
	Individual bool
	// PrefixSpace puts a space before each piece that does not begin with one
	// (ByteLevelStep).
	PrefixSpace bool
	// Prepend says which pieces get the character of Metaspace before them: "first",
	// "always" or "never". Whole keeps pieces whole.
	Prepend string
	Whole   bool
	// Length is the number of characters of FixedLength.
	Length int
}

// describe is a canonical text of the steps, for hashing and comparing.
func describe(steps []Step) string {
	var b strings.Builder
	for _, s := range steps {
		if s.Kind == ByteLevelStep && s.Pattern == "" && !s.PrefixSpace {
			continue // only the alphabet, which every byte-level tokenizer uses
		}
		fmt.Fprintf(&b, "%q individual=%t prefix=%t", s.Pattern, s.Individual, s.PrefixSpace)
		if s.Kind != Split && s.Kind != Digits && s.Kind != ByteLevelStep || s.Literal != "" || s.Invert || s.Behavior != "" && s.Behavior != Isolated {
			fmt.Fprintf(&b, " %s %q %s %t %s %t %d", s.Kind, s.Literal, s.Behavior, s.Invert, s.Prepend, s.Whole, s.Length)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// Normalization is one step of changing text before it is split.
type Normalization struct {
	Kind NormalizationKind
	// Pattern is what Replace replaces by Content: a regular expression, or with Literal
	// set the text itself. Prepend puts Content before the text.
	Pattern, Content string
	Literal          bool
	// Left and Right are the sides that Strip strips.
	Left, Right bool
	// CleanText, ChineseCharacters, StripAccents and Lowercase are the parts of Bert.
	CleanText, ChineseCharacters, StripAccents, Lowercase bool
	// Map is a precompiled map of characters (Precompiled, SentencePiece).
	Map []byte
	// DummyPrefix, RemoveExtraSpaces, EscapeSpaces and SpaceIsSuffix are those of
	// sentencepiece's NormalizerSpec.
	DummyPrefix, RemoveExtraSpaces, EscapeSpaces, SpaceIsSuffix bool
	// FirstOnly puts the blank of DummyPrefix before the text, but not after special
	// tokens (transformers with legacy=false).
	FirstOnly bool
}

// NormalizationKind is a kind of Normalization.
type NormalizationKind string

// The kinds, most of them named as in tokenizer.json.
const (
	NFC               NormalizationKind = "NFC"
	NFD               NormalizationKind = "NFD"
	NFKC              NormalizationKind = "NFKC"
	NFKD              NormalizationKind = "NFKD"
	Lowercase         NormalizationKind = "Lowercase"
	StripAccents      NormalizationKind = "StripAccents"
	StripSpaces       NormalizationKind = "Strip"
	Replace           NormalizationKind = "Replace"
	Prepend           NormalizationKind = "Prepend"
	Nmt               NormalizationKind = "Nmt"
	Bert              NormalizationKind = "BertNormalizer"
	Precompiled       NormalizationKind = "Precompiled"
	ByteLevelText     NormalizationKind = "ByteLevel"
	SentencePieceText NormalizationKind = "SentencePiece"
	// LlamaUnigramText is llama.cpp's reading of sentencepiece's normaliser for T5.
	LlamaUnigramText NormalizationKind = "LlamaUnigram"
	// LlamaSpaces puts a blank before the text if DummyPrefix, and writes blanks as
	// U+2581 if EscapeSpaces.
	LlamaSpaces NormalizationKind = "LlamaSpaces"
	// LlamaBert is llama.cpp's reading of BERT's normaliser.
	LlamaBert NormalizationKind = "LlamaBert"
)

// Decoding is one step of putting the texts of tokens together.
type Decoding struct {
	Kind DecodingKind
	// Pattern and Content are those of Replace; Literal as in Normalization.
	Pattern, Content string
	Literal          bool
	// Character is stripped (StripText: at most Start at the beginning and Stop at the
	// end) or stands for a blank (MetaspaceText).
	Character   string
	Start, Stop int
	// Prepended tells that the first token's blank is not of the text.
	Prepended bool
	// Affix is the prefix of WordPieceText or the suffix of BPESuffix; Pad and Delimiter
	// are those of CTC.
	Affix, Pad, Delimiter string
	// Cleanup removes blanks before punctuation (WordPieceText, CTC).
	Cleanup bool
	// ShowControl shows control tokens, which sentencepiece leaves out.
	ShowControl bool
	// DropAll removes all blanks at the beginning, not one (SentencePieceDecoding).
	DropAll bool
	// Unknown is shown for the unknown token (SentencePieceDecoding).
	Unknown string
}

// DecodingKind is a kind of Decoding.
type DecodingKind string

// The kinds, most of them named as in tokenizer.json.
const (
	ByteLevelDecoding     DecodingKind = "ByteLevel"
	ByteFallbackDecoding  DecodingKind = "ByteFallback"
	Fuse                  DecodingKind = "Fuse"
	ReplaceText           DecodingKind = "Replace"
	StripText             DecodingKind = "Strip"
	MetaspaceText         DecodingKind = "Metaspace"
	WordPieceText         DecodingKind = "WordPiece"
	BPESuffix             DecodingKind = "BPEDecoder"
	CTC                   DecodingKind = "CTC"
	SentencePieceDecoding DecodingKind = "SentencePiece"
	// LlamaDecoding is llama.cpp's for its kinds other than byte-level BPE.
	LlamaDecoding DecodingKind = "Llama"
	// PlainDecoding puts tokens together as they are.
	PlainDecoding DecodingKind = "Plain"
)
