package step

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"lian/data"
	"lian/event"
	"lian/tokenizer/train"
)

// VocabularyOptions are the settings of lian tokenizer train.
type VocabularyOptions struct {
	Out          string   `yaml:"out" help:"tokenizer.json to write" default:"tokenizer.json"`
	Vocab        int      `yaml:"vocab" help:"tokens in the vocabulary, special ones and 256 bytes included" default:"4096" range:"257..1000000"`
	Pattern      string   `yaml:"pattern" help:"how text is split before merging, by llama.cpp's name" default:"qwen2"`
	Special      []string `yaml:"special" help:"special tokens, which get the first ids" default:"<|endoftext|>,<|im_start|>,<|im_end|>"`
	MinFrequency int64    `yaml:"min_frequency" help:"pairs seen less often are not merged" default:"2" range:"1.."`
}

// Vocabulary says what lian tokenizer train learnt.
type Vocabulary struct {
	Path          string  `json:"path"`
	Tokens        int     `json:"tokens"`
	Merges        int     `json:"merges"`
	Texts         int     `json:"texts"`
	Bytes         int64   `json:"bytes"`           // of text it was learnt from
	BytesPerToken float64 `json:"bytes_per_token"` // on the beginning of that text
	Hash          string  `json:"hash"`
	Seconds       float64 `json:"seconds"`
}

// TrainVocabulary learns a byte-level BPE from files: text, JSON lines with "text", folders with documents.jsonl.
func TrainVocabulary(ctx context.Context, files []string, o VocabularyOptions, sink event.Sink) (*Vocabulary, error) {
	begun, v := time.Now(), &Vocabulary{Path: o.Out}
	const looked = 1 << 20
	var sample strings.Builder
	var readErr error
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
			sink.Emit(event.KindProgress, event.Progress{Stage: "reading", Done: v.Bytes, Unit: "bytes"})
			if !yield(text) {
				return
			}
		}
	}
	tok, err := train.Train(ctx, texts, train.Options{VocabSize: o.Vocab, Special: o.Special, Pattern: o.Pattern, MinFrequency: o.MinFrequency,
		Progress: func(done, total int) {
			sink.Emit(event.KindProgress, event.Progress{Stage: "vocabulary", Done: int64(done), Total: int64(total), Unit: "tokens"})
		}})
	if err = errors.Join(readErr, err); err != nil {
		return nil, err
	}
	if v.Bytes == 0 {
		return nil, fmt.Errorf("%s: there is no text to learn from", strings.Join(files, ", "))
	}
	if err := tok.Save(o.Out); err != nil {
		return nil, err
	}
	v.Tokens, v.Merges, v.Hash = tok.VocabSize(), len(tok.Merges()), tok.Hash()
	v.BytesPerToken = float64(sample.Len()) / float64(len(tok.Encode(sample.String())))
	v.Seconds = time.Since(begun).Seconds()
	return v, nil
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

// ComparedTokenizer is how a tokenizer cuts a text.
type ComparedTokenizer struct {
	Tokenizer     string  `json:"tokenizer"`
	Vocab         int     `json:"vocab"`
	Tokens        int     `json:"tokens"`
	BytesPerToken float64 `json:"bytes_per_token"`
	CharsPerToken float64 `json:"chars_per_token"`
	RoundTrip     bool    `json:"round_trip"` // decoding gives every text back
	MBPerSecond   float64 `json:"mb_per_second"`
}

// CompareTokenizers encodes the texts of a file with each tokenizer.
func CompareTokenizers(ctx context.Context, file string, tokenizers []string, sink event.Sink) ([]ComparedTokenizer, error) {
	var texts []string
	total, chars := 0, 0
	for text, err := range readTexts([]string{file}) {
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
		total += len(text)
		chars += utf8.RuneCountInString(text)
	}
	if total == 0 {
		return nil, fmt.Errorf("%s: there is no text in it", file)
	}
	var rows []ComparedTokenizer
	for _, path := range tokenizers {
		tok, err := OpenTokenizer(path)
		if err != nil {
			return nil, err
		}
		row, done, spent := ComparedTokenizer{Tokenizer: path, Vocab: tok.VocabSize(), RoundTrip: true}, int64(0), time.Duration(0)
		for _, text := range texts {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			begun := time.Now()
			ids := tok.Encode(text)
			spent += time.Since(begun)
			row.Tokens += len(ids)
			row.RoundTrip = row.RoundTrip && tok.Decode(ids) == text
			done += int64(len(text))
			sink.Emit(event.KindProgress, event.Progress{Stage: "encode", Done: done, Total: int64(total), Unit: "bytes"})
		}
		row.BytesPerToken, row.CharsPerToken = float64(total)/float64(row.Tokens), float64(chars)/float64(row.Tokens)
		row.MBPerSecond = float64(total) / 1e6 / spent.Seconds()
		rows = append(rows, row)
	}
	return rows, nil
}
