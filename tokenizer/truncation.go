package tokenizer

import (
	"encoding/json"
	"fmt"
)

// Truncation is how to cut encodings that are too long.
type Truncation struct {
	MaxLength int `json:"max_length"` // tokens, those of the template included
	Stride    int `json:"stride"`     // tokens that overlap from one piece to the next
	// Strategy says which of two texts is cut: "LongestFirst", "OnlyFirst", "OnlySecond".
	Strategy  string `json:"strategy"`
	Direction string `json:"direction"` // "Right" cuts the end, "Left" the beginning
}

func truncation(data json.RawMessage) (*Truncation, error) {
	t := &Truncation{Direction: "Right", Strategy: "LongestFirst"}
	if err := strict(data, t); err != nil {
		return nil, fmt.Errorf("truncation: %w", err)
	}
	if t.MaxLength < 0 || t.Stride < 0 || t.Direction != "Right" && t.Direction != "Left" {
		return nil, fmt.Errorf("truncation: %s; expected lengths that are not negative and the direction Left or Right", compact(data))
	}
	if t.Strategy != "LongestFirst" && t.Strategy != "OnlyFirst" && t.Strategy != "OnlySecond" {
		return nil, fmt.Errorf("truncation: the strategy is %q; expected LongestFirst, OnlyFirst or OnlySecond", t.Strategy)
	}
	return t, nil
}

// Truncation is how the tokenizer's file asks to cut encodings, nil if it does not.
func (t *Tokenizer) Truncation() *Truncation {
	if t.def.Truncation == nil {
		return nil
	}
	c := *t.def.Truncation
	return &c
}

// windows cuts one text or two so that with the given number of ids around them they
// fit: for each the window that stays, then those that overflow. Source: HF tokenizers,
// utils/truncation.rs.
func (c *Truncation) windows(texts [][]Token, around int) ([][][]Token, error) {
	most := c.MaxLength - around
	if most < 0 {
		return nil, fmt.Errorf("truncation: %d tokens are the most, and the model expects %d around the text; raise the maximum or leave those out", c.MaxLength, around)
	}
	lengths, total := make([]int, len(texts)), 0
	for i := range texts {
		lengths[i] = len(texts[i])
		total += lengths[i]
	}
	over := total - most
	switch {
	case over <= 0:
	case most == 0:
		clear(lengths)
	case c.Strategy == "LongestFirst" && len(texts) == 1:
		lengths[0] = most
	case c.Strategy == "LongestFirst":
		lengths[0], lengths[1] = shares(lengths[0], lengths[1], most)
	default:
		i := 0
		if c.Strategy == "OnlySecond" {
			i = 1
		}
		if i >= len(texts) {
			return nil, fmt.Errorf("truncation: the second text is to be cut (OnlySecond), and there is one only")
		}
		if lengths[i] <= over {
			return nil, fmt.Errorf("truncation: text %d has %d tokens and %d are too many; nothing would be left of it (%s)", i+1, lengths[i], over, c.Strategy)
		}
		lengths[i] -= over
	}
	out := make([][][]Token, len(texts))
	for i, tokens := range texts {
		if c.Stride >= lengths[i] && lengths[i] > 0 && lengths[i] < len(tokens) {
			return nil, fmt.Errorf("truncation: the stride of %d tokens is not below the %d that fit of text %d", c.Stride, lengths[i], i+1)
		}
		out[i] = c.pieces(tokens, lengths[i])
	}
	return out, nil
}

// shares divides most tokens among two texts: the longer one is cut down to the
// shorter, then both to halves, of which the longer text has the larger.
func shares(first, second, most int) (int, int) {
	if first > second {
		b, a := shares(second, first, most)
		return a, b
	}
	if first > most {
		second = first
	} else {
		second = max(first, most-first)
	}
	if first+second > most {
		first = most / 2
		second = first + most%2
	}
	return first, second
}

// pieces cuts tokens into windows of size, the one that stays first. Where nothing
// stays, all of it overflows as one.
func (c *Truncation) pieces(tokens []Token, size int) [][]Token {
	if size >= len(tokens) {
		return [][]Token{tokens}
	}
	if size == 0 {
		return [][]Token{nil, tokens}
	}
	var out [][]Token
	step := size - c.Stride
	if c.Direction == "Left" {
		for end := len(tokens); ; end -= step {
			start := max(0, end-size)
			out = append(out, tokens[start:end])
			if start == 0 {
				return out
			}
		}
	}
	for start := 0; ; start += step {
		end := min(start+size, len(tokens))
		out = append(out, tokens[start:end])
		if end == len(tokens) {
			return out
		}
	}
}
