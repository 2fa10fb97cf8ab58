package tokenizer

import "unicode/utf8"

// scanGPT2 is PatternGPT2.
func scanGPT2(s string, i int) int {
	if s[i] == '\'' {
		if n := contraction(s[i+1:], false); n > 0 {
			return i + 1 + n
		}
	}
	c, n := at(s, i)
	if s[i] == ' ' && i+1 < len(s) {
		if next, m := at(s, i+1); next != space {
			return run(s, i+1+m, next)
		}
	}
	if c != space {
		return run(s, i+n, c)
	}
	return spaces(s, i)
}

// spaces is `\s+(?!\S)|\s+`: white space without its last character, which belongs
// to the word that follows, unless it is alone or ends the text.
func spaces(s string, i int) int {
	end, last := i, i
	for end < len(s) {
		c, n := at(s, end)
		if c != space {
			break
		}
		last = end
		end += n
	}
	if end == len(s) || last == i {
		return end
	}
	return last
}

// scanCL100K is PatternLlama3 with numbers of at most the given count of digits;
// PatternQwen2 has 1.
func scanCL100K(s string, i, digits int) int {
	if s[i] == '\'' {
		if n := contraction(s[i+1:], true); n > 0 {
			return i + 1 + n
		}
	}
	c, n := at(s, i)
	switch c {
	case letter:
		return run(s, i+n, letter)
	case number:
		i += n
		for range digits - 1 {
			if i == len(s) {
				break
			}
			c, n := at(s, i)
			if c != number {
				break
			}
			i += n
		}
		return i
	}
	next, m := other, 0
	if i+n < len(s) {
		next, m = at(s, i+n)
	}
	if m > 0 && next == letter && s[i] != '\r' && s[i] != '\n' {
		return run(s, i+n+m, letter) // one leading character, space or sign
	}
	if c == other || s[i] == ' ' && m > 0 && next == other {
		end := run(s, i+n, other)
		for end < len(s) && (s[end] == '\r' || s[end] == '\n') {
			end++
		}
		return end
	}
	// White space: up to the last line break in the run, if there is one.
	for end := run(s, i, space); end > i; end-- {
		if s[end-1] == '\r' || s[end-1] == '\n' {
			return end
		}
	}
	return spaces(s, i)
}

// contraction is the length of an English contraction's letters at the start of s
// (after the apostrophe), 0 if there is none: s t m d re ve ll.
func contraction(s string, fold bool) int {
	if s == "" {
		return 0
	}
	a := s[0]
	if fold {
		a = lower(a)
		// Case folding also takes U+017F (long s) for s.
		if r, n := utf8.DecodeRuneInString(s); r == 'ſ' {
			return n
		}
	}
	switch a {
	case 's', 't', 'm', 'd':
		return 1
	}
	if len(s) < 2 {
		return 0
	}
	b := s[1]
	if fold {
		b = lower(b)
	}
	if (a == 'r' || a == 'v') && b == 'e' || a == 'l' && b == 'l' {
		return 2
	}
	return 0
}

func lower(b byte) byte {
	if b >= 'A' && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}

// scanDigits isolates each number character: `\p{N}` and what lies between.
func scanDigits(s string, i int) int {
	c, n := at(s, i)
	if c == number {
		return i + n
	}
	for i += n; i < len(s); i += n {
		if c, n = at(s, i); c == number {
			break
		}
	}
	return i
}

// scanDigits3 isolates numbers of up to three characters and what lies between.
func scanDigits3(s string, i int) int {
	if c, _ := at(s, i); c != number {
		return scanDigits(s, i)
	}
	for range 3 {
		if i == len(s) {
			break
		}
		c, n := at(s, i)
		if c != number {
			break
		}
		i += n
	}
	return i
}

// scanNumbers isolates runs of number characters: `\p{N}+` and what lies between.
func scanNumbers(s string, i int) int {
	c, _ := at(s, i)
	if c == number {
		return run(s, i, number)
	}
	return scanDigits(s, i)
}

// scanLines isolates lines and runs of line breaks.
func scanLines(s string, i int) int {
	breaks := s[i] == '\n'
	for i < len(s) && (s[i] == '\n') == breaks {
		i++
	}
	return i
}
