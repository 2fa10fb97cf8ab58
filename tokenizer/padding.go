package tokenizer

import (
	"encoding/json"
	"fmt"
)

// Padding is how to bring encodings to one length.
type Padding struct {
	// Length is how many tokens there should be at least; 0 is as many as the longest
	// of a batch has.
	Length int
	// Multiple rounds the length up to a multiple of it; 0 does not.
	Multiple  int
	Direction string // "Right" pads the end, "Left" the beginning
	ID, Type  int32  // of the padding
	Token     string // its text in a file
}

// paddingJSON is a padding in tokenizer.json.
type paddingJSON struct {
	Strategy  json.RawMessage `json:"strategy"` // "BatchLongest" or {"Fixed": 8}
	Direction string          `json:"direction"`
	Multiple  *int            `json:"pad_to_multiple_of"`
	ID        int32           `json:"pad_id"`
	Type      int32           `json:"pad_type_id"`
	Token     string          `json:"pad_token"`
}

func padding(data json.RawMessage) (*Padding, error) {
	j := paddingJSON{Direction: "Right", Token: "[PAD]"}
	if err := strict(data, &j); err != nil {
		return nil, fmt.Errorf("padding: %w", err)
	}
	p := &Padding{Direction: j.Direction, ID: j.ID, Type: j.Type, Token: j.Token}
	var name string
	var fixed struct{ Fixed *int }
	switch {
	case null(j.Strategy) || json.Unmarshal(j.Strategy, &name) == nil && name == "BatchLongest":
	case strict(j.Strategy, &fixed) == nil && fixed.Fixed != nil:
		p.Length = *fixed.Fixed
	default:
		return nil, fmt.Errorf("padding: the strategy is %s; expected BatchLongest or a Fixed length", compact(j.Strategy))
	}
	if j.Multiple != nil {
		p.Multiple = *j.Multiple
	}
	if p.Length < 0 || p.Multiple < 0 || p.ID < 0 || p.Direction != "Right" && p.Direction != "Left" {
		return nil, fmt.Errorf("padding: %s; expected numbers that are not negative and the direction Left or Right", compact(data))
	}
	return p, nil
}

// MarshalJSON writes the padding as tokenizer.json has it.
func (p *Padding) MarshalJSON() ([]byte, error) {
	j := paddingJSON{Strategy: json.RawMessage(`"BatchLongest"`), Direction: p.Direction, ID: p.ID, Type: p.Type, Token: p.Token}
	if p.Length > 0 {
		j.Strategy = json.RawMessage(fmt.Sprintf(`{"Fixed":%d}`, p.Length))
	}
	if p.Multiple > 0 {
		j.Multiple = &p.Multiple
	}
	return json.Marshal(j)
}

// Padding is how the tokenizer's file asks to pad encodings, nil if it does not.
func (t *Tokenizer) Padding() *Padding {
	if t.def.Padding == nil {
		return nil
	}
	p := *t.def.Padding
	return &p
}

// Pad brings the encodings of a batch and what overflows from them to one length;
// longer ones stay as they are. Source: HF tokenizers, utils/padding.rs.
func (p *Padding) Pad(batch []Encoding) {
	length := p.Length
	if length == 0 {
		for i := range batch {
			length = max(length, len(batch[i].Tokens))
		}
	}
	if p.Multiple > 0 {
		length = (length + p.Multiple - 1) / p.Multiple * p.Multiple
	}
	for i := range batch {
		p.to(&batch[i], length)
	}
}

func (p *Padding) to(e *Encoding, length int) {
	for i := range e.Overflowing {
		p.to(&e.Overflowing[i], length)
	}
	n := length - len(e.Tokens)
	if n <= 0 {
		return
	}
	fill := uniform(make([]Token, n), 0, p.Type)
	for i := range n {
		fill.Tokens[i].ID, fill.Mask[i] = p.ID, 0
	}
	over := e.Overflowing
	if p.Direction == "Left" {
		*e = fill.before(*e)
	} else {
		*e = e.before(fill)
	}
	e.Overflowing = over
}
