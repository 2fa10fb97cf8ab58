package jinja

import (
	"slices"
	"unicode/utf8"
)

// mark ends a run of bytes of one tag. A text's marks cover it from its start.
type mark struct {
	end int
	tag tag
}

// runs are the marks of a text that starts at byte base of what the marks
// were made for, so that parts of a text share them.
type runs struct {
	marks []mark
	base  int
}

// pieces yields the runs of a text, in order.
func (v Value) pieces(yield func(text string, t tag) bool) {
	r, ok := v.ref.(*runs)
	if !ok {
		if v.text != "" {
			yield(v.text, v.tag)
		}
		return
	}
	start := 0
	for _, m := range r.marks {
		end := min(m.end-r.base, len(v.text))
		if !yield(v.text[start:end], m.tag) {
			return
		}
		start = end
	}
}

// source is what a text made after this one comes from: data, if any of it is.
func (v Value) source() tag {
	for _, t := range v.pieces {
		if t.origin() != Template {
			return t
		}
	}
	return v.tag
}

// part is the text's bytes start..end with their origins.
func (v Value) part(start, end int) Value {
	out := Value{kind: kindString, markup: v.markup, tag: v.tag, text: v.text[start:end]}
	r, ok := v.ref.(*runs)
	if !ok || start >= end {
		return out
	}
	byEnd := func(m mark, end int) int { return m.end - end }
	from, _ := slices.BinarySearchFunc(r.marks, r.base+start+1, byEnd)
	to, _ := slices.BinarySearchFunc(r.marks, r.base+end, byEnd)
	if from == to {
		out.tag = r.marks[from].tag
		return out
	}
	out.ref = &runs{r.marks[from : to+1], r.base + start}
	return out
}

// runes counts code points, as Python's len does.
func (v Value) runes() int { return utf8.RuneCountInString(v.text) }

// at returns the byte offset of code point i, len(text) beyond the end.
func (v Value) at(i int) int {
	if len(v.text) == v.runes() {
		return min(i, len(v.text))
	}
	for offset := range v.text {
		if i == 0 {
			return offset
		}
		i--
	}
	return len(v.text)
}

// writer puts a text together and keeps the origin of every byte.
type writer struct {
	in        *interpreter
	buffer    []byte
	marks     []mark
	generated bool // what is added now stands in a generation block
}

func (w *writer) add(text string, t tag) {
	if text == "" {
		return
	}
	w.in.room(len(w.buffer) + len(text))
	w.in.spend(len(text))
	w.buffer = append(w.buffer, text...)
	if w.generated {
		t |= 1
	}
	if n := len(w.marks); n > 0 && w.marks[n-1].tag == t {
		w.marks[n-1].end = len(w.buffer)
		return
	}
	w.in.spend(16)
	w.marks = append(w.marks, mark{len(w.buffer), t})
}

// addText adds a text value with its origins.
func (w *writer) addText(v Value) {
	for text, t := range v.pieces {
		w.add(text, t)
	}
}

func (w *writer) value() Value {
	out := Value{kind: kindString, text: string(w.buffer)}
	switch len(w.marks) {
	case 0:
	case 1:
		out.tag = w.marks[0].tag
	default:
		out.ref = &runs{w.marks, 0}
	}
	return out
}

// mapText applies f to every run of v.
func (in *interpreter) mapText(v Value, f func(string) string) Value {
	w := writer{in: in}
	for text, t := range v.pieces {
		w.add(f(text), t)
	}
	out := w.value()
	out.markup = v.markup
	return out
}

// mapRunes puts f(byte offset, character) in the place of every character.
func (in *interpreter) mapRunes(v Value, f func(at int, r rune) string) Value {
	w := writer{in: in}
	base := 0
	for text, t := range v.pieces {
		for i, r := range text {
			w.add(f(base+i, r), t)
		}
		base += len(text)
	}
	out := w.value()
	out.markup = v.markup
	return out
}

// join puts texts together.
func (in *interpreter) join(values ...Value) Value {
	w := writer{in: in}
	for _, v := range values {
		w.addText(v)
	}
	return w.value()
}
