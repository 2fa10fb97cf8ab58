package tokenizer_test

import (
	"testing"

	"lian/format/formattest"
	"lian/tokenizer"
)

func TestBrokenTokenizerFilesAreErrors(t *testing.T) {
	raw, err := small(t).JSON()
	if err != nil {
		t.Fatal(err)
	}
	formattest.Parser{Parse: func(file []byte) error { _, err := tokenizer.Parse(file); return err }, Text: true}.Break(t, raw)
}
