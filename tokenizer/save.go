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
	if t.source != "" {
		return []byte(t.source), nil
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
	if d.Model == "" {
		d.Model = ByteBPE
	}
	d, err := d.portable()
	if err != nil {
		return nil, err
	}
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
		top.AddedTokens = append(top.AddedTokens, addedJSON{ID: a.ID, Content: a.Text, SingleWord: a.SingleWord, LStrip: a.StripLeft,
			RStrip: a.StripRight, Normalized: a.Normalized, Special: a.Special})
	}
	if d.Truncation != nil {
		top.Truncation = d.Truncation
	}
	if d.Padding != nil {
		top.Padding = d.Padding
	}
	if top.Normalizer, err = oneOrSequence("normalizers", d.Normalize, (*Normalization).json); err != nil {
		return nil, err
	}
	alphabet := d.Model != ByteBPE
	for _, s := range d.Steps {
		alphabet = alphabet || s.Kind == ByteLevelStep
	}
	steps := d.Steps
	if !alphabet {
		steps = append(append([]Step(nil), steps...), Step{Kind: ByteLevelStep})
	}
	if top.PreTokenizer, err = oneOrSequence("pretokenizers", steps, (*Step).json); err != nil {
		return nil, err
	}
	top.PostProcessor = d.postProcessor()
	if d.Decode == nil && d.Model == ByteBPE {
		top.Decoder = byteLevelObject(true, true)
	} else if top.Decoder, err = oneOrSequence("decoders", d.Decode, (*Decoding).json); err != nil {
		return nil, err
	}
	if top.Model, err = d.model(); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(top); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// oneOrSequence writes steps: nothing for none, one as it is, more as a Sequence.
func oneOrSequence[T any](field string, steps []T, write func(*T) (any, error)) (any, error) {
	out := []any{}
	for i := range steps {
		one, err := write(&steps[i])
		if err != nil {
			return nil, fmt.Errorf("tokenizer.json cannot say: %w", err)
		}
		out = append(out, one)
	}
	switch len(out) {
	case 0:
		return nil, nil
	case 1:
		return out[0], nil
	}
	return object{"type": "Sequence", field: out}, nil
}

func patternObject(pattern string, literal bool) object {
	if literal {
		return object{"String": pattern}
	}
	return object{"Regex": pattern}
}

func (n *Normalization) json() (any, error) {
	switch n.Kind {
	case NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Nmt, ByteLevelText:
		return object{"type": n.Kind}, nil
	case StripSpaces:
		return object{"type": n.Kind, "strip_left": n.Left, "strip_right": n.Right}, nil
	case Prepend:
		return object{"type": n.Kind, "prepend": n.Content}, nil
	case Replace:
		return object{"type": n.Kind, "pattern": patternObject(n.Pattern, n.Literal), "content": n.Content}, nil
	case Precompiled:
		return object{"type": n.Kind, "precompiled_charsmap": n.Map}, nil
	case Bert:
		return object{"type": n.Kind, "clean_text": n.CleanText, "handle_chinese_chars": n.ChineseCharacters,
			"strip_accents": n.StripAccents, "lowercase": n.Lowercase}, nil
	}
	return nil, fmt.Errorf("the normalisation %q", n.Kind)
}

func (s *Step) json() (any, error) {
	behavior := s.Behavior
	if behavior == "" {
		behavior = Isolated
	}
	switch s.Kind {
	case Digits:
		return object{"type": s.Kind, "individual_digits": s.Individual}, nil
	case Split:
		return object{"type": s.Kind, "pattern": patternObject(s.Pattern+s.Literal, s.Literal != ""), "behavior": behavior, "invert": s.Invert}, nil
	case ByteLevelStep:
		if s.Pattern != "" && s.Pattern != PatternGPT2 {
			return nil, fmt.Errorf("ByteLevel with the pattern %q; use a Split step", s.Pattern)
		}
		return byteLevelObject(s.PrefixSpace, s.Pattern != ""), nil
	case Metaspace:
		return object{"type": s.Kind, "replacement": s.Literal, "prepend_scheme": s.Prepend, "split": !s.Whole}, nil
	case Whitespace, WhitespaceSplit, BertStep, UnicodeScripts:
		return object{"type": s.Kind}, nil
	case Punctuation:
		return object{"type": s.Kind, "behavior": behavior}, nil
	case Delimiter:
		return object{"type": s.Kind, "delimiter": s.Literal}, nil
	case FixedLength:
		return object{"type": s.Kind, "length": s.Length}, nil
	}
	return nil, fmt.Errorf("the step %q", s.Kind)
}

