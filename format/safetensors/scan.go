package safetensors

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

// scanner reads the JSON of a header. A large model has a hundred thousand
// tensors; texts are parts of the one that is scanned, and nothing else is
// allocated for a member.
type scanner struct {
	text string // UTF-8
	at   int
}

// next steps over white space and returns the byte that follows, 0 at the end.
func (s *scanner) next() byte {
	for ; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

func (s *scanner) expect(c byte) error {
	if found := s.next(); found != c {
		return s.unexpected(fmt.Sprintf("%q", c))
	}
	s.at++
	return nil
}

// unexpected says what stands at the place in question instead of what should.
func (s *scanner) unexpected(expected string) error {
	if s.next() == 0 && s.at >= len(s.text) {
		return fmt.Errorf("at byte %d: the header ends where %s is expected", s.at, expected)
	}
	found := s.text[s.at:min(s.at+12, len(s.text))]
	return fmt.Errorf("at byte %d: found %q where %s is expected", s.at, found, expected)
}

// object calls member with each key; member reads the value.
func (s *scanner) object(member func(key string) error) error {
	if s.next() != '{' {
		return s.unexpected("an object")
	}
	s.at++
	if s.next() == '}' {
		s.at++
		return nil
	}
	for {
		key, err := s.string()
		if err == nil {
			err = s.expect(':')
		}
		if err == nil {
			err = member(key)
		}
		if err != nil {
			return err
		}
		if s.next() != ',' {
			return s.expect('}')
		}
		s.at++
	}
}

func (s *scanner) string() (string, error) {
	if s.next() != '"' {
		return "", s.unexpected("a string")
	}
	from, escaped := s.at, false
	for s.at++; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; {
		case c == '\\':
			escaped = true
			s.at++
		case c < ' ':
			return "", fmt.Errorf("at byte %d: a control character in a string", s.at)
		case c == '"':
			s.at++
			if !escaped {
				return s.text[from+1 : s.at-1], nil
			}
			var text string
			err := json.Unmarshal([]byte(s.text[from:s.at]), &text)
			return text, err
		}
	}
	return "", errors.New("the header ends inside a string")
}

// numbers appends an array of whole numbers that are not negative to into.
func (s *scanner) numbers(into []int) ([]int, error) {
	if s.next() != '[' {
		return into, s.unexpected("an array")
	}
	s.at++
	if s.next() == ']' {
		s.at++
		return into, nil
	}
	for {
		n, err := s.number()
		if err != nil {
			return into, err
		}
		into = append(into, n)
		if s.next() != ',' {
			return into, s.expect(']')
		}
		s.at++
	}
}

func (s *scanner) number() (int, error) {
	s.next()
	n, from := 0, s.at
	for ; s.at < len(s.text) && '0' <= s.text[s.at] && s.text[s.at] <= '9'; s.at++ {
		digit := int(s.text[s.at] - '0')
		if n > (math.MaxInt-digit)/10 {
			s.at = from
			return 0, s.unexpected("a whole number that fits")
		}
		n = n*10 + digit
	}
	length, end := s.at-from, s.next() // what follows tells a fraction
	if length == 0 || length > 1 && s.text[from] == '0' || end != ',' && end != ']' {
		s.at = from
		return 0, s.unexpected("a whole number")
	}
	return n, nil
}
