package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"

	"lian/store/atomicfile"
)

// JSON is the tokenizer as a tokenizer.json that the `tokenizers` library loads: the
// bytes it was read from if it was read from one, else written anew, the same bytes
// each time.
func (t *Tokenizer) JSON() ([]byte, error) {
	if t.source != nil {
		return bytes.Clone(t.source), nil
	}
	return t.def.JSON()
}

// Definition is what the tokenizer was made from. The caller must not change what it
// points to.
func (t *Tokenizer) Definition() Definition { return t.def }

type object = map[string]any

func byteLevelObject(prefixSpace, regex bool) object {
	return object{"type": "ByteLevel", "add_prefix_space": prefixSpace, "trim_offsets": true, "use_regex": regex}
}

// JSON writes the definition as a tokenizer.json.
func (d Definition) JSON() ([]byte, error) {
	top := struct {
		Version       string      `json:"version"`
		Truncation    any         `json:"truncation"`
		Padding       any         `json:"padding"`
		AddedTokens   []addedJSON `json:"added_tokens"`
		Normalizer    any         `json:"normalizer"`
		PreTokenizer  any         `json:"pre_tokenizer"`
		PostProcessor any         `json:"post_processor"`
		Decoder       any         `json:"decoder"`
		Model         any         `json:"model"`
	}{Version: "1.0", AddedTokens: []addedJSON{}}
	for _, a := range d.Added {
		top.AddedTokens = append(top.AddedTokens, addedJSON{ID: a.ID, Content: a.Text, LStrip: a.StripLeft,
			RStrip: a.StripRight, Normalized: a.Normalized, Special: a.Special})
	}
	if d.NFC {
		top.Normalizer = object{"type": "NFC"}
	}
	var steps []any
	alphabet := false
	for _, s := range d.Steps {
		switch s.Kind {
		case Digits:
			steps = append(steps, object{"type": "Digits", "individual_digits": s.Individual})
		case Split:
			steps = append(steps, object{"type": "Split", "pattern": object{"Regex": s.Pattern}, "behavior": "Isolated", "invert": false})
		case ByteLevelStep:
			if s.Pattern != "" && s.Pattern != PatternGPT2 {
				return nil, fmt.Errorf("tokenizer.json cannot say: ByteLevel with the pattern %q; use a Split step", s.Pattern)
			}
			steps = append(steps, byteLevelObject(s.PrefixSpace, s.Pattern != ""))
			alphabet = true
		}
	}
	if !alphabet {
		steps = append(steps, byteLevelObject(false, false))
	}
	if len(steps) == 1 {
		top.PreTokenizer = steps[0]
	} else {
		top.PreTokenizer = object{"type": "Sequence", "pretokenizers": steps}
	}
	top.PostProcessor = d.postProcessor()
	top.Decoder = byteLevelObject(true, true)
	vocab, err := d.vocab()
	if err != nil {
		return nil, err
	}
	merges := d.Merges
	if merges == nil {
		merges = [][2]string{}
	}
	top.Model = struct {
		Type                    string          `json:"type"`
		Dropout                 any             `json:"dropout"`
		UnkToken                any             `json:"unk_token"`
		ContinuingSubwordPrefix any             `json:"continuing_subword_prefix"`
		EndOfWordSuffix         any             `json:"end_of_word_suffix"`
		FuseUnk                 bool            `json:"fuse_unk"`
		ByteFallback            bool            `json:"byte_fallback"`
		IgnoreMerges            bool            `json:"ignore_merges"`
		Vocab                   json.RawMessage `json:"vocab"`
		Merges                  [][2]string     `json:"merges"`
	}{Type: "BPE", IgnoreMerges: d.IgnoreMerges, Vocab: vocab, Merges: merges}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(top); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// vocab is the vocabulary in the order of ids, as the reference writes it.
func (d *Definition) vocab() (json.RawMessage, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	out.WriteByte('{')
	for id, text := range d.Tokens {
		if text == "" {
			continue
		}
		if out.Len() > 1 {
			out.WriteByte(',')
		}
		if err := e.Encode(text); err != nil {
			return nil, err
		}
		out.Truncate(out.Len() - 1) // the encoder's line break
		fmt.Fprintf(&out, ":%d", id)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

func (d *Definition) postProcessor() any {
	if len(d.Before)+len(d.After) == 0 {
		return nil
	}
	special := object{}
	piece := func(id int32, kind int) object {
		text := d.Tokens[id]
		special[text] = object{"id": text, "ids": []int32{id}, "tokens": []string{text}}
		return object{"SpecialToken": object{"id": text, "type_id": kind}}
	}
	part := func(name string, kind int) []any {
		var out []any
		for _, id := range d.Before {
			out = append(out, piece(id, kind))
		}
		out = append(out, object{"Sequence": object{"id": name, "type_id": kind}})
		for _, id := range d.After {
			out = append(out, piece(id, kind))
		}
		return out
	}
	return object{"type": "TemplateProcessing", "single": part("A", 0), "pair": append(part("A", 0), part("B", 1)...), "special_tokens": special}
}

// Save writes tokenizer.json to path.
func (t *Tokenizer) Save(path string) error {
	data, err := t.JSON()
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(path, data)
}
