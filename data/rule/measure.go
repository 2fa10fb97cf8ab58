package rule

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// measures are the rules' names and what each measures: pure functions of the
// text. An empty text measures 0 everywhere.
var measures = map[string]func(*Text) float64{
	"word_count":                wordCount,
	"mean_word_length":          meanWordLength,
	"hash_ratio":                func(t *Text) float64 { return per(strings.Count(t.Text, "#"), len(t.Words)) },
	"ellipsis_ratio":            ellipsisRatio,
	"alphabetic_words":          alphabeticWords,
	"symbol_ratio":              symbolRatio,
	"digit_ratio":               digitRatio,
	"replacement_ratio":         replacementRatio,
	"bullet_lines":              bulletLines,
	"ellipsis_lines":            ellipsisLines,
	"sentence_end_lines":        sentenceEndLines,
	"duplicate_lines":           func(t *Text) float64 { n, _ := duplicates(t.Lines); return per(n, len(t.Lines)) },
	"duplicate_line_chars":      func(t *Text) float64 { _, n := duplicates(t.Lines); return per(n, t.Runes) },
	"duplicate_paragraphs":      func(t *Text) float64 { n, _ := duplicates(t.Paragraphs); return per(n, len(t.Paragraphs)) },
	"duplicate_paragraph_chars": func(t *Text) float64 { _, n := duplicates(t.Paragraphs); return per(n, t.Runes) },
	"top_2gram_chars":           func(t *Text) float64 { return topNGram(t, 2) },
	"top_3gram_chars":           func(t *Text) float64 { return topNGram(t, 3) },
	"top_4gram_chars":           func(t *Text) float64 { return topNGram(t, 4) },
	"duplicate_5gram_chars":     func(t *Text) float64 { return duplicateNGrams(t, 5) },
	"duplicate_6gram_chars":     func(t *Text) float64 { return duplicateNGrams(t, 6) },
	"duplicate_7gram_chars":     func(t *Text) float64 { return duplicateNGrams(t, 7) },
	"duplicate_8gram_chars":     func(t *Text) float64 { return duplicateNGrams(t, 8) },
	"duplicate_9gram_chars":     func(t *Text) float64 { return duplicateNGrams(t, 9) },
	"duplicate_10gram_chars":    func(t *Text) float64 { return duplicateNGrams(t, 10) },
}

func per(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// wordCount counts words that are not punctuation only.
func wordCount(t *Text) float64 {
	n := 0
	for _, w := range t.Words {
		if !w.Symbol {
			n++
		}
	}
	return float64(n)
}

// meanWordLength is in characters, over words that are not punctuation only.
func meanWordLength(t *Text) float64 {
	n, sum := 0, 0
	for _, w := range t.Words {
		if !w.Symbol {
			n++
			sum += w.Runes
		}
	}
	return per(sum, n)
}

func ellipsisRatio(t *Text) float64 {
	return per(strings.Count(t.Text, "...")+strings.Count(t.Text, "…"), len(t.Words))
}

// alphabeticWords is the share of words with a letter; Han counts as a letter.
func alphabeticWords(t *Text) float64 {
	n := 0
	for _, w := range t.Words {
		if w.Letter {
			n++
		}
	}
	return per(n, len(t.Words))
}

// symbolRatio is the share of characters that are neither letters, digits,
// blanks nor ordinary punctuation of prose.
func symbolRatio(t *Text) float64 {
	n := 0
	for _, r := range t.Text {
		if class(r) == other && !strings.ContainsRune(".,;:!?'\"()-—–…“”‘’、，。；：！？（）《》「」『』·【】", r) {
			n++
		}
	}
	return per(n, t.Runes)
}

// digitRatio is the share of characters that are digits.
func digitRatio(t *Text) float64 {
	n := 0
	for _, r := range t.Text {
		if unicode.IsDigit(r) {
			n++
		}
	}
	return per(n, t.Runes)
}

// replacementRatio is the share of characters that stand for lost ones: U+FFFD
// and □, which editions of old texts print for an unreadable character.
func replacementRatio(t *Text) float64 {
	return per(strings.Count(t.Text, "\uFFFD")+strings.Count(t.Text, "□"), t.Runes)
}

func bulletLines(t *Text) float64 {
	return lineShare(t, func(line string) bool {
		line = strings.TrimLeftFunc(line, unicode.IsSpace)
		return strings.HasPrefix(line, "•") || strings.HasPrefix(line, "-")
	})
}

func ellipsisLines(t *Text) float64 {
	return lineShare(t, func(line string) bool {
		line = strings.TrimRightFunc(line, unicode.IsSpace)
		return strings.HasSuffix(line, "...") || strings.HasSuffix(line, "…")
	})
}

// lineShare is over all lines, blank ones too, as the Gopher rules have it.
func lineShare(t *Text, is func(string) bool) float64 {
	n, all := 0, 0
	for line := range strings.Lines(t.Text) {
		all++
		if is(line) {
			n++
		}
	}
	return per(n, all)
}

// sentenceEndLines is the share of lines, without blank ones, that end like a
// sentence, in English or Chinese.
func sentenceEndLines(t *Text) float64 {
	n, all := 0, 0
	for _, line := range t.Lines {
		if strings.TrimSpace(line) == "" {
			continue
		}
		all++
		if r, _ := utf8.DecodeLastRuneInString(line); strings.ContainsRune(".?!\"'”’。！？…：；」』）》", r) {
			n++
		}
	}
	return per(n, all)
}

// duplicates counts the parts that occurred before, and their characters.
func duplicates(parts []string) (count, runes int) {
	if len(parts) < 2 {
		return 0, 0
	}
	seen := make(map[string]struct{}, len(parts))
	for _, part := range parts {
		if _, ok := seen[part]; ok {
			count++
			runes += utf8.RuneCountInString(part)
		}
		seen[part] = struct{}{}
	}
	return count, runes
}

// topNGram is the share of the text's characters in its most frequent word
// n-gram, occurrences counted as if joined by blanks (the first in the text of
// equally frequent ones).
func topNGram(t *Text, n int) float64 {
	if len(t.Words) < n {
		return 0
	}
	counts := make(map[uint64]int32, len(t.Words))
	best, bestCount := 0, int32(0)
	first := make(map[uint64]int, len(t.Words))
	for i := 0; i+n <= len(t.Words); i++ {
		key := gram(t.Words[i : i+n])
		counts[key]++
		if _, ok := first[key]; !ok {
			first[key] = i
		}
		if c := counts[key]; c > bestCount || c == bestCount && first[key] < best {
			best, bestCount = first[key], c
		}
	}
	length := n - 1
	for _, w := range t.Words[best : best+n] {
		length += w.Runes
	}
	return per(length*int(bestCount), t.Runes)
}

// duplicateNGrams is the share of characters in n-grams that occurred before,
// counted without overlap.
func duplicateNGrams(t *Text, n int) float64 {
	seen := make(map[uint64]struct{}, len(t.Words))
	repeated := 0
	for i := 0; i+n <= len(t.Words); {
		key := gram(t.Words[i : i+n])
		if _, ok := seen[key]; ok {
			for _, w := range t.Words[i : i+n] {
				repeated += w.Runes
			}
			i += n
			continue
		}
		seen[key] = struct{}{}
		i++
	}
	return per(repeated, t.Runes)
}

// gram hashes words in order.
func gram(words []Word) uint64 {
	h := uint64(fnvOffset)
	for _, w := range words {
		h = (h ^ w.Hash) * 0x9e3779b97f4a7c15
		h ^= h >> 29
	}
	return h
}
