package tokenizer

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// Extend gives a tokenizer with further added tokens, which get the ids after the
// last; first is the id of the first. The ids of old tokens stay as they are. Special
// tokens are control marks, others are found in every text.
func (t *Tokenizer) Extend(texts []string, special bool) (extended *Tokenizer, first int32, err error) {
	d := t.def
	d.Tokens, d.Added = slices.Clone(d.Tokens), slices.Clone(d.Added)
	first = int32(len(d.Tokens))
	for i, text := range texts {
		if text == "" || !utf8.ValidString(text) {
			return nil, 0, fmt.Errorf("token %d: %q is empty or not UTF-8", i+1, text)
		}
		if slices.Contains(texts[:i], text) {
			return nil, 0, fmt.Errorf("token %d: %q is given twice", i+1, text)
		}
		for _, a := range d.Added {
			if a.Text == text {
				return nil, 0, fmt.Errorf("token %d: %q is in the vocabulary already, with id %d", i+1, text, a.ID)
			}
		}
		if id, ok := t.ID(text); ok {
			return nil, 0, fmt.Errorf("token %d: %q is in the vocabulary already, with id %d", i+1, text, id)
		}
		d.Added = append(d.Added, Added{ID: int32(len(d.Tokens)), Text: text, Special: special, Outside: true})
		d.Tokens = append(d.Tokens, text)
	}
	if d.Scores != nil {
		d.Scores = append(slices.Clone(d.Scores), make([]float64, len(texts))...)
	}
	if d.Roles != nil {
		d.Roles = slices.Clone(d.Roles)
		for range texts {
			d.Roles = append(d.Roles, Control)
		}
	}
	extended, err = New(d)
	return extended, first, err
}
