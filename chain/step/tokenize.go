package step

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"lian/format/gguf"
	"lian/tokenizer"
)

// OpenTokenizer is the tokenizer of a model or file of any kind.
func OpenTokenizer(path string) (*tokenizer.Tokenizer, error) {
	base, err := wordsPath(path)
	if err != nil {
		w, wordsErr := OpenWords(path)
		if wordsErr != nil {
			return nil, wordsErr
		}
		if w.Tokenizer == nil {
			return nil, fmt.Errorf("%s is a template, not a tokenizer", path)
		}
		return w.Tokenizer, nil
	}
	switch {
	case strings.HasSuffix(base, ".jinja"):
		return nil, fmt.Errorf("%s is a template, not a tokenizer", path)
	case !isGGUF(base):
		return tokenizer.Load(base)
	}
	f, err := gguf.Open(base)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t, err := tokenizer.FromGGUF(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", base, err)
	}
	return t, nil
}

// row is a JSON line: what came in goes out again with more fields.
type row map[string]json.RawMessage

// jsonLines calls do with each line of in and writes the row that it changed. A line
// that cannot be done becomes a row with "error"; the others go on, and the error at
// the end counts them.
func jsonLines(in io.Reader, out io.Writer, do func(r row) error) error {
	lines := bufio.NewReaderSize(in, 1<<16)
	w := bufio.NewWriterSize(out, 1<<16)
	failed, n := 0, 0
	var first error
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 && strings.TrimSpace(string(line)) != "" {
			n++
			r, bad := parseRow(line)
			if bad != nil {
				r = row{}
			} else {
				bad = do(r)
			}
			if bad != nil {
				r["error"] = quoted(bad.Error())
				if failed++; first == nil {
					first = fmt.Errorf("line %d: %w", n, bad)
				}
			}
			data, bad := json.Marshal(r)
			if bad != nil {
				return bad
			}
			w.Write(append(data, '\n'))
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d lines failed; the first: %w", failed, n, first)
	}
	return nil
}

// parseRow reads a line as a JSON object.
func parseRow(line []byte) (row, error) {
	var r row
	err := json.Unmarshal(line, &r)
	switch {
	case err != nil:
		return nil, fmt.Errorf("expected a JSON object: %w", jsonKind(err))
	case r == nil: // null is no error to json.Unmarshal
		return nil, errors.New("expected a JSON object: found null")
	}
	return r, nil
}

// jsonKind says in JSON's words what json.Unmarshal says in Go's: which kind of value stood where another was expected.
func jsonKind(err error) error {
	var other *json.UnmarshalTypeError
	if errors.As(err, &other) {
		return fmt.Errorf("found a JSON %s", other.Value)
	}
	return err
}

// quoted is a string as JSON.
func quoted(s string) json.RawMessage {
	data, _ := json.Marshal(s) // a string always marshals
	return data
}

func (r row) set(key string, v any) error {
	data, err := json.Marshal(v)
	r[key] = data
	return err
}

// bytesOf is the text of a row: "text", or for bytes that are not UTF-8 "base64", "hex"
// or "bytes_hex".
func bytesOf(r row) (string, error) {
	for _, key := range []string{"text", "base64", "hex", "bytes_hex"} {
		raw, ok := r[key]
		if !ok {
			continue
		}
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return "", fmt.Errorf("%s: %.40s is not a string", key, raw)
		}
		var b []byte
		var err error
		switch key {
		case "text":
			return s, nil
		case "base64":
			b, err = base64.StdEncoding.DecodeString(s)
		default:
			b, err = hex.DecodeString(s)
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", key, err)
		}
		return string(b), nil
	}
	return "", fmt.Errorf("no text in the object; expected text, base64 or hex")
}

// DecodeOptions are the settings of lian tokenizer decode.
type DecodeOptions struct {
	SkipSpecial bool `yaml:"skip_special" help:"leave special tokens out"`
	JSONL       bool `yaml:"jsonl" help:"each line is a JSON object with ids; one with text comes out for each, in order"`
}

// DecodeLines decodes JSON lines: {"ids": […]} gives the object with "text", and with
// "base64" where the tokens' bytes are not that text.
func DecodeLines(tok *tokenizer.Tokenizer, in io.Reader, out io.Writer, o DecodeOptions) error {
	return jsonLines(in, out, func(r row) error {
		var ids []int32
		raw, ok := r["ids"]
		if !ok {
			return fmt.Errorf("no ids in the object; expected ids, a list of numbers")
		}
		if err := json.Unmarshal(raw, &ids); err != nil {
			return fmt.Errorf("ids: %.60s is not a list of token ids", raw)
		}
		text, err := DecodeIDs(tok, ids, o.SkipSpecial)
		if err != nil {
			return err
		}
		if !utf8.ValidString(text) {
			r["base64"] = quoted(base64.StdEncoding.EncodeToString([]byte(text)))
			text = tok.DecodeText(ids, o.SkipSpecial)
		}
		r["text"] = quoted(text)
		return nil
	})
}

// ParseIDs reads token ids that are separated by commas, blanks or both, with or without brackets.
func ParseIDs(text string) ([]int32, error) {
	ids := []int32{}
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '[' || r == ']' || unicode.IsSpace(r) }) {
		id, err := strconv.ParseInt(part, 10, 32)
		if err != nil || id < 0 {
			return nil, fmt.Errorf("%q is no token id; expected numbers such as 1,2,3", part)
		}
		ids = append(ids, int32(id))
	}
	return ids, nil
}

// DecodeIDs gives the text of ids as the tokenizer's own project decodes a whole text.
func DecodeIDs(tok *tokenizer.Tokenizer, ids []int32, skipSpecial bool) (string, error) {
	for i, id := range ids {
		if id < 0 || int(id) >= tok.VocabSize() {
			return "", fmt.Errorf("id %d at %d is outside the vocabulary of %d", id, i, tok.VocabSize())
		}
	}
	return tok.Detokenize(ids, skipSpecial), nil
}
