package rule

import (
	"strings"
	"unicode"

	"lian/data/document"
)

// Language tells Chinese, English, code and everything else apart by counting
// scripts: which is all that the rules, the tokenizer and the question
// templates need to know. It is not a language identifier: Japanese and Korean
// are "other", and so are Latin-script languages without English function words.
func Language(kind, text string) string {
	if kind == document.KindCode {
		return document.Code
	}
	var hanCount, kana, hangul, latin, foreign, symbols, all int
	for _, r := range text {
		all++
		switch {
		case r < 0x80 && (r|32 >= 'a' && r|32 <= 'z'):
			latin++
		case r < 0x80:
			if strings.ContainsRune("{}();=<>[]_&|$\\", r) {
				symbols++
			}
		case unicode.Is(unicode.Han, r):
			hanCount++
		case unicode.In(r, unicode.Hiragana, unicode.Katakana):
			kana++
		case unicode.Is(unicode.Hangul, r):
			hangul++
		case unicode.Is(unicode.Latin, r):
			latin++
			foreign++
		case unicode.IsLetter(r):
			foreign += 2
		}
	}
	switch {
	case kana*20 > hanCount && kana > 2, hangul*5 > latin && hangul > 2:
		return document.Other
	// A Han character says as much as about three letters.
	case hanCount*3 > latin && hanCount*2 > foreign && hanCount > 0:
		return document.Chinese
	case foreign*4 > latin:
		return document.Other
	case kind != document.KindGo && symbols*100 > all*12:
		return document.Code
	case latin > 0 && english(text):
		return document.English
	}
	return document.Other
}

// english looks for function words; a short text without any is believed when
// all of it is plain ASCII, as headings and names are.
func english(text string) bool {
	words, function := 0, 0
	for word := range strings.FieldsSeq(text) {
		words++
		switch strings.ToLower(strings.Trim(word, ".,;:!?()\"'")) {
		case "the", "of", "and", "to", "a", "in", "is", "that", "it", "for", "as", "with", "be", "are", "this", "on", "by", "or", "not", "from", "if", "an", "i", "you", "at", "was":
			function++
		}
		if words >= 2000 {
			break
		}
	}
	if function*100 >= words*5 {
		return true
	}
	if words >= 40 {
		return function*100 >= words*2
	}
	for _, r := range text {
		if r >= 0x80 && unicode.IsLetter(r) {
			return false
		}
	}
	return words > 0
}
