package tokenizer

import (
	"encoding/json"
	"fmt"
)

// around reads which ids belong before and after a single text, and whether places
// of tokens are told without the white space around them.
func (f *file) around(d *Definition, notes *[]string) error {
	for _, p := range sequence(f.postProcessor, "processors") {
		switch kind := typeOf(p); kind {
		case "ByteLevel":
			b := byteLevelJSON{AddPrefixSpace: true, TrimOffsets: true}
			if err := strict(p, &b); err != nil {
				return fmt.Errorf("post_processor: %w", err)
			}
			d.TrimOffsets, d.KeepFirstSpace = d.TrimOffsets || b.TrimOffsets, b.AddPrefixSpace
		case "TemplateProcessing":
			before, after, err := template(p)
			if err != nil {
				return fmt.Errorf("post_processor: %w", err)
			}
			d.Before, d.After = append(before, d.Before...), append(d.After, after...)
		case "BertProcessing", "RobertaProcessing":
			r := struct {
				Type           string   `json:"type"`
				Sep            tokenRef `json:"sep"`
				CLS            tokenRef `json:"cls"`
				TrimOffsets    *bool    `json:"trim_offsets"`
				AddPrefixSpace *bool    `json:"add_prefix_space"`
			}{}
			if err := strict(p, &r); err != nil {
				return fmt.Errorf("post_processor: %w", err)
			}
			d.Before, d.After = append([]int32{r.CLS.id}, d.Before...), append(d.After, r.Sep.id)
			if kind == "RobertaProcessing" {
				d.TrimOffsets = d.TrimOffsets || r.TrimOffsets == nil || *r.TrimOffsets
				d.KeepFirstSpace = r.AddPrefixSpace == nil || *r.AddPrefixSpace
			}
		default:
			return fmt.Errorf("post_processor: %q is not implemented", kind)
		}
	}
	if len(d.Before)+len(d.After) > 0 {
		*notes = append(*notes, fmt.Sprintf("the file puts %d ids before and %d after a text; Encode does not, Around gives them", len(d.Before), len(d.After)))
	}
	return nil
}

// tokenRef is ["[SEP]", 102].
type tokenRef struct{ id int32 }

func (r *tokenRef) UnmarshalJSON(data []byte) error {
	var text string
	pair := []any{&text, &r.id}
	if err := json.Unmarshal(data, &pair); err != nil || len(pair) != 2 {
		return fmt.Errorf("%.40s is not a token and its id", data)
	}
	return nil
}

// template reads the ids that a template puts around a single text.
func template(data json.RawMessage) (before, after []int32, err error) {
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

// Truncation is how a file asks to cut encodings.
type Truncation struct {
	MaxLength int    `json:"max_length"`
	Stride    int    `json:"stride"`
	Strategy  string `json:"strategy"`
	Direction string `json:"direction"` // "Right" cuts the end, "Left" the beginning
}

func truncation(data json.RawMessage) (*Truncation, error) {
	t := &Truncation{Direction: "Right"}
	if err := strict(data, t); err != nil {
		return nil, fmt.Errorf("truncation: %w", err)
	}
	if t.MaxLength < 0 || t.Stride < 0 || t.Direction != "Right" && t.Direction != "Left" {
		return nil, fmt.Errorf("truncation: %s; expected lengths that are not negative and the direction Left or Right", compact(data))
	}
	return t, nil
}
