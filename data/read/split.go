package read

import (
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"lian/data/document"
)

// pieceBytes is the most text in one record of a long file; pieces end at the
// best break before it.
const pieceBytes = 8 << 10

// blockPieces neighbours of a long file stay on one side of the held-out
// split; a file of more pieces than that is split into blocks, so that one
// book can be both trained on and measured on.
const blockPieces = 16

// Pieces cuts text into parts of at most limit bytes, at blank lines, else at
// line ends, else after a sentence, else between characters. Nothing but
// line ends and blanks at the cuts is lost.
func Pieces(text string, limit int) []string {
	text = strings.Trim(text, "\r\n")
	var out []string
	for len(text) > limit {
		cut := breakBefore(text, limit)
		if piece := strings.TrimRight(text[:cut], "\r\n "); piece != "" {
			out = append(out, piece)
		}
		text = strings.TrimLeft(text[cut:], "\r\n")
	}
	if text != "" {
		out = append(out, text)
	}
	return out
}

func breakBefore(text string, limit int) int {
	window := text[:limit]
	least := limit / 2
	for _, mark := range []string{"\n\n", "\r\n\r\n", "\n", "\r"} {
		if i := strings.LastIndex(window, mark); i >= least {
			return i + len(mark)
		}
	}
	best := 0
	for _, mark := range []string{"。", "！", "？", ". ", "! ", "? ", "；", "; "} {
		if i := strings.LastIndex(window, mark); i >= least {
			best = max(best, i+len(mark))
		}
	}
	if best > 0 {
		return best
	}
	if i := strings.LastIndexByte(window, ' '); i >= least {
		return i + 1
	}
	cut := limit
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return max(cut, 1)
}

// group keeps neighbours together; see blockPieces.
func group(name string, record, records int) string {
	if records <= 2*blockPieces {
		return name
	}
	return fmt.Sprintf("%s#%d", name, record/blockPieces)
}

// plain reads text without mark-up. Heading is a short first line, else the file's name.
func plain(r *Result, text string) {
	pieces := Pieces(newlines(text), pieceBytes)
	for i, piece := range pieces {
		heading, section := firstLine(piece)
		if heading == "" && len(pieces) == 1 {
			heading, section = stem(r.File.Name), piece
		}
		title := heading
		if title == "" {
			title = fmt.Sprintf("%s, part %d", stem(r.File.Name), i+1)
		}
		r.add(document.Document{
			Kind: document.KindText, Title: title, Text: piece, Group: group(r.File.Name, i, len(pieces)),
			Fields: map[string]string{"file": path.Base(r.File.Name), "heading": heading, "section": section},
		}, "txt")
	}
}

// source reads code of any language as text.
func source(r *Result, text string) {
	pieces := Pieces(newlines(text), pieceBytes)
	for i, piece := range pieces {
		r.add(document.Document{
			Kind: document.KindCode, Title: path.Base(r.File.Name), Text: piece, Group: group(r.File.Name, i, len(pieces)),
			Fields: map[string]string{"file": path.Base(r.File.Name)},
		}, "source")
	}
}

// firstLine takes a first line that looks like a heading: short, without an
// end mark, with more text after it.
func firstLine(text string) (heading, rest string) {
	line, rest, more := strings.Cut(strings.TrimLeft(text, "\n"), "\n")
	line, rest = strings.TrimSpace(line), strings.TrimSpace(rest)
	if !more || rest == "" || line == "" || utf8.RuneCountInString(line) > 60 {
		return "", text
	}
	if last, _ := utf8.DecodeLastRuneInString(line); strings.ContainsRune("。！？；，、.!?;,:：", last) {
		return "", text
	}
	return line, rest
}

func stem(name string) string {
	base := path.Base(name)
	return strings.TrimSuffix(base, path.Ext(base))
}

func newlines(text string) string {
	if strings.IndexByte(text, '\r') < 0 {
		return text
	}
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
}
