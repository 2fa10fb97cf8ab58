package grammar

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// Choice is the language of the given texts. An empty list, an empty text and invalid UTF-8 are refused.
func Choice(texts []string) (*Grammar, error) {
	if len(texts) == 0 {
		return nil, errors.New("choice: the list is empty")
	}
	for i, text := range texts {
		if text == "" || !utf8.ValidString(text) {
			return nil, fmt.Errorf("choice: entry %d is %q, expected a text in valid UTF-8", i, text)
		}
	}
	return build("choice", func(b *builder) (int32, error) {
		start, end := b.state(), b.state()
		for _, text := range texts {
			first := b.state()
			b.join(start, first)
			b.join(b.literal(first, text), end)
		}
		b.end(end)
		return start, nil
	})
}
