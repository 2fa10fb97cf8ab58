package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Glance is what a file says of its tokenizer at first sight. Making the tokenizer itself takes a hundred times as long, which lists of
// models and overviews of files should not.
type Glance struct {
	Model   Model    // or the file's own name of one that is not read
	Tokens  int      // entries of the vocabulary, with added ones
	Merges  int      // ranked pairs
	Pattern string   // how text is split, where the file names it
	Special []string // texts of control tokens
	Parts   []string // of tokenizer.json: normalizer, pre_tokenizer, post_processor, decoder, with their types
}

// GlanceMetadata is what GlanceGGUF needs of a GGUF file.
type GlanceMetadata interface {
	Metadata
	Length(key string) (int, bool)
}

// GlanceGGUF looks at the tokenizer of a GGUF file; ok is false if it has none.
func GlanceGGUF(meta GlanceMetadata) (g Glance, ok bool) {
	name, ok := meta.String("tokenizer.ggml.model")
	if !ok {
		return g, false
	}
	switch g.Model = Model(name); name {
	case "gpt2":
		g.Model = ByteBPE
	case "llama":
		g.Model = ScoreBPE
	case "t5":
		g.Model = Unigram
	case "bert":
		g.Model = WordPiece
	}
	g.Tokens, _ = meta.Length("tokenizer.ggml.tokens")
	g.Merges, _ = meta.Length("tokenizer.ggml.merges")
	g.Pattern, _ = meta.String("tokenizer.ggml.pre")
	kinds, _ := meta.Ints("tokenizer.ggml.token_type")
	var control []int
	for id, k := range kinds {
		if Role(k) == Control {
			control = append(control, id)
		}
	}
	if len(control) == 0 {
		return g, true
	}
	texts, _ := meta.Strings("tokenizer.ggml.tokens")
	for _, id := range control {
		if id < len(texts) {
			g.Special = append(g.Special, texts[id])
		}
	}
	return g, true
}

// GlanceJSON looks at the bytes of a tokenizer.json.
func GlanceJSON(data []byte) (g Glance, err error) {
	j := &jsonScanner{s: string(data)}
	top, bytes := int32(-1), false
	err = j.object(func(key string) error {
		switch key {
		case "model":
			return g.model(j, &top)
		case "added_tokens":
			raw, err := j.raw()
			if err != nil {
				return err
			}
			var added []struct {
				ID      int32
				Content string
				Special bool
			}
			if err := json.Unmarshal(raw, &added); err != nil {
				return fmt.Errorf("added_tokens: %w", err)
			}
			for _, a := range added {
				top = max(top, a.ID)
				if a.Special {
					g.Special = append(g.Special, a.Content)
				}
			}
			return nil
		case "normalizer", "pre_tokenizer", "post_processor", "decoder":
			raw, err := j.raw()
			if err != nil {
				return err
			}
			var part struct{ Type string }
			if json.Unmarshal(raw, &part) == nil && part.Type != "" {
				g.Parts = append(g.Parts, key+" "+part.Type)
				bytes = bytes || strings.Contains(string(raw), `"ByteLevel"`)
			}
			return nil
		}
		return j.pass()
	})
	g.Tokens = int(top) + 1
	if bytes && g.Model == BPE {
		g.Model = ByteBPE
	}
	return g, err
}

// model counts the vocabulary and the merges.
func (g *Glance) model(j *jsonScanner, top *int32) error {
	return j.object(func(key string) (err error) {
		switch key {
		case "type":
			name, err := j.text()
			g.Model = Model(name)
			return err
		case "vocab":
			if j.space() == '[' { // unigram: pairs of text and score
				return j.array(func(i int) error {
					*top = max(*top, int32(i))
					return j.pass()
				})
			}
			return j.object(func(string) error {
				id, err := j.id()
				*top = max(*top, id)
				return err
			})
		case "merges":
			return j.array(func(i int) error {
				g.Merges = i + 1
				return j.pass()
			})
		}
		return j.pass()
	})
}

// pass goes over a value without keeping it.
func (j *jsonScanner) pass() (err error) {
	if j.space() == '"' {
		_, err = j.text()
	} else {
		_, err = j.raw()
	}
	return err
}
