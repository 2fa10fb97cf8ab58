package lineedit

import (
	"strings"
	"unicode/utf8"
)

// key is something typed: text, or one of the names below.
type key struct {
	name string
	text string // of typed, and of paste
}

// Names of keys.
const (
	typed       = "typed"
	pasted      = "pasted"
	enter       = "enter"
	newline     = "newline" // Alt-Enter, Shift-Enter, Ctrl-J
	left        = "left"
	right       = "right"
	wordLeft    = "word left"
	wordRight   = "word right"
	up          = "up"
	down        = "down"
	home        = "home"
	end         = "end"
	backspace   = "backspace"
	remove      = "delete"
	killLeft    = "kill left"
	killRight   = "kill right"
	killWord    = "kill word"
	killWordFwd = "kill word right"
	yank        = "yank"
	transpose   = "transpose"
	clear       = "clear"
	tab         = "tab"
	interrupt   = "interrupt" // Ctrl-C where it comes as a letter
	endOfInput  = "end of input"
	nothing     = ""
)

var controls = map[byte]string{1: home, 2: left, 3: interrupt, 4: endOfInput, 5: end, 6: right, 8: backspace, 9: tab, '\n': newline, 11: killRight, 12: clear, '\r': enter,
	14: down, 16: up, 20: transpose, 21: killLeft, 23: killWord, 25: yank, 127: backspace}

// sequences are what terminals send after ESC (xterm, VT220, and kitty's protocol for Shift-Enter).
var sequences = map[string]string{
	"[A": up, "[B": down, "[C": right, "[D": left, "[H": home, "[F": end, "OA": up, "OB": down, "OC": right, "OD": left, "OH": home, "OF": end,
	"[1~": home, "[4~": end, "[7~": home, "[8~": end, "[3~": remove,
	"[1;5C": wordRight, "[1;5D": wordLeft, "[1;3C": wordRight, "[1;3D": wordLeft, "b": wordLeft, "f": wordRight, "d": killWordFwd, "\x7f": killWord, "\b": killWord,
	"\r": newline, "\n": newline, "[13;2u": newline, "[13;3u": newline, "[27;2;13~": newline, "[27;3;13~": newline,
}

const (
	pasteBegins = "\x1b[200~"
	pasteEnds   = "\x1b[201~"
)

// next takes the key that input begins with. n is its length; 0: more must come.
func next(input string) (k key, n int) {
	switch c := input[0]; {
	case strings.HasPrefix(input, pasteBegins):
		at := strings.Index(input, pasteEnds)
		if at < 0 {
			return k, 0
		}
		return key{pasted, input[len(pasteBegins):at]}, at + len(pasteEnds)
	case c == 0x1b:
		return escape(input)
	case c < ' ' || c == 0x7f:
		return key{name: controls[c]}, 1
	}
	n = 0
	for n < len(input) && input[n] >= ' ' && input[n] != 0x7f {
		n++
	}
	text := input[:n]
	if n == len(input) { // a letter may come in two parts
		for cut := 1; cut < utf8.UTFMax && cut <= n; cut++ {
			if tail := text[n-cut:]; utf8.RuneStart(tail[0]) {
				if !utf8.FullRuneInString(tail) {
					n -= cut
				}
				break
			}
		}
	}
	if n == 0 {
		return k, 0
	}
	return key{typed, strings.ToValidUTF8(text[:n], "\uFFFD")}, n
}

// escape is a key that begins with ESC. An unknown sequence is no key, and none of it becomes text.
func escape(input string) (k key, n int) {
	if len(input) == 1 {
		return k, 0
	}
	if input[1] != '[' && input[1] != 'O' {
		_, n = utf8.DecodeRuneInString(input[1:])
		return key{name: sequences[input[1:1+n]]}, 1 + n
	}
	for n = 2; n < len(input); n++ {
		if c := input[n]; c >= 0x40 && c <= 0x7e {
			return key{name: sequences[input[1:n+1]]}, n + 1
		} else if c < ' ' || c > 0x7e {
			return k, n
		}
	}
	return k, 0
}
