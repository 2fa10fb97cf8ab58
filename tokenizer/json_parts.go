package tokenizer

import (
	"encoding/json"
	"fmt"
)

func (f *file) normalizer(d *Definition) error {
	for _, n := range sequence(f.Normalizer, "normalizers") {
		switch kind := typeOf(n); kind {
		case "NFC":
			d.NFC = true
		default:
			return fmt.Errorf("normalizer: %q is not implemented; NFC and none are", kind)
		}
	}
	return nil
}

// preTokenizer appends the steps of one pre-tokeniser; alphabet tells whether the
// byte-level alphabet is among them.
func preTokenizer(data json.RawMessage, at string, steps *[]Step) (alphabet bool, err error) {
	if null(data) {
		return false, nil
	}
	switch kind := typeOf(data); kind {
	case "Sequence":
		var s struct {
			Type          string            `json:"type"`
			PreTokenizers []json.RawMessage `json:"pretokenizers"`
		}
		if err := strict(data, &s); err != nil {
			return false, fmt.Errorf("%s: %w", at, err)
		}
		for i, one := range s.PreTokenizers {
			where := fmt.Sprintf("%s.pretokenizers[%d]", at, i)
			if alphabet {
				return false, fmt.Errorf("%s: a step after ByteLevel would split its alphabet; not implemented", where)
			}
			if typeOf(one) == "Sequence" {
				return false, fmt.Errorf("%s: a Sequence in a Sequence is not implemented", where)
			}
			if alphabet, err = preTokenizer(one, where, steps); err != nil {
				return false, err
			}
		}
		return alphabet, nil
	case "ByteLevel":
		b := byteLevelJSON{AddPrefixSpace: true, UseRegex: true}
		if err := strict(data, &b); err != nil {
			return false, fmt.Errorf("%s: %w", at, err)
		}
		step := Step{Kind: ByteLevelStep, PrefixSpace: b.AddPrefixSpace}
		if b.UseRegex {
			step.Pattern = PatternGPT2
		}
		*steps = append(*steps, step)
		return true, nil
	case "Digits":
		var s struct {
			Type       string `json:"type"`
			Individual bool   `json:"individual_digits"`
		}
		if err := strict(data, &s); err != nil {
			return false, fmt.Errorf("%s: %w", at, err)
		}
		*steps = append(*steps, Step{Kind: Digits, Individual: s.Individual})
		return false, nil
	case "Split":
		step, err := splitStep(data)
		if err != nil {
			return false, fmt.Errorf("%s: %w", at, err)
		}
		*steps = append(*steps, step)
		return false, nil
	default:
		return false, fmt.Errorf("%s: %q is not implemented; ByteLevel, Split, Digits and Sequence are", at, kind)
	}
}

type byteLevelJSON struct {
	Type           string `json:"type"`
	AddPrefixSpace bool   `json:"add_prefix_space"`
	TrimOffsets    bool   `json:"trim_offsets"`
	UseRegex       bool   `json:"use_regex"`
}

func splitStep(data json.RawMessage) (Step, error) {
	var s struct {
		Type    string `json:"type"`
		Pattern struct {
			Regex  *string `json:"Regex"`
			String *string `json:"String"`
		} `json:"pattern"`
		Behavior string `json:"behavior"`
		Invert   bool   `json:"invert"`
	}
	if err := strict(data, &s); err != nil {
		return Step{}, err
	}
	if s.Pattern.Regex == nil {
		return Step{}, fmt.Errorf("pattern: only Regex is implemented")
	}
	pattern := *s.Pattern.Regex
	if pattern == "" {
		return Step{}, fmt.Errorf("pattern: empty")
	}
	// To remove what does not match is the same as to isolate what does when the
	// pattern matches everything, as those with a scanner do.
	same := s.Behavior == "Isolated" || s.Behavior == "Removed" && s.Invert && covers(pattern)
	if !same {
		return Step{}, fmt.Errorf("behavior %q with invert=%t is not implemented; Isolated is", s.Behavior, s.Invert)
	}
	return Step{Kind: Split, Pattern: pattern}, nil
}

// covers tells whether a pattern matches every character of any text.
func covers(pattern string) bool {
	return pattern == PatternGPT2 || pattern == PatternQwen2 || pattern == PatternLlama3
}

func (f *file) decoder() error {
	for _, d := range sequence(f.Decoder, "decoders") {
		if kind := typeOf(d); kind != "ByteLevel" {
			return fmt.Errorf("decoder: %q is not implemented; ByteLevel is", kind)
		}
		var b byteLevelJSON
		if err := strict(d, &b); err != nil {
			return fmt.Errorf("decoder: %w", err)
		}
	}
	if null(f.Decoder) {
		return fmt.Errorf("decoder: missing; ByteLevel is implemented")
	}
	return nil
}

// postProcessor reads which ids belong around a single text.
func (f *file) postProcessor(d *Definition, notes *[]string) error {
	for _, p := range sequence(f.PostProcessor, "processors") {
		switch kind := typeOf(p); kind {
		case "ByteLevel": // offsets only; ours are those of the bytes
			var b byteLevelJSON
			if err := strict(p, &b); err != nil {
				return fmt.Errorf("post_processor: %w", err)
			}
		case "TemplateProcessing":
			before, after, err := around(p)
			if err != nil {
				return fmt.Errorf("post_processor: %w", err)
			}
			d.Before, d.After = append(d.Before, before...), append(d.After, after...)
		default:
			return fmt.Errorf("post_processor: %q is not implemented; ByteLevel and TemplateProcessing are", kind)
		}
	}
	if len(d.Before)+len(d.After) > 0 {
		*notes = append(*notes, fmt.Sprintf("the file puts %d ids before and %d after a text; Encode does not, Around gives them", len(d.Before), len(d.After)))
	}
	return nil
}

func around(data json.RawMessage) (before, after []int32, err error) {
	type piece struct {
		Sequence *struct {
			ID     string `json:"id"`
			TypeID int    `json:"type_id"`
		} `json:"Sequence"`
		SpecialToken *struct {
			ID     string `json:"id"`
			TypeID int    `json:"type_id"`
		} `json:"SpecialToken"`
	}
	var p struct {
		Type          string  `json:"type"`
		Single        []piece `json:"single"`
		Pair          []piece `json:"pair"`
		SpecialTokens map[string]struct {
			ID     string   `json:"id"`
			IDs    []int32  `json:"ids"`
			Tokens []string `json:"tokens"`
		} `json:"special_tokens"`
	}
	if err := strict(data, &p); err != nil {
		return nil, nil, err
	}
	seen := false
	for i, one := range p.Single {
		switch {
		case one.Sequence != nil && one.Sequence.ID == "A" && !seen:
			seen = true
		case one.SpecialToken != nil:
			token, ok := p.SpecialTokens[one.SpecialToken.ID]
			if !ok {
				return nil, nil, fmt.Errorf("single[%d]: %q is not in special_tokens", i, one.SpecialToken.ID)
			}
			if seen {
				after = append(after, token.IDs...)
			} else {
				before = append(before, token.IDs...)
			}
		default:
			return nil, nil, fmt.Errorf("single[%d]: expected one Sequence A and special tokens", i)
		}
	}
	if !seen {
		return nil, nil, fmt.Errorf("single: the text itself (Sequence A) is missing")
	}
	return before, after, nil
}
