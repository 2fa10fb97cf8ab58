package step

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"lian/event"
	"lian/format/tokenfile"
	"lian/tokenizer"
)

// TokensOptions say what becomes of token files or text.
type TokensOptions struct {
	Tokenizer  string `yaml:"tokenizer" help:"tokenizer.json or a folder that has one"`
	Format     string `yaml:"format" help:"lian, internevo, megatron, llmc, nanogpt, mds or jsonl; empty is lian, or what the ending of OUT says" range:"|lian|internevo|megatron|llmc|nanogpt|mds|jsonl"`
	Vocabulary int    `yaml:"vocabulary" help:"number of ids, where no tokenizer is given" default:"0" range:"0..2147483647"`
	Field      string `yaml:"field" help:"column or member that has the ids or the text; empty tries tokens, input_ids, text, content"`
	End        int    `yaml:"end" help:"id that stands between documents in token files; -1 is the tokenizer's, or what the format has" default:"-1" range:"-1..2147483647"`
}

// TokensReport is what was written and read back.
type TokensReport struct {
	From       string         `json:"from"` // format
	To         tokenfile.Kind `json:"to"`
	Vocabulary int            `json:"vocabulary"`
	End        int32          `json:"end"` // −1: none
	tokenfile.Written
}

// ConvertTokens writes token files, or text through a tokenizer, in another format, reads them back and compares.
func ConvertTokens(ctx context.Context, in, out string, o TokensOptions, events event.Sink) (r TokensReport, err error) {
	domains, err := tokenfile.Discover(in)
	if err != nil {
		return r, err
	}
	if len(domains) > 1 || len(domains[0].HeldOut) > 0 {
		var names []string
		for _, d := range domains {
			for _, f := range append(d.Train, d.HeldOut...) {
				names = append(names, f.Path)
			}
		}
		return r, fmt.Errorf("%s: holds several domains or splits; convert them one by one: %s", in, strings.Join(names, ", "))
	}
	c := tokensConversion{ctx: ctx, o: o, events: events}
	if o.Tokenizer != "" {
		if c.tok, err = tokenizer.Load(o.Tokenizer); err != nil {
			return r, err
		}
	}
	files := domains[0].Train
	if err := c.settle(files); err != nil {
		return r, err
	}
	r.From, r.To, r.Vocabulary, r.End = kindsOf(domains), formatOf(o.Format, out), c.vocabulary, c.end
	if r.To == tokenfile.Lian && c.tok == nil && c.hash == "" {
		return r, fmt.Errorf("a shard of Lian's says which tokenizer its ids are of; pass --tokenizer, or another --format")
	}
	w := tokenfile.Writing{Vocabulary: c.vocabulary, End: c.end, Tokenizer: c.hash}
	if r.Written, err = tokenfile.Write(r.To, out, c.documents(files), w); err != nil {
		return r, err
	}
	back, err := c.sum(tokenfile.File{Path: out, Kind: r.To})
	if err != nil {
		return r, fmt.Errorf("reading back: %w", err)
	}
	if back != r.IDs {
		return r, fmt.Errorf("%s: read back, the ids have SHA-256 %s, %s was written; an end mark (%d) inside a document, or at its end, cannot be told from one between documents in %s", out, back, r.IDs, r.End, r.To)
	}
	return r, nil
}

// formatOf is the format that is asked for, or that a name means.
func formatOf(format, out string) tokenfile.Kind {
	switch {
	case format != "":
		return tokenfile.Kind(format)
	case filepath.Ext(out) == ".jsonl":
		return tokenfile.JSONLines
	}
	return tokenfile.Lian
}

type tokensConversion struct {
	ctx        context.Context
	o          TokensOptions
	events     event.Sink
	tok        *tokenizer.Tokenizer
	hash       string
	vocabulary int
	end        int32
}

// settle finds the vocabulary and the end mark: from the options, the tokenizer, the files.
func (c *tokensConversion) settle(files []tokenfile.File) error {
	c.vocabulary, c.end = c.o.Vocabulary, int32(c.o.End)
	if c.tok != nil {
		c.vocabulary, c.hash = c.tok.VocabSize(), c.tok.Hash()
		if mark, ok := c.tok.Special(Separator); ok && c.end < 0 {
			c.end = mark
		}
	}
	largest := -1
	for _, f := range files {
		if f.Kind == tokenfile.NanoGPT && c.vocabulary == 0 {
			n, err := tokenfile.MetaVocabulary(f.Path)
			if err != nil {
				return err
			}
			c.vocabulary = n
		}
		if !f.Kind.InPlace() {
			continue
		}
		r, err := tokenfile.Open(f, c.options())
		if err != nil {
			return err
		}
		if s, ok := tokenfile.Shard(r); ok && c.tok == nil {
			c.hash, c.vocabulary = s.Meta().TokenizerHash, s.Meta().VocabSize
		}
		if end := tokenfile.End(r); c.end < 0 {
			c.end = end
		}
		if err := r.Close(); err != nil {
			return err
		}
	}
	if c.vocabulary > 0 {
		return nil
	}
	for d, err := range c.documents(files) { // the largest id says how wide ids must be
		if err != nil {
			return err
		}
		for _, id := range d.IDs {
			largest = max(largest, int(id))
		}
	}
	c.vocabulary = max(largest, int(c.end)) + 1
	return nil
}

func (c *tokensConversion) options() tokenfile.Options {
	return tokenfile.Options{Vocabulary: c.vocabulary, End: c.end, Field: c.o.Field}
}

// documents are all documents of files, one after another.
func (c *tokensConversion) documents(files []tokenfile.File) func(yield func(tokenfile.Document, error) bool) {
	return func(yield func(tokenfile.Document, error) bool) {
		for _, f := range files {
			if !f.Kind.InPlace() {
				for d, err := range recordDocuments(c.ctx, f, c.tok, MixtureOptions{Field: c.o.Field, End: int(c.end)}, c.events) {
					if !yield(d, err) || err != nil {
						return
					}
				}
				continue
			}
			if !c.inPlace(f, yield) {
				return
			}
		}
	}
}

func (c *tokensConversion) inPlace(f tokenfile.File, yield func(tokenfile.Document, error) bool) bool {
	r, err := tokenfile.Open(f, c.options())
	if err != nil {
		return yield(tokenfile.Document{}, err) && false
	}
	defer r.Close()
	for i := range r.Documents() {
		t, err := r.Read(i, 0, r.Length(i))
		if err == nil {
			err = c.ctx.Err()
		}
		d := tokenfile.Document{Tokens: t, TextBytes: r.TextBytes(i)}
		if d.TextBytes < 0 && c.tok != nil {
			d.TextBytes = textBytes(c.tok, t.IDs)
		}
		if i%1000 == 999 {
			c.events.Emit(event.KindProgress, event.Progress{Stage: "tokens of " + filepath.Base(f.Path), Done: int64(i + 1), Total: int64(r.Documents()), Unit: "documents"})
		}
		if !yield(d, err) || err != nil {
			return false
		}
	}
	return true
}

// sum is the checksum of what a file holds.
func (c *tokensConversion) sum(f tokenfile.File) (string, error) {
	if !f.Kind.InPlace() {
		return tokenfile.SumRecords(tokenfile.Records(f, c.options()))
	}
	r, err := tokenfile.Open(f, c.options())
	if err != nil {
		return "", err
	}
	defer r.Close()
	return tokenfile.Sum(r)
}
