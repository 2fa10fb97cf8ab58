package step

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"lian/dtype"
	"lian/event"
	"lian/model/checkpoint"
	"lian/model/nn"
	"lian/tokenizer"
)

// ExtendOptions are the settings of lian tokenizer extend.
type ExtendOptions struct {
	Tokens  []string `yaml:"tokens" help:"texts that become tokens"`
	File    string   `yaml:"file" help:"file with a text that becomes a token on each line"`
	Special bool     `yaml:"special" help:"they are control marks, which are text in a user's text; else they are found everywhere"`
	Init    string   `yaml:"init" help:"a new row is the mean of the rows of the tokens that its text had, or of all rows" default:"pieces" range:"pieces|all"`
	PadTo   int      `yaml:"pad_to" help:"the vocabulary of the weights becomes a multiple of this" default:"1" range:"1..65536"`
}

// Extended says what lian tokenizer extend made.
type Extended struct {
	Path    string          `json:"path"`
	Vocab   int             `json:"vocab"` // rows of the embedding
	Tokens  int             `json:"tokens"`
	First   int32           `json:"first"` // id of the first new token
	Added   []ExtendedToken `json:"added"`
	Weights string          `json:"weights"` // their type
}

// ExtendedToken is a new token and what its text was before.
type ExtendedToken struct {
	ID     int32   `json:"id"`
	Text   string  `json:"text"`
	Pieces []int32 `json:"pieces"`
}

// ExtendModel adds tokens to a model folder: to its tokenizer, and a row for each to the embedding and the head. The result is
// a folder of its own.
func ExtendModel(ctx context.Context, in, out string, o ExtendOptions, sink event.Sink) (*Extended, error) {
	texts := o.Tokens
	if o.File != "" {
		data, err := os.ReadFile(o.File)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(data)) {
			if line = strings.TrimRight(line, "\r\n"); line != "" {
				texts = append(texts, line)
			}
		}
	}
	if len(texts) == 0 {
		return nil, fmt.Errorf("no tokens to add; name them with --tokens or --file")
	}
	if _, err := os.Lstat(out); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s exists already; remove it first, or name another folder", out)
	}
	b, err := Backend()
	if err != nil {
		return nil, err
	}
	kept, err := OpenModel(in, b, checkpoint.Options{}) // for the type of its weights
	if err != nil {
		return nil, err
	}
	t := (&converter{Opened: kept, o: ConvertOptions{Type: "same"}}).main()
	if err := kept.Close(); err != nil {
		return nil, err
	}
	if !t.Float() {
		return nil, fmt.Errorf("%s: its weights are %v; tokens are added to float32, float16 and bfloat16 ones; lian convert %s DIR --type bf16 makes such a folder", in, t, in)
	}
	m, err := OpenModel(in, b, checkpoint.Options{Float32: true})
	if err != nil {
		return nil, err
	}
	defer m.Close()
	if !(&converter{Opened: m}).folder() {
		return nil, fmt.Errorf("%s: expected a model folder; lian convert %s DIR makes one", in, in)
	}
	tok, first, err := m.Tokenizer.Extend(texts, o.Special)
	if err != nil {
		return nil, err
	}
	r := &Extended{Path: out, First: first, Tokens: tok.VocabSize(), Weights: t.String()}
	of := make([][]int32, len(texts))
	for i, text := range texts {
		x := ExtendedToken{ID: first + int32(i), Text: text}
		for _, p := range m.Tokenizer.EncodeWith(text, func(int, int) bool { return false }) {
			x.Pieces = append(x.Pieces, p.ID)
		}
		r.Added = append(r.Added, x)
		if o.Init == "pieces" {
			of[i] = x.Pieces
		}
	}
	vocab := max(m.Model.Spec.Vocab, tok.VocabSize())
	r.Vocab = (vocab + o.PadTo - 1) / o.PadTo * o.PadTo
	grown, err := m.Model.Extend(b, int(first), of, r.Vocab)
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return r, saveExtended(out, m, grown, tok, t)
}

// saveExtended writes the folder under a name of its own first, so that it is whole or not there.
func saveExtended(out string, m *Opened, grown *nn.Decoder, tok *tokenizer.Tokenizer, t dtype.Type) error {
	parent := filepath.Dir(filepath.Clean(out))
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(parent, ".lian-extend-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	made := filepath.Join(work, "model")
	if err := checkpoint.SaveFolder(made, m.Backend.NewStream(), m.Family, grown, checkpoint.FolderOptions{Type: t, Config: m.Config}); err != nil {
		return err
	}
	if err := copyBeside(m.Path, made); err != nil {
		return err
	}
	if err := tok.Save(filepath.Join(made, "tokenizer.json")); err != nil {
		return err
	}
	again, err := OpenModel(made, m.Backend, checkpoint.Options{})
	if err != nil {
		return fmt.Errorf("what was written does not open, so it was not kept: %w", err)
	}
	if err := again.Close(); err != nil {
		return err
	}
	return os.Rename(made, out)
}
