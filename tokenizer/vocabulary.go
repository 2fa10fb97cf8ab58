package tokenizer

import (
	"fmt"
	"unicode/utf8"
)

// vocabulary keeps the bytes of all tokens in one string.
type vocabulary struct {
	all  string
	ends []uint32 // by id
	// padded is all with 16 more bytes, whole tells by id whether a token is UTF-8.
	padded []byte
	whole  []bool
}

// token are the bytes of an id.
func (v *vocabulary) token(id int32) string {
	if id == 0 {
		return v.all[:v.ends[0]]
	}
	return v.all[v.ends[id-1]:v.ends[id]]
}

type kind uint8

const (
	unused kind = iota
	ordinary
	added
	special
	outside // added, and no word of the model
	byteful // stands for a byte, or is the unknown token
)

// isWord tells whether a model may make id of a text.
func (t *Tokenizer) isWord(id int32) bool {
	k := t.kind[id]
	return k == ordinary || k == added || k == byteful
}

// words fills in what each id is and what it stands for.
func (t *Tokenizer) words() error {
	d := &t.def
	size := len(d.Tokens)
	if size == 0 {
		return fmt.Errorf("model.vocab: empty")
	}
	if d.Roles != nil && len(d.Roles) != size || d.Scores != nil && len(d.Scores) != size {
		return fmt.Errorf("model.vocab: %d tokens, %d scores, %d roles; expected as many of each", size, len(d.Scores), len(d.Roles))
	}
	t.kind = make([]kind, size)
	for _, a := range d.Added {
		if a.ID < 0 || int(a.ID) >= size || d.Tokens[a.ID] != a.Text || a.Text == "" {
			return fmt.Errorf("added_tokens: %q has id %d, where the vocabulary holds another token", a.Text, a.ID)
		}
		switch {
		case a.Special:
			t.kind[a.ID] = special
		case a.Outside:
			t.kind[a.ID] = outside
		default:
			t.kind[a.ID] = added
		}
	}
	t.surface = newIndex(size, func(id int32) string { return d.Tokens[id] })
	total := 0
	for i, text := range d.Tokens {
		if text == "" {
			continue
		}
		id := int32(i)
		if t.kind[id] == unused {
			t.kind[id] = ordinary
			if _, is := byteToken(text); is || d.Roles != nil && d.Roles[id] == UnknownRole {
				t.kind[id] = byteful
			}
		}
		if other, taken := t.surface.put(id, true); taken && d.Model != Unigram {
			return fmt.Errorf("model.vocab: %q has two ids, %d and %d", text, other, id)
		}
		total += len(text)
	}
	all := make([]byte, 0, total)
	t.vocab.ends = make([]uint32, size)
	show := d.shower()
	t.vocab.whole = make([]bool, size)
	for id, text := range d.Tokens {
		from := len(all)
		if text != "" {
			all = show(all, int32(id), t.kind[id])
		}
		t.vocab.whole[id] = utf8.Valid(all[from:])
		t.vocab.ends[id] = uint32(len(all))
	}
	t.vocab.all = string(all)
	t.vocab.padded = append(all, make([]byte, 16)...)
	return nil
}

// pairs reads the merges; the first skip bytes of each right side are a prefix that
// the whole does not repeat.
func (t *Tokenizer) pairs(skip int) (*ranks, error) {
	r := newRanks(len(t.def.Merges))
	var whole []byte
	for i, m := range t.def.Merges {
		left, ok := t.surface.get(m[0])
		if !ok {
			return nil, fmt.Errorf("model.merges: merge %d: %q is not in the vocabulary", i, m[0])
		}
		right, ok := t.surface.get(m[1])
		if !ok {
			return nil, fmt.Errorf("model.merges: merge %d: %q is not in the vocabulary", i, m[1])
		}
		if len(m[1]) < skip {
			return nil, fmt.Errorf("model.merges: merge %d: %q is shorter than the prefix of %d bytes", i, m[1], skip)
		}
		whole = append(append(whole[:0], m[0]...), m[1][skip:]...)
		id, ok := t.surface.getBytes(whole)
		if !ok {
			return nil, fmt.Errorf("model.merges: merge %d: %q + %q = %q is not in the vocabulary", i, m[0], m[1], whole)
		}
		// A pair that comes twice has the later rank, as in the reference.
		r.put(left, right, int32(i), id)
	}
	return r, nil
}
