package tokenizer

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// jsonScanner reads JSON value by value. A vocabulary is a hundred thousand keys and
// as many merges; strings without escapes are parts of the file, so that reading one
// needs no memory of its own.
type jsonScanner struct {
	s  string
	at int
}

func (j *jsonScanner) fail(expected string) error {
	line := 1 + strings.Count(j.s[:min(j.at, len(j.s))], "\n")
	found := "the end of the file"
	if j.at < len(j.s) {
		found = fmt.Sprintf("%.20q", j.s[j.at:])
	}
	return fmt.Errorf("line %d, byte %d: expected %s, found %s", line, j.at, expected, found)
}

// space skips white space and gives the next byte, 0 at the end.
func (j *jsonScanner) space() byte {
	for j.at < len(j.s) {
		switch c := j.s[j.at]; c {
		case ' ', '\t', '\n', '\r':
			j.at++
		default:
			return c
		}
	}
	return 0
}

func (j *jsonScanner) take(c byte) bool {
	if j.space() != c {
		return false
	}
	j.at++
	return true
}

// object calls member for each key; member reads the value.
func (j *jsonScanner) object(member func(key string) error) error {
	if !j.take('{') {
		return j.fail("{")
	}
	if j.take('}') {
		return nil
	}
	for {
		key, err := j.text()
		if err != nil {
			return err
		}
		if !j.take(':') {
			return j.fail(":")
		}
		if err := member(key); err != nil {
			return err
		}
		if j.take('}') {
			return nil
		}
		if !j.take(',') {
			return j.fail(", or }")
		}
	}
}

// array calls item for each element; item reads it.
func (j *jsonScanner) array(item func(i int) error) error {
	if !j.take('[') {
		return j.fail("[")
	}
	if j.take(']') {
		return nil
	}
	for i := 0; ; i++ {
		if err := item(i); err != nil {
			return err
		}
		if j.take(']') {
			return nil
		}
		if !j.take(',') {
			return j.fail(", or ]")
		}
	}
}

// text reads a string.
func (j *jsonScanner) text() (string, error) {
	if j.space() != '"' {
		return "", j.fail("a string")
	}
	start := j.at
	for i := start + 1; i < len(j.s); i++ {
		switch c := j.s[i]; {
		case c == '"':
			j.at = i + 1
			return j.s[start+1 : i], nil
		case c == '\\':
			end := i
			for end < len(j.s) && j.s[end] != '"' {
				if j.s[end] == '\\' {
					end++
				}
				end++
			}
			if end >= len(j.s) {
				return "", j.fail("a string that ends")
			}
			var out string
			if err := json.Unmarshal([]byte(j.s[start:end+1]), &out); err != nil {
				return "", fmt.Errorf("byte %d: %w", start, err)
			}
			j.at = end + 1
			return out, nil
		case c < ' ':
			j.at = i
			return "", j.fail("no control character in a string")
		}
	}
	return "", j.fail("a string that ends")
}

// number reads a number as it is written.
func (j *jsonScanner) number() (string, error) {
	j.space()
	start := j.at
	for j.at < len(j.s) && strings.IndexByte("+-0123456789.eE", j.s[j.at]) >= 0 {
		j.at++
	}
	if start == j.at {
		return "", j.fail("a number")
	}
	return j.s[start:j.at], nil
}

// id reads a token id.
func (j *jsonScanner) id() (int32, error) {
	at := j.at
	n, err := j.number()
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseInt(n, 10, 32)
	if err != nil {
		j.at = at
		return 0, j.fail("a token id")
	}
	return int32(v), nil
}

// raw skips a value and gives it as it is written.
func (j *jsonScanner) raw() (json.RawMessage, error) {
	j.space()
	start, depth := j.at, 0
	for {
		switch c := j.space(); c {
		case '"':
			if _, err := j.text(); err != nil {
				return nil, err
			}
		case '{', '[':
			depth++
			j.at++
		case '}', ']':
			depth--
			j.at++
		case ',', ':':
			if depth == 0 {
				return nil, j.fail("a value")
			}
			j.at++
			continue
		case 0:
			return nil, j.fail("a value")
		default:
			begin := j.at
			for j.at < len(j.s) && strings.IndexByte(" \t\r\n,:]}[{\"", j.s[j.at]) < 0 {
				j.at++
			}
			if begin == j.at {
				return nil, j.fail("a value")
			}
		}
		if depth < 0 {
			return nil, j.fail("a value")
		}
		if depth == 0 {
			value := json.RawMessage(j.s[start:j.at])
			if !json.Valid(value) {
				j.at = start
				return nil, j.fail("a JSON value")
			}
			return value, nil
		}
	}
}
