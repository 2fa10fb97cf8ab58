package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// configJSON is what tokenizer_config.json and the files beside it say of a
// vocabulary that does not say it itself. Source: transformers.
type configJSON struct {
	Class        string                `json:"tokenizer_class"`
	Added        map[string]addedToken `json:"added_tokens_decoder"`
	AddBOS       *bool                 `json:"add_bos_token"`
	AddEOS       *bool                 `json:"add_eos_token"`
	Legacy       *bool                 `json:"legacy"`
	PrefixSpace  *bool                 `json:"add_prefix_space"`
	Lower        *bool                 `json:"do_lower_case"`
	Chinese      *bool                 `json:"tokenize_chinese_chars"`
	StripAccents *bool                 `json:"strip_accents"`
	BOS          tokenText             `json:"bos_token"`
	EOS          tokenText             `json:"eos_token"`
	Unknown      tokenText             `json:"unk_token"`
	Pad          tokenText             `json:"pad_token"`
	CLS          tokenText             `json:"cls_token"`
	Sep          tokenText             `json:"sep_token"`
	Mask         tokenText             `json:"mask_token"`
	More         []tokenText           `json:"additional_special_tokens"`
	ids          map[string]int32      // of added_tokens.json
}

// addedToken is one token of added_tokens_decoder.
type addedToken struct {
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

// tokenText is a token as its text or as an object with "content".
type tokenText string

func (t *tokenText) UnmarshalJSON(data []byte) error {
	var text *string
	if json.Unmarshal(data, &text) == nil {
		if text != nil {
			*t = tokenText(*text)
		}
		return nil
	}
	var o struct{ Content string }
	if err := json.Unmarshal(data, &o); err != nil {
		return fmt.Errorf("%.40s is not a token", data)
	}
	*t = tokenText(o.Content)
	return nil
}

// readConfig reads tokenizer_config.json, special_tokens_map.json and
// added_tokens.json of a folder, as far as they are there; nil if none is.
func readConfig(dir string) (*configJSON, error) {
	c, found := &configJSON{}, false
	for _, name := range []string{"special_tokens_map.json", "tokenizer_config.json", "added_tokens.json"} {
		path := filepath.Join(dir, name)
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			var into interface{} = c
			if name == "added_tokens.json" {
				into = &c.ids
			}
			err = json.Unmarshal(data, into)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		found = true
	}
	if !found {
		return nil, nil
	}
	return c, nil
}

// class is the name of the tokenizer's class without Fast.
func (c *configJSON) class() string {
	if c == nil {
		return ""
	}
	return strings.TrimSuffix(c.Class, "Fast")
}

func yes(b *bool, usual bool) bool {
	if b == nil {
		return usual
	}
	return *b
}

// specials are the texts that the config calls special.
func (c *configJSON) specials() []string {
	var out []string
	for _, t := range append([]tokenText{c.BOS, c.EOS, c.Unknown, c.Pad, c.CLS, c.Sep, c.Mask}, c.More...) {
		if t != "" {
			out = append(out, string(t))
		}
	}
	return out
}

// add puts the config's added tokens into d. A token of the vocabulary may get
// another text by it, as InternLM2's <|im_start|> does.
func (c *configJSON) add(d *Definition) error {
	if c == nil {
		return nil
	}
	by := map[int32]int{}
	for i, a := range d.Added {
		by[a.ID] = i
	}
	put := func(a Added) error {
		if a.Text == "" || a.ID < 0 || int(a.ID) > 2*len(d.Tokens)+4096 {
			return fmt.Errorf("tokenizer_config.json: added token %q has the id %d, with a vocabulary of %d", a.Text, a.ID, len(d.Tokens))
		}
		for len(d.Tokens) <= int(a.ID) {
			d.Tokens = append(d.Tokens, "")
			if d.Roles != nil {
				d.Roles = append(d.Roles, Control)
			}
			if d.Scores != nil {
				d.Scores = append(d.Scores, 0)
			}
		}
		a.Outside = d.Tokens[a.ID] != a.Text
		d.Tokens[a.ID] = a.Text
		if d.Roles != nil && d.Roles[a.ID] != UnknownRole && d.Roles[a.ID] != ByteRole {
			d.Roles[a.ID] = Control
			if !a.Special {
				d.Roles[a.ID] = UserDefined
			}
		}
		if i, ok := by[a.ID]; ok {
			d.Added[i] = a
			return nil
		}
		by[a.ID] = len(d.Added)
		d.Added = append(d.Added, a)
		return nil
	}
	for key, t := range c.Added {
		id, err := strconv.ParseInt(key, 10, 32)
		if err != nil {
			return fmt.Errorf("tokenizer_config.json: added_tokens_decoder: %q is no id", key)
		}
		if err := put(Added{ID: int32(id), Text: t.Content, Special: t.Special, SingleWord: t.SingleWord, StripLeft: t.LStrip, StripRight: t.RStrip, Normalized: t.Normalized}); err != nil {
			return err
		}
	}
	special := map[string]bool{}
	for _, text := range c.specials() {
		special[text] = true
	}
	for text, id := range c.ids {
		if _, known := by[id]; !known {
			if err := put(Added{ID: id, Text: text, Special: special[text]}); err != nil {
				return err
			}
		}
	}
	for id, text := range d.Tokens {
		if _, known := by[int32(id)]; !known && special[text] {
			if err := put(Added{ID: int32(id), Text: text, Special: true}); err != nil {
				return err
			}
		}
	}
	sortAdded(d.Added)
	return nil
}

// find is the id of a token by its text.
func (d *Definition) find(text tokenText) []int32 {
	if text == "" {
		return nil
	}
	for id, t := range d.Tokens {
		if t == string(text) {
			return []int32{int32(id)}
		}
	}
	return nil
}

// sentencePiece reads a .model with what the config adds: tokens, BOS and EOS, and
// whether text after a special token gets a blank ("legacy").
func (c *configJSON) sentencePiece(data []byte) (*Tokenizer, error) {
	if c == nil {
		return ParseSentencePiece(data)
	}
	d, err := sentencePieceDefinition(data)
	if err != nil {
		return nil, fmt.Errorf("sentencepiece model: %w", err)
	}
	if err := c.add(d); err != nil {
		return nil, err
	}
	d.Decode[0].ShowControl = true
	d.Normalize[0].FirstOnly = !yes(c.Legacy, true)
	llama := strings.HasPrefix(c.class(), "Llama") || strings.HasPrefix(c.class(), "InternLM") || c.class() == "CodeLlamaTokenizer" || c.class() == "GemmaTokenizer"
	if id := d.find(c.BOS); yes(c.AddBOS, llama) {
		d.Before = id
		if id == nil {
			d.Before = d.BOS
		}
	}
	t5 := c.class() == "T5Tokenizer"
	if id := d.find(c.EOS); yes(c.AddEOS, t5) {
		d.After = id
		if id == nil {
			d.After = d.EOS
		}
	}
	t, err := New(*d)
	if err != nil {
		return nil, fmt.Errorf("sentencepiece model: %w", err)
	}
	return t, nil
}

// wordPiece reads a vocab.txt: one token a line, its number is its id.
func (c *configJSON) wordPiece(data []byte) (*Tokenizer, error) {
	lines := strings.Split(strings.TrimSuffix(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n"), "\n")
	d := &Definition{Model: WordPiece, Tokens: make([]string, len(lines)), ContinuingPrefix: "##", LongestWord: 100, Unknown: "[UNK]"}
	seen := map[string]int{}
	for i, line := range lines {
		line = strings.TrimRight(line, " \t")
		if line == "" {
			continue
		}
		if j, twice := seen[line]; twice { // the later one counts, as in the reference
			d.Tokens[j] = ""
		}
		seen[line] = i
		d.Tokens[i] = line
	}
	if c == nil {
		c = &configJSON{}
	}
	marks := &configJSON{Unknown: "[UNK]", Sep: "[SEP]", Pad: "[PAD]", CLS: "[CLS]", Mask: "[MASK]"}
	for _, m := range []struct{ from, to *tokenText }{{&c.Unknown, &marks.Unknown}, {&c.Sep, &marks.Sep}, {&c.Pad, &marks.Pad}, {&c.CLS, &marks.CLS}, {&c.Mask, &marks.Mask}} {
		if *m.from == "" {
			*m.from = *m.to
		}
	}
	if _, ok := seen[string(c.Unknown)]; !ok {
		return nil, fmt.Errorf("%q, the token for unknown words, is not in it", c.Unknown)
	}
	d.Unknown = string(c.Unknown)
	if err := c.add(d); err != nil {
		return nil, err
	}
	lower := yes(c.Lower, true)
	d.Normalize = []Normalization{{Kind: Bert, CleanText: true, ChineseCharacters: yes(c.Chinese, true), Lowercase: lower, StripAccents: yes(c.StripAccents, lower)}}
	d.Steps = []Step{{Kind: BertStep}}
	d.Decode = []Decoding{{Kind: WordPieceText, Affix: "##", Cleanup: true}}
	d.Before, d.After = d.find(c.CLS), d.find(c.Sep)
	return New(*d)
}