func (d *Decoding) json() (any, error) {
	switch d.Kind {
	case ByteLevelDecoding:
		return byteLevelObject(true, true), nil
	case ByteFallbackDecoding, Fuse:
		return object{"type": d.Kind}, nil
	case ReplaceText:
		return object{"type": d.Kind, "pattern": patternObject(d.Pattern, d.Literal), "content": d.Content}, nil
	case StripText:
		return object{"type": d.Kind, "content": d.Character, "start": d.Start, "stop": d.Stop}, nil
	case MetaspaceText:
		scheme := "never"
		if d.Prepended {
			scheme = "always"
		}
		return object{"type": d.Kind, "replacement": d.Character, "prepend_scheme": scheme, "split": true}, nil
	case WordPieceText:
		return object{"type": d.Kind, "prefix": d.Affix, "cleanup": d.Cleanup}, nil
	case BPESuffix:
		return object{"type": d.Kind, "suffix": d.Affix}, nil
	case CTC:
		return object{"type": d.Kind, "pad_token": d.Pad, "word_delimiter_token": d.Delimiter, "cleanup": d.Cleanup}, nil
	}
	return nil, fmt.Errorf("the decoding %q", d.Kind)
}

// model writes the vocabulary and what goes with it.
func (d *Definition) model() (any, error) {
	vocab, err := d.vocab()
	if err != nil {
		return nil, err
	}
	text := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	switch d.Model {
	case ByteBPE, BPE:
		merges := d.Merges
		if merges == nil {
			merges = [][2]string{}
		}
		return struct {
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
		}{Type: "BPE", UnkToken: text(d.Unknown), ContinuingSubwordPrefix: text(d.ContinuingPrefix), EndOfWordSuffix: text(d.WordSuffix),
			FuseUnk: d.FuseUnknown, ByteFallback: d.ByteFallback, IgnoreMerges: d.IgnoreMerges, Vocab: vocab, Merges: merges}, nil
	case WordPiece:
		return struct {
			Type    string          `json:"type"`
			Unk     string          `json:"unk_token"`
			Prefix  string          `json:"continuing_subword_prefix"`
			Longest int             `json:"max_input_chars_per_word"`
			Vocab   json.RawMessage `json:"vocab"`
		}{"WordPiece", d.Unknown, d.ContinuingPrefix, d.LongestWord, vocab}, nil
	case WordLevel:
		return struct {
			Type  string          `json:"type"`
			Vocab json.RawMessage `json:"vocab"`
			Unk   string          `json:"unk_token"`
		}{"WordLevel", vocab, d.Unknown}, nil
	case Unigram:
		pieces, unknown := [][2]any{}, any(nil)
		for id, text := range d.Tokens {
			pieces = append(pieces, [2]any{text, d.Scores[id]})
			if text == d.Unknown && text != "" {
				unknown = id
			}
		}
		return struct {
			Type     string   `json:"type"`
			Unk      any      `json:"unk_id"`
			Vocab    [][2]any `json:"vocab"`
			Fallback bool     `json:"byte_fallback"`
		}{"Unigram", unknown, pieces, d.ByteFallback}, nil
	}
	return nil, fmt.Errorf("tokenizer.json cannot say: the model %q", d.Model)
}

// vocab is the vocabulary in the order of ids, as the reference writes it.
func (d *Definition) vocab() (json.RawMessage, error) {
	outside := map[int32]bool{}
	for _, a := range d.Added {
		outside[a.ID] = a.Outside
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	out.WriteByte('{')
	for id, text := range d.Tokens {
		if text == "" || outside[int32(id)] {
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
	if len(d.Before)+len(d.After) == 0 && d.Single == nil && d.Pair == nil {
		return nil
	}
	special := object{}
	write := func(parts []Part) []any {
		out := []any{}
		for _, p := range parts {
			if p.Text > 0 {
				out = append(out, object{"Sequence": object{"id": string(rune('A' + p.Text - 1)), "type_id": p.Type}})
			}
			for _, id := range p.IDs {
				text := d.Tokens[id]
				special[text] = object{"id": text, "ids": []int32{id}, "tokens": []string{text}}
				out = append(out, object{"SpecialToken": object{"id": text, "type_id": p.Type}})
			}
		}
		return out
	}
	return object{"type": "TemplateProcessing", "single": write(d.template(false)), "pair": write(d.template(true)), "special_tokens": special}
}

// Save writes tokenizer.json to path.
func (t *Tokenizer) Save(path string) error {
	data, err := t.JSON()
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(path, data)
}
