package grammar

import (
	"fmt"
	"strings"
)

// White space and line ends of ECMA-262, as RE2 ranges; RE2's own \s and dot know fewer.
const (
	ecmaSpace    = `\t-\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}`
	ecmaLineEnds = `\n\r\x{2028}\x{2029}`
)

// fromECMA turns a pattern of JSON Schema, which is ECMA-262's, into RE2's syntax with the same meaning, or says what has
// none. Look-around and back references are left for RE2's parser to refuse.
func fromECMA(pattern string) (string, error) {
	var out strings.Builder
	inClass := false
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		switch {
		case c == '\\':
			if i+1 == len(pattern) {
				return "", fmt.Errorf("%s ends in a backslash", pattern)
			}
			i++
			text, used, err := ecmaEscape(pattern[i:], inClass)
			if err != nil {
				return "", fmt.Errorf("%s: %w", pattern, err)
			}
			out.WriteString(text)
			i += used - 1
		case inClass:
			if c == ']' {
				inClass = false
			}
			if c == '[' {
				out.WriteByte('\\')
			}
			out.WriteByte(c)
		case c == '[':
			inClass = true
			out.WriteByte(c)
			rest := pattern[i+1:]
			if strings.HasPrefix(rest, "]") || strings.HasPrefix(rest, "^]") {
				return "", fmt.Errorf("%s: an empty class [] is not supported", pattern)
			}
		case c == '.':
			out.WriteString(`[^` + ecmaLineEnds + `]`)
		case c == '(' && strings.HasPrefix(pattern[i:], "(?") && !strings.HasPrefix(pattern[i:], "(?:") && !strings.HasPrefix(pattern[i:], "(?<"):
			return "", fmt.Errorf("%s: look-around and flags are not supported", pattern)
		default:
			out.WriteByte(c)
		}
	}
	return out.String(), nil
}

// ecmaEscape translates what follows a backslash and returns how many bytes it used.
func ecmaEscape(rest string, inClass bool) (text string, used int, err error) {
	switch c := rest[0]; c {
	case 'u', 'x':
		n := 4
		if c == 'x' {
			n = 2
		}
		if len(rest) < n+1 || strings.Trim(rest[1:n+1], "0123456789abcdefABCDEF") != "" {
			return "", 0, fmt.Errorf(`\%c needs %d hexadecimal digits`, c, n)
		}
		digits := rest[1 : n+1]
		if n == 4 && strings.ContainsAny(digits[:1], "dD") && strings.ContainsAny(digits[1:2], "89abcdefABCDEF") {
			return "", 0, fmt.Errorf(`\u%s is half of a surrogate pair; write the character itself`, digits)
		}
		return `\x{` + digits + `}`, n + 1, nil
	case 's', 'S':
		switch {
		case !inClass && c == 's':
			return `[` + ecmaSpace + `]`, 1, nil
		case !inClass:
			return `[^` + ecmaSpace + `]`, 1, nil
		case c == 's':
			return ecmaSpace, 1, nil
		}
		return "", 0, fmt.Errorf(`\S within a class is not supported`)
	case 'd', 'D', 'w', 'W', 'n', 'r', 't', 'f', 'v', 'b', 'B':
		if inClass && (c == 'b' || c == 'B') {
			return `\x08`, 1, nil
		}
		return `\` + rest[:1], 1, nil
	case '0':
		return `\x00`, 1, nil
	case '1', '2', '3', '4', '5', '6', '7', '8', '9', 'k':
		return "", 0, fmt.Errorf(`back reference \%c is not supported`, c)
	case 'p', 'P':
		return `\` + rest[:1], 1, nil // the name in braces follows; RE2 knows general categories and scripts
	case 'c':
		if len(rest) < 2 || !('a' <= rest[1]|0x20 && rest[1]|0x20 <= 'z') {
			return "", 0, fmt.Errorf(`\c needs a letter`)
		}
		return fmt.Sprintf(`\x%02x`, rest[1]&31), 2, nil
	default:
		if c < 0x80 && !('0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z') {
			return `\` + rest[:1], 1, nil
		}
		if c >= 0x80 {
			return "", 1, fmt.Errorf("a backslash before a character that is not ASCII")
		}
		return "", 0, fmt.Errorf(`\%c is not supported`, c)
	}
}
