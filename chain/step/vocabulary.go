package step

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"lian/data"
	"lian/event"
	"lian/store/atomicfile"
	"lian/tokenizer"
	"lian/tokenizer/train"
)

// VocabularyOptions are the settings of lian tokenizer train.
type VocabularyOptions struct {
	Out            string   `yaml:"out" help:"file to write: .json, .model (sentencepiece kinds) or .txt (wordpiece), or a folder for each of these that fits; empty is tokenizer.json, tokenizer.model for sentencepiece kinds"`
	Kind           string   `yaml:"kind" help:"how it is learnt: bpe over bytes, sentencepiece (its BPE), unigram (its other way), or wordpiece (BERT's)" default:"bpe" range:"bpe|sentencepiece|unigram|wordpiece"`
	Vocab          int      `yaml:"vocab" help:"tokens in the vocabulary, all kinds included" default:"4096" range:"2..1000000"`
	Pattern        string   `yaml:"pattern" help:"bpe: how text is split before merging, by llama.cpp's name" default:"qwen2"`
	Special        []string `yaml:"special" help:"special tokens, which get the first ids; auto is those of chats for bpe, BERT's for wordpiece, none for sentencepiece kinds, which have their own" default:"auto"`
	MinFrequency   int64    `yaml:"min_frequency" help:"bpe, wordpiece: pairs seen less often are not merged" default:"2" range:"0.."`
	Alphabet       string   `yaml:"alphabet" help:"bpe: bytes that have a token of their own, all or those of the text only (then others are lost)" default:"all" range:"all|text"`
	LimitAlphabet  int      `yaml:"limit_alphabet" help:"bpe, wordpiece: most bytes or characters with a token of their own, most frequent first; 0 is no limit" default:"0" range:"0.."`
	MaxTokenLength int      `yaml:"max_token_length" help:"bpe: learnt tokens are shorter than so many bytes; 0 is no limit" default:"0" range:"0.."`
	AddPrefixSpace bool     `yaml:"add_prefix_space" help:"bpe with the pattern gpt-2: a space before texts that do not begin with one"`
	Lines          bool     `yaml:"lines" help:"bpe, wordpiece: each line of a file is a text of its own, with its line break; sentencepiece kinds always do so"`
	Workers        int      `yaml:"workers" help:"threads, 0 for all processors; the result does not depend on it" default:"0" range:"0..1024"`

	SentencePiece train.SentencePieceOptions `yaml:"sentencepiece"`
	WordPiece     train.WordPieceOptions     `yaml:"wordpiece"`
}

// Vocabulary says what lian tokenizer train learnt.
type Vocabulary struct {
	Paths         []string `json:"paths"`
	Kind          string   `json:"kind"`
	Tokens        int      `json:"tokens"`
	Merges        int      `json:"merges"`
	Texts         int      `json:"texts"`
	Bytes         int64    `json:"bytes"`              // of text it was learnt from
	TooLong       int      `json:"too_long,omitempty"` // lines that were left out
	Reserved      int      `json:"reserved,omitempty"` // lines with U+2585, likewise
	BytesPerToken float64  `json:"bytes_per_token"`    // on the beginning of that text
	Hash          string   `json:"hash"`
	Seconds       float64  `json:"seconds"`
}

// SpecialBERT are the special tokens of BERT's vocabularies.
var SpecialBERT = []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}

// special are the special tokens asked for.
func (o *VocabularyOptions) special() []string {
	if len(o.Special) != 1 || o.Special[0] != "auto" {
		return o.Special
	}
	switch o.Kind {
	case "bpe":
		return SpecialTokens
	case "wordpiece":
		return SpecialBERT
	}
	return nil
}

// out are the files to write, of the kinds that there are for what is learnt.
func (o *VocabularyOptions) out() (paths []string, err error) {
	names := map[string][]string{"bpe": {"tokenizer.json"}, "wordpiece": {"tokenizer.json", "vocab.txt"},
		"sentencepiece": {"tokenizer.model", "tokenizer.json"}, "unigram": {"tokenizer.model", "tokenizer.json"}}[o.Kind]
	if o.Out == "" {
		return names[:1], nil
	}
	ext := filepath.Ext(o.Out)
	for _, name := range names {
		if ext == filepath.Ext(name) {
			return []string{o.Out}, nil
		}
	}
	if info, err := os.Stat(o.Out); err == nil && !info.IsDir() || ext == ".json" || ext == ".model" || ext == ".txt" {
		return nil, fmt.Errorf("--out %s: expected a folder or a name like %s for the kind %s", o.Out, strings.Join(names, " or "), o.Kind)
	}
	for _, name := range names {
		paths = append(paths, filepath.Join(o.Out, name))
	}
	return paths, nil
}

