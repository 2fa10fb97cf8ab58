package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Load reads a tokenizer.json, or the one in a folder.
func Load(path string) (*Tokenizer, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, "tokenizer.json")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// The parts of tokenizer.json. Decoding is strict: a field that is not named here
// is an error, because it would change the ids. Source: huggingface/tokenizers.
type file struct {
	Version       string          `json:"version"`
	Truncation    json.RawMessage `json:"truncation"`
	Padding       json.RawMessage `json:"padding"`
	AddedTokens   []addedJSON     `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage `json:"decoder"`
	Model         json.RawMessage `json:"model"`
}

type addedJSON struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

type modelJSON struct {
	Type                    string           `json:"type"`
	Dropout                 *float64         `json:"dropout"`
	UnkToken                *string          `json:"unk_token"`
	ContinuingSubwordPrefix *string          `json:"continuing_subword_prefix"`
	EndOfWordSuffix         *string          `json:"end_of_word_suffix"`
	FuseUnk                 bool             `json:"fuse_unk"`
	ByteFallback            bool             `json:"byte_fallback"`
	IgnoreMerges            bool             `json:"ignore_merges"`
	Vocab                   map[string]int32 `json:"vocab"`
	Merges                  []mergeJSON      `json:"merges"`
}

// mergeJSON is "a b" in older files, ["a", "b"] in newer ones.
type mergeJSON [2]string

func (m *mergeJSON) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		var one string
		if err := json.Unmarshal(data, &one); err != nil {
			return err
		}
		left, right, ok := strings.Cut(one, " ")
		if !ok || left == "" || right == "" || strings.Contains(right, " ") {
			return fmt.Errorf("model.merges: %q is not two tokens with a space between", one)
		}
		*m = mergeJSON{left, right}
		return nil
	}
	var two []string
	if err := json.Unmarshal(data, &two); err != nil || len(two) != 2 || two[0] == "" || two[1] == "" {
		return fmt.Errorf("model.merges: %.40s is not a pair of tokens", data)
	}
	*m = mergeJSON{two[0], two[1]}
	return nil
}

// Parse reads the bytes of a tokenizer.json.
func Parse(data []byte) (*Tokenizer, error) {
	var f file
	if err := strict(data, &f); err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	var d Definition
	var notes []string
	if err := f.model(&d); err != nil {
		return nil, err
	}
	if err := f.normalizer(&d); err != nil {
		return nil, err
	}
	alphabet, err := preTokenizer(f.PreTokenizer, "pre_tokenizer", &d.Steps)
	if err != nil {
		return nil, err
	}
	if !alphabet {
		return nil, fmt.Errorf("pre_tokenizer: no ByteLevel in it; only byte-level BPE is implemented")
	}
	if err := f.decoder(); err != nil {
		return nil, err
	}
	if err := f.postProcessor(&d, &notes); err != nil {
		return nil, err
	}
	if !null(f.Truncation) {
		notes = append(notes, fmt.Sprintf("the file asks to truncate (%s); Encode never truncates", compact(f.Truncation)))
	}
	if !null(f.Padding) {
		notes = append(notes, fmt.Sprintf("the file asks to pad (%s); Encode never pads", compact(f.Padding)))
	}
	t, err := New(d)
	if err != nil {
		return nil, err
	}
	t.source = bytes.Clone(data)
	t.notes = append(t.notes, notes...)
	return t, nil
}

// model fills in the vocabulary, the merges and the added tokens.
func (f *file) model(d *Definition) error {
	if null(f.Model) {
		return fmt.Errorf("model: missing")
	}
	var kind struct {
		Type   string          `json:"type"`
		Merges json.RawMessage `json:"merges"`
	}
	if err := json.Unmarshal(f.Model, &kind); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	// Files of before 2020 have no type; only BPE has merges.
	if kind.Type != "BPE" && (kind.Type != "" || kind.Merges == nil) {
		return fmt.Errorf("model.type: %q is not implemented; this reads BPE", kind.Type)
	}
	var m modelJSON
	if err := strict(f.Model, &m); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	switch {
	case m.Dropout != nil && *m.Dropout != 0:
		return fmt.Errorf("model.dropout: %v is not implemented; ids would be random", *m.Dropout)
	case m.ContinuingSubwordPrefix != nil && *m.ContinuingSubwordPrefix != "":
		return fmt.Errorf("model.continuing_subword_prefix: %q is not implemented", *m.ContinuingSubwordPrefix)
	case m.EndOfWordSuffix != nil && *m.EndOfWordSuffix != "":
		return fmt.Errorf("model.end_of_word_suffix: %q is not implemented", *m.EndOfWordSuffix)
	case m.ByteFallback:
		return fmt.Errorf("model.byte_fallback: true is not implemented; this reads byte-level BPE")
	}
	size, count := 0, len(m.Vocab)
	for text, id := range m.Vocab {
		if id < 0 {
			return fmt.Errorf("model.vocab: %q has the negative id %d", text, id)
		}
		size = max(size, int(id)+1)
	}
	for _, a := range f.AddedTokens {
		if a.ID < 0 {
			return fmt.Errorf("added_tokens: %q has the negative id %d", a.Content, a.ID)
		}
		if a.SingleWord {
			return fmt.Errorf("added_tokens: %q: single_word is not implemented", a.Content)
		}
		size = max(size, int(a.ID)+1)
		count++
	}
	// Published files leave a few hundred ids unused; a lone huge id is damage.
	if size > 2*count+4096 {
		return fmt.Errorf("model.vocab: the largest id is %d but there are only %d tokens", size-1, count)
	}
	d.Tokens = make([]string, size)
	for text, id := range m.Vocab {
		if text == "" {
			return fmt.Errorf("model.vocab: id %d is an empty token", id)
		}
		if d.Tokens[id] != "" {
			first, second := min(text, d.Tokens[id]), max(text, d.Tokens[id])
			return fmt.Errorf("model.vocab: id %d has two tokens, %q and %q", id, first, second)
		}
		d.Tokens[id] = text
	}
	for _, a := range f.AddedTokens {
		if d.Tokens[a.ID] == "" {
			d.Tokens[a.ID] = a.Content
		}
		d.Added = append(d.Added, Added{ID: a.ID, Text: a.Content, Special: a.Special,
			StripLeft: a.LStrip, StripRight: a.RStrip, Normalized: a.Normalized})
	}
	d.Merges = make([][2]string, len(m.Merges))
	for i, p := range m.Merges {
		d.Merges[i] = p
	}
	d.IgnoreMerges = m.IgnoreMerges
	if m.UnkToken != nil && *m.UnkToken != "" {
		for _, symbol := range Alphabet() {
			if _, ok := m.Vocab[symbol]; !ok {
				return fmt.Errorf("model.unk_token: %q is not implemented for a vocabulary that lacks byte symbols (%q)", *m.UnkToken, symbol)
			}
		}
	}
	return nil
}

// sequence is the parts of a component: none, itself, or those of a Sequence, whose
// field is named differently in each place.
func sequence(data json.RawMessage, field string) []json.RawMessage {
	if null(data) {
		return nil
	}
	if typeOf(data) == "Sequence" {
		var fields map[string]json.RawMessage
		var parts []json.RawMessage
		if json.Unmarshal(data, &fields) == nil && len(fields) == 2 && json.Unmarshal(fields[field], &parts) == nil {
			return parts
		}
	}
	return []json.RawMessage{data}
}

func typeOf(data json.RawMessage) string {
	var t struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(data, &t) != nil || t.Type == "" {
		return fmt.Sprintf("%.40s", data)
	}
	return t.Type
}

func null(data json.RawMessage) bool {
	return len(data) == 0 || string(bytes.TrimSpace(data)) == "null"
}

func compact(data json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, data) != nil {
		return string(data)
	}
	return b.String()
}

// strict decodes one JSON value into v; an unknown field or anything after the
// value is an error.
func strict(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if d.More() {
		return fmt.Errorf("unexpected text after the JSON value")
	}
	return nil
}
