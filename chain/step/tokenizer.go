package step

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"lian/chain"
	"lian/chain/report"
	"lian/data"
	"lian/data/instruct"
	"lian/event"
	"lian/tokenizer"
	"lian/tokenizer/train"
)

// TokenizerOptions are what training a tokenizer takes.
type TokenizerOptions struct {
	Data      string   `yaml:"data" help:"folder of cleaned documents"`
	More      []string `yaml:"more" help:"more such folders, each of which gives the same share of the text"`
	Instruct  string   `yaml:"instruct" help:"folder of conversations to learn from as well, whose words the documents may lack; empty adds none"`
	VocabSize int      `yaml:"vocab_size" help:"tokens in the vocabulary, special ones and 256 bytes included" default:"4096" range:"300..1000000"`
	Pattern   string   `yaml:"pattern" help:"how text is split before merging; empty is the usual way"`
	MaxBytes  int64    `yaml:"max_bytes" help:"most text to learn from; documents beyond it are left out" default:"67108864" range:"1024.."`
}

// TokenizerReport is what was learnt.
type TokenizerReport struct {
	VocabSize     int      `json:"vocab_size"`
	Bytes         int64    `json:"bytes"`           // of text it was learnt from
	LeftOut       int      `json:"left_out"`        // documents beyond the limit
	BytesPerToken float64  `json:"bytes_per_token"` // on held-out documents
	Sample        []string `json:"sample"`          // a piece of held-out text, token by token
}

// Tokenizer learns a byte-level BPE from the training documents and saves it as
// dir/tokenizer.json.
func Tokenizer(ctx context.Context, dir string, o TokenizerOptions, events event.Sink) (*TokenizerReport, error) {
	r := &TokenizerReport{}
	var readErr error
	folders := append([]string{o.Data}, o.More...)
	texts := func(yield func(string) bool) {
		for i, folder := range folders {
			for d, err := range data.ReadDocuments(filepath.Join(folder, data.TrainFile)) {
				if err != nil {
					readErr = err
					return
				}
				if r.Bytes+int64(len(d.Text)) > o.MaxBytes/int64(len(folders))*int64(i+1) {
					r.LeftOut++
					continue
				}
				r.Bytes += int64(len(d.Text))
				if !yield(d.Text) {
					return
				}
			}
		}
		if o.Instruct == "" {
			return
		}
		for text, err := range instruct.Texts(o.Instruct) {
			if err != nil {
				readErr = err
				return
			}
			if !yield(text) {
				return
			}
		}
	}
	tok, err := train.Train(ctx, texts, train.Options{
		VocabSize: o.VocabSize, Special: SpecialTokens, Pattern: o.Pattern,
		Progress: func(done, total int) {
			events.Emit(event.KindProgress, event.Progress{Stage: "vocabulary", Done: int64(done), Total: int64(total), Unit: "tokens"})
		},
	})
	if err := errors.Join(readErr, err); err != nil {
		return nil, err
	}
	r.VocabSize = tok.VocabSize()
	if err := tok.Save(filepath.Join(dir, "tokenizer.json")); err != nil {
		return nil, err
	}
	return r, r.look(tok, filepath.Join(o.Data, data.HeldOutFile))
}

// look measures how the tokenizer cuts held-out text.
func (r *TokenizerReport) look(tok *tokenizer.Tokenizer, heldOut string) error {
	var bytes, tokens int
	for d, err := range data.ReadDocuments(heldOut) {
		if err != nil {
			return err
		}
		ids := tok.Encode(d.Text)
		bytes, tokens = bytes+len(d.Text), tokens+len(ids)
		if len(r.Sample) < 12 {
			r.Sample = pieces(tok, ids, 60)
		}
		if bytes > 1<<20 {
			break
		}
	}
	if tokens > 0 {
		r.BytesPerToken = float64(bytes) / float64(tokens)
	}
	return nil
}

// pieces are the texts of the first tokens. Tokens that end within a character are
// shown together with the next.
func pieces(tok *tokenizer.Tokenizer, ids []int32, most int) (out []string) {
	stream := tok.NewStream()
	for _, id := range ids[:min(len(ids), most)] {
		if text := stream.Push(id); text != "" {
			out = append(out, strings.ReplaceAll(text, "\n", "↵"))
		}
	}
	return out
}

func tokenizerKind() chain.Kind {
	return chain.NewKind("tokenizer", "1", "documents to a vocabulary", func(ctx context.Context, c *chain.Context, o *TokenizerOptions) error {
		r, err := Tokenizer(ctx, c.Dir, *o, c.Events)
		if err != nil {
			return err
		}
		if r.VocabSize < o.VocabSize {
			c.Events.Emit("tokenizer.small", fmt.Sprintf("the text gives %d tokens, %d were asked", r.VocabSize, o.VocabSize))
		}
		if err := c.SetValue("vocab_size", r.VocabSize); err != nil {
			return err
		}
		return c.WriteCard(report.Card{Tokenizer: &report.Tokenizer{VocabSize: r.VocabSize, BytesPerToken: r.BytesPerToken, Sample: r.Sample}})
	})
}
