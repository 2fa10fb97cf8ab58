package step

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"lian/tokenizer"
)

// Lines encodes JSON lines: {"text": …} and perhaps "pair" gives the object with "ids",
// and as asked "tokens", "offsets", "type_ids" (with pair), "overflowing" and
// "attention_mask". To pad to the longest it holds all lines and reads them twice.
func (e *TextEncoder) Lines(in io.Reader, out io.Writer) error {
	if e.longest {
		all, err := io.ReadAll(in)
		if err != nil {
			return err
		}
		e.padding.Length = 0
		_ = jsonLines(bytes.NewReader(all), io.Discard, func(r row) error { // the second reading tells its errors
			got, _, err := e.row(r)
			e.padding.Length = max(e.padding.Length, len(got.Tokens))
			return err
		})
		e.longest, in = false, bytes.NewReader(all)
	}
	names := e.tok.Vocabulary()
	return jsonLines(in, out, func(r row) error {
		got, texts, err := e.row(r)
		if err != nil {
			return err
		}
		if e.options.NBest > 0 {
			ways, err := e.tok.NBest(texts[0], e.options.NBest)
			if err != nil {
				return err
			}
			if err := r.set("nbest", ways); err != nil {
				return err
			}
		}
		return e.tell(r, &got, texts, names)
	})
}

// row encodes the text and the pair of a row.
func (e *TextEncoder) row(r row) (tokenizer.Encoding, []string, error) {
	text, err := bytesOf(r)
	if err != nil {
		return tokenizer.Encoding{}, nil, err
	}
	texts := []string{text}
	if raw, ok := r["pair"]; ok && string(raw) != "null" {
		var pair string
		if err := json.Unmarshal(raw, &pair); err != nil {
			return tokenizer.Encoding{}, nil, fmt.Errorf("pair: %.40s is not a string", raw)
		}
		texts = append(texts, pair)
	}
	got, err := e.encode(texts...)
	return got, texts, err
}

// tell puts what was asked for of an encoding into its row.
func (e *TextEncoder) tell(r row, got *tokenizer.Encoding, texts []string, names []tokenizer.Entry) error {
	cut := e.options.MaxLength > 0
	err := tell(r, got, "ids", cut, (*tokenizer.Encoding).IDs)
	if len(texts) == 2 && err == nil {
		err = tell(r, got, "type_ids", cut, func(x *tokenizer.Encoding) []int32 { return x.Types })
	}
	if e.padding != nil && err == nil {
		err = tell(r, got, "attention_mask", cut, func(x *tokenizer.Encoding) []int32 { return x.Mask })
	}
	if e.options.Pieces && err == nil {
		err = tell(r, got, "tokens", cut, func(x *tokenizer.Encoding) []string {
			out := make([]string, len(x.Tokens))
			for i, t := range x.Tokens {
				out[i] = names[t.ID].Text
			}
			return out
		})
	}
	if o := e.options.Offsets; o != "none" && o != "" && err == nil {
		err = tell(r, got, "offsets", cut, func(x *tokenizer.Encoding) [][2]int { return e.tok.Places(x, texts, o == "chars") })
	}
	return err
}

// tell sets name to something of an encoding, and where it was cut overflowing_name
// ("overflowing" for ids) to the same of each piece that did not fit.
func tell[T any](r row, e *tokenizer.Encoding, name string, cut bool, of func(*tokenizer.Encoding) T) error {
	if err := r.set(name, of(e)); err != nil || !cut {
		return err
	}
	spill := "overflowing_" + name
	if name == "ids" {
		spill = "overflowing"
	}
	return r.set(spill, overflowing(e, of))
}
