package tokenizer

import "errors"

// ErrNone is wrapped by the error for a file that says that it has no tokenizer.
var ErrNone = errors.New("the file has no tokenizer")

// Wordless is a tokenizer of so many ids that stand for no text: for models that come without one and are given ids.
func Wordless(ids int) (*Tokenizer, error) {
	return New(Definition{Model: ByteBPE, Tokens: make([]string, ids)})
}
