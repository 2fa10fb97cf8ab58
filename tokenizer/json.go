package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
)

// The parts of tokenizer.json. Decoding is strict: a field that is not known is an
// error, because it would change the ids. Source: huggingface/tokenizers.
type file struct {
	truncation, padding                              json.RawMessage
	normalizer, preTokenizer, postProcessor, decoder json.RawMessage
	added                                            []addedJSON
	model                                            *modelJSON
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

// Parse reads the bytes of a tokenizer.json.
func Parse(data []byte) (*Tokenizer, error) {
	source := string(data)
	f, err := readFile(source)
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	d, notes, err := f.definition()
	if err != nil {
		return nil, err
	}
	t, err := New(*d)
	if err != nil {
		return nil, err
	}
	t.source = source
	t.notes = append(t.notes, notes...)
	return t, nil
}

func readFile(source string) (*file, error) {
	j := &jsonScanner{s: strings.TrimPrefix(source, "\ufeff")}
	f := &file{}
	into := map[string]*json.RawMessage{
		"truncation": &f.truncation, "padding": &f.padding, "normalizer": &f.normalizer,
		"pre_tokenizer": &f.preTokenizer, "post_processor": &f.postProcessor, "decoder": &f.decoder,
	}
	err := j.object(func(key string) (err error) {
		if part := into[key]; part != nil {
			*part, err = j.raw()
			return err
		}
		switch key {
		case "version":
			_, err = j.raw()
		case "added_tokens":
			var raw json.RawMessage
			if raw, err = j.raw(); err == nil {
				if err = strict(raw, &f.added); err != nil {
					err = fmt.Errorf("added_tokens: %w", err)
				}
			}
		case "model":
			f.model, err = readModel(j)
		default:
			return fmt.Errorf("unknown field %q", key)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if j.space() != 0 {
		return nil, j.fail("the end of the file")
	}
	if f.model == nil {
		return nil, fmt.Errorf("model: missing")
	}
	return f, nil
}

// definition puts the parts together.
func (f *file) definition() (*Definition, []string, error) {
	d := &Definition{Decode: []Decoding{}}
	var notes []string
	var err error
	if d.Normalize, err = normalizations(f.normalizer); err != nil {
		return nil, nil, err
	}
	if err = steps(f.preTokenizer, "pre_tokenizer", &d.Steps); err != nil {
		return nil, nil, err
	}
	if d.Decode, err = decodings(f.decoder, "decoder", d.Decode); err != nil {
		return nil, nil, err
	}
	if err = f.tokens(d); err != nil {
		return nil, nil, err
	}
	if err = f.model.fill(d); err != nil {
		return nil, nil, err
	}
	if err = f.around(d, &notes); err != nil {
		return nil, nil, err
	}
	if !null(f.truncation) {
		if d.Truncation, err = truncation(f.truncation); err != nil {
			return nil, nil, err
		}
		notes = append(notes, fmt.Sprintf("the file asks to truncate (%s); Encode never truncates", compact(f.truncation)))
	}
	if !null(f.padding) {
		if d.Padding, err = padding(f.padding); err != nil {
			return nil, nil, err
		}
		notes = append(notes, fmt.Sprintf("the file asks to pad (%s); Encode never pads", compact(f.padding)))
	}
	return d, notes, nil
}

// tokens fills in the vocabulary and the added tokens.
func (f *file) tokens(d *Definition) error {
	m := f.model
	size, count := 0, len(m.texts)
	for i, id := range m.ids {
		if id < 0 {
			return fmt.Errorf("model.vocab: %q has the negative id %d", m.texts[i], id)
		}
		size = max(size, int(id)+1)
	}
	for _, a := range f.added {
		if a.ID < 0 {
			return fmt.Errorf("added_tokens: %q has the negative id %d", a.Content, a.ID)
		}
		size = max(size, int(a.ID)+1)
		count++
	}
	// Published files leave a few hundred ids unused; a lone huge id is damage.
	if size > 2*count+4096 {
		return fmt.Errorf("model.vocab: the largest id is %d but there are only %d tokens", size-1, count)
	}
	d.Tokens = make([]string, size)
	for i, id := range m.ids {
		text := m.texts[i]
		if text == "" {
			if m.Type == "Unigram" {
				continue // a placeholder that no text becomes
			}
			return fmt.Errorf("model.vocab: id %d is an empty token", id)
		}
		if other := d.Tokens[id]; other != "" && other != text {
			return fmt.Errorf("model.vocab: id %d has two tokens, %q and %q", id, min(text, other), max(text, other))
		}
		d.Tokens[id] = text
	}
	if m.scores != nil {
		d.Scores = make([]float64, size)
		for id := copy(d.Scores, m.scores); id < size; id++ {
			d.Scores[id] = math.Inf(1) // added tokens, which the model never takes
		}
	}
	for _, a := range f.added {
		if a.Content == "" {
			continue // as the reference does
		}
		outside := d.Tokens[a.ID] == ""
		if outside {
			d.Tokens[a.ID] = a.Content
		}
		d.Added = append(d.Added, Added{ID: a.ID, Text: a.Content, Special: a.Special, SingleWord: a.SingleWord,
			StripLeft: a.LStrip, StripRight: a.RStrip, Normalized: a.Normalized, Outside: outside})
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