// TrainVocabulary learns a vocabulary from files: text, JSON lines with "text", folders with documents.jsonl.
func TrainVocabulary(ctx context.Context, files []string, o VocabularyOptions, sink event.Sink) (*Vocabulary, error) {
	begun, v := time.Now(), &Vocabulary{Kind: o.Kind}
	var err error
	if v.Paths, err = o.out(); err != nil {
		return nil, err
	}
	const looked = 1 << 20
	var sample strings.Builder
	var readErr error
	total, readAll := sizeOf(files), false
	texts := func(yield func(string) bool) {
		for text, err := range readTexts(files) {
			if err != nil {
				readErr = err
				return
			}
			v.Texts++
			v.Bytes += int64(len(text))
			if sample.Len() < looked {
				sample.WriteString(text[:min(len(text), looked)])
			}
			for part := range o.parts(text) {
				if !yield(part) {
					return
				}
			}
		}
		readAll = true
	}
	reading := func(bytes int64) {
		sink.Emit(event.KindProgress, event.Progress{Stage: "reading", Done: min(bytes, total), Total: total, Unit: "bytes"})
	}
	tok, model, err := o.train(ctx, texts, v, reading, func(done, total int) {
		sink.Emit(event.KindProgress, event.Progress{Stage: "vocabulary", Done: int64(done), Total: int64(total), Unit: "tokens"})
	})
	if readErr != nil {
		return nil, readErr
	}
	if readAll && v.Bytes == 0 {
		return nil, fmt.Errorf("%s: there is no text to learn from", strings.Join(files, ", "))
	}
	if err != nil {
		return nil, err
	}
	for _, path := range v.Paths {
		if err := saveVocabulary(path, tok, model); err != nil {
			return nil, err
		}
	}
	v.Tokens, v.Merges, v.Hash = tok.VocabSize(), len(tok.Merges()), tok.Hash()
	v.BytesPerToken = float64(sample.Len()) / float64(len(tok.Encode(sample.String())))
	v.Seconds = time.Since(begun).Seconds()
	return v, nil
}

// parts are the texts that a text is for learning.
func (o *VocabularyOptions) parts(text string) iter.Seq[string] {
	if o.Lines {
		return strings.Lines(text)
	}
	return func(yield func(string) bool) { yield(text) }
}

// train learns; model is the sentencepiece file, nil for the other kinds.
func (o *VocabularyOptions) train(ctx context.Context, texts iter.Seq[string], v *Vocabulary, reading func(int64), progress func(done, total int)) (tok *tokenizer.Tokenizer, model []byte, err error) {
	switch o.Kind {
	case "bpe":
		tok, err = train.Train(ctx, texts, train.Options{VocabSize: o.Vocab, Special: o.special(), Pattern: o.Pattern, MinFrequency: o.MinFrequency,
			MaxTokenBytes: o.MaxTokenLength, SeenBytesOnly: o.Alphabet == "text", LimitAlphabet: o.LimitAlphabet, PrefixSpace: o.AddPrefixSpace,
			Workers: o.Workers, Progress: progress, Reading: reading})
		return tok, nil, err
	case "wordpiece":
		w := o.WordPiece
		w.VocabSize, w.Special, w.MinFrequency, w.LimitAlphabet, w.Workers, w.Progress, w.Reading = o.Vocab, o.special(), o.MinFrequency, o.LimitAlphabet, o.Workers, progress, reading
		tok, err = train.TrainWordPiece(ctx, texts, w)
		return tok, nil, err
	}
	s := o.SentencePiece
	s.Model, s.VocabSize, s.Control, s.Workers, s.Progress, s.Reading = tokenizer.ScoreBPE, o.Vocab, o.special(), o.Workers, progress, reading
	if o.Kind == "unigram" {
		s.Model = tokenizer.Unigram
	}
	learnt, err := train.TrainSentencePiece(ctx, texts, s)
	if err != nil {
		return nil, nil, err
	}
	v.Texts, v.TooLong, v.Reserved = learnt.Sentences, learnt.TooLong, learnt.Reserved
	tok, err = tokenizer.New(learnt.Definition())
	return tok, learnt.Model(), err
}

// saveVocabulary writes one file in the format that its name asks for.
func saveVocabulary(path string, tok *tokenizer.Tokenizer, model []byte) error {
	if dir := filepath.Dir(path); dir != "." {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return err
		}
	}
	switch filepath.Ext(path) {
	case ".model":
		return atomicfile.WriteFile(path, model)
	case ".txt":
		var out strings.Builder
		for id, e := range tok.Vocabulary() {
			if strings.ContainsAny(e.Text, "\r\n") {
				return fmt.Errorf("%s: token %d is %q, and a line cannot hold it", path, id, e.Text)
			}
			out.WriteString(e.Text + "\n")
		}
		return atomicfile.WriteFile(path, []byte(out.String()))
	}
	return tok.Save(path)
}

// sizeOf is how many bytes files have; what cannot be read counts nothing here.
func sizeOf(files []string) (total int64) {
	for _, file := range files {
		info, err := os.Stat(file)
		if err == nil && info.IsDir() {
			info, err = os.Stat(filepath.Join(file, data.TrainFile))
		}
		if err == nil {
			total += info.Size()
		}
	}
	return total
}

// readTexts gives the texts of files one by one: a .jsonl has one on each line, a folder those of its documents.jsonl, any
// other file is one text.
func readTexts(files []string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, file := range files {
			if info, err := os.Stat(file); err == nil && info.IsDir() {
				file = filepath.Join(file, data.TrainFile)
			}
			more := true
			var err error
			if filepath.Ext(file) == ".jsonl" {
				err = readTextLines(file, func(text string) { more = more && yield(text, nil) })
			} else {
				var raw []byte
				if raw, err = os.ReadFile(file); err == nil && !utf8.Valid(raw) {
					err = fmt.Errorf("%s: not UTF-8 text; expected text, JSON lines with \"text\", or a folder of documents", file)
				}
				if err == nil {
					more = yield(string(raw), nil)
				}
			}
			if err != nil {
				yield("", err)
				return
			}
			if !more {
				return
			}
		}
	}
}
