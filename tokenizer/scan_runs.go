package tokenizer

import (
	"unicode"
	"unicode/utf8"
)

// The scanners of patterns that leave gaps: what a pattern matches is a piece, and so
// is what lies between two matches. match gives the end of what the pattern matches
// at s[i:], i itself where it matches nothing.
func withGaps(match func(s string, i int) int) func(s string, i int) int {
	return func(s string, i int) int {
		if end := match(s, i); end > i {
			return end
		}
		for i < len(s) {
			_, n := utf8.DecodeRuneInString(s[i:])
			if i += n; i < len(s) && match(s, i) > i {
				break
			}
		}
		return i
	}
}

// runOf matches a run of characters.
func runOf(is func(r rune) bool) func(s string, i int) int {
	return func(s string, i int) int {
		for i < len(s) {
			r, n := utf8.DecodeRuneInString(s[i:])
			if !is(r) {
				break
			}
			i += n
		}
		return i
	}
}

// afterSpace matches a run, with one white space before it if there is one.
func afterSpace(is func(r rune) bool) func(s string, i int) int {
	run := runOf(is)
	return func(s string, i int) int {
		if c, n := at(s, i); c == space {
			if end := run(s, i+n); end > i+n {
				return end
			}
		}
		return run(s, i)
	}
}

func isBreak(r rune) bool { return r == '\r' || r == '\n' }

// one matches a single character.
func one(is func(r rune) bool) func(s string, i int) int {
	return func(s string, i int) int {
		if r, n := utf8.DecodeRuneInString(s[i:]); is(r) {
			return i + n
		}
		return i
	}
}

// threeDigits is `[0-9][0-9][0-9]`.
func threeDigits(s string, i int) int {
	for k := range 3 {
		if i+k >= len(s) || s[i+k] < '0' || s[i+k] > '9' {
			return i
		}
	}
	return i + 3
}

func isKana(r rune) bool { // [一-龥぀-ゟ゠-ヿ]
	return r >= 0x4e00 && r <= 0x9fa5 || r >= 0x3040 && r <= 0x30ff
}

func isAsian(r rune) bool { // [一-龥ࠀ-一가-퟿]
	return r >= 0x800 && r <= 0x9fa5 || r >= 0xac00 && r <= 0xd7ff
}

func isSign(r rune) bool { // [\p{P}\$\+<=>\^~\|]
	if r < utf8.RuneSelf {
		return r != '`' && isPunctuation(r)
	}
	return unicode.Is(unicode.P, r)
}

func isSignOrTick(r rune) bool { return r == '`' || isSign(r) }

func isLetter(r rune) bool { return unicode.Is(unicode.L, r) }
func isPunct(r rune) bool  { return unicode.Is(unicode.P, r) }

func isLetterOrMark(r rune) bool { return unicode.In(r, unicode.L, unicode.M) }
func isPunctOrSymbol(r rune) bool {
	if r < utf8.RuneSelf {
		return isPunctuation(r)
	}
	return unicode.In(r, unicode.P, unicode.S)
}

var (
	letterMarks  = runOf(isLetterOrMark)
	punctSymbols = runOf(isPunctOrSymbol)
)

// deepseekWords is the third pattern of DeepSeek V3: a sign with ASCII letters, words
// with one character before them, runs of signs with their line breaks, white space.
func deepseekWords(s string, i int) int {
	r, n := utf8.DecodeRuneInString(s[i:])
	if r < utf8.RuneSelf && isPunctuation(r) {
		end := i + 1
		for end < len(s) && (s[end]|0x20) >= 'a' && (s[end]|0x20) <= 'z' {
			end++
		}
		if end > i+1 {
			return end
		}
	}
	if r != '\r' && r != '\n' && !isPunctOrSymbol(r) && !isLetter(r) { // a character before a word
		if end := letterMarks(s, i+n); end > i+n {
			return end
		}
	}
	if end := letterMarks(s, i); end > i {
		return end
	}
	begin := i
	if r == ' ' {
		begin++
	}
	if end := punctSymbols(s, begin); end > begin {
		for end < len(s) && isBreak(rune(s[end])) {
			end++
		}
		return end
	}
	if c, _ := at(s, i); c == space {
		return blanks(s, i)
	}
	return i
}

func init() {
	for pattern, match := range map[string]func(s string, i int) int{
		`[\r\n]`:                     one(isBreak),
		`\s?\p{L}+`:                  afterSpace(isLetter),
		`\s?\p{P}+`:                  afterSpace(isPunct),
		`[一-龥ࠀ-一가-퟿]+`:               runOf(isAsian),
		`[一-龥぀-ゟ゠-ヿ]+`:               runOf(isKana),
		`[\p{P}\$\+<=>\^~\|]+`:       runOf(isSign),
		"[\\p{P}\\$\\+<=>\\^~\\|`]+": runOf(isSignOrTick),
		`[0-9][0-9][0-9]`:            threeDigits,
		patternDeepSeekWords:         deepseekWords,
	} {
		scanners[pattern] = withGaps(match)
	}
	scanners[`\p{N}+`] = scanNumbers
}

// patternDeepSeekWords is the third pattern of DeepSeek V3. Source: its tokenizer.json.
const patternDeepSeekWords = `[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_` + "`" + `{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
