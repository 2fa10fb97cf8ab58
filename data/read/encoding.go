package read

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

// Decoded is a file's text in UTF-8.
type Decoded struct {
	Text     string
	Encoding string // "" for UTF-8 without a mark
	Repaired int    // runs of invalid bytes replaced by one U+FFFD each
}

// Refused says why bytes are not text.
type Refused struct{ Reason, Detail string }

func (r *Refused) Error() string { return r.Reason + ": " + r.Detail }

// signatures of files that are not text whatever their name says.
var signatures = []struct{ prefix, what string }{
	{"PK\x03\x04", "a zip container (.docx, .xlsx, .epub, .zip …)"}, {"%PDF-", "PDF"}, {"\xd0\xcf\x11\xe0", "an old office document"},
	{"\x7fELF", "an executable"}, {"MZ\x90", "an executable"}, {"\x89PNG", "a PNG picture"}, {"\xff\xd8\xff", "a JPEG picture"},
	{"GIF8", "a GIF picture"}, {"\x1f\x8b", "gzip data"}, {"BZh9", "bzip2 data"}, {"\xfd7zXZ", "xz data"}, {"\x28\xb5\x2f\xfd", "zstd data"},
	{"SQLite format 3\x00", "an SQLite database"}, {"{\\rtf", "rich text (.rtf)"}, {"7z\xbc\xaf", "a 7z archive"}, {"Rar!", "a rar archive"},
}

// Decode finds the encoding of a file's bytes and gives its text: UTF-8, UTF-16
// and UTF-32 (by mark, UTF-16 also by its zero bytes), GB18030 (and so GBK and
// GB2312), Big5, Windows-1252. Mostly valid UTF-8 with a few bad bytes is
// repaired and the repairs are counted. Anything else is Refused.
func Decode(content []byte) (Decoded, error) {
	if len(content) == 0 {
		return Decoded{}, &Refused{Empty, "0 bytes"}
	}
	for _, s := range signatures {
		if bytes.HasPrefix(content, []byte(s.prefix)) {
			return Decoded{}, &Refused{Unsupported, "the content is " + s.what + "; save it as text, Markdown or HTML"}
		}
	}
	if d, ok := byMark(content); ok {
		return d, nil
	}
	if utf8.Valid(content) && bytes.IndexByte(content, 0) < 0 {
		return Decoded{Text: string(content)}, nil
	}
	if bytes.IndexByte(content, 0) >= 0 {
		if order, ok := wideWithoutMark(content); ok {
			name := "utf-16-le"
			if order == binary.BigEndian {
				name = "utf-16-be"
			}
			return Decoded{Text: wide(content, order), Encoding: name}, nil
		}
		if zeros := bytes.Count(content, []byte{0}); zeros*100 > len(content) || !utf8.Valid(content) {
			return Decoded{}, &Refused{Binary, fmt.Sprintf("%d zero bytes", zeros)}
		}
		return Decoded{Text: string(content)}, nil // a stray zero byte is a control character: cleaning takes it out
	}
	return legacy(content)
}

func byMark(content []byte) (Decoded, bool) {
	switch {
	case bytes.HasPrefix(content, []byte{0xef, 0xbb, 0xbf}):
		d := repair(content[3:])
		d.Encoding = "utf-8-bom"
		return d, true
	case bytes.HasPrefix(content, []byte{0xff, 0xfe, 0, 0}) && len(content)%4 == 0:
		return Decoded{Text: wide32(content[4:], binary.LittleEndian), Encoding: "utf-32"}, true
	case bytes.HasPrefix(content, []byte{0, 0, 0xfe, 0xff}) && len(content)%4 == 0:
		return Decoded{Text: wide32(content[4:], binary.BigEndian), Encoding: "utf-32"}, true
	case bytes.HasPrefix(content, []byte{0xff, 0xfe}):
		return Decoded{Text: wide(content[2:], binary.LittleEndian), Encoding: "utf-16"}, true
	case bytes.HasPrefix(content, []byte{0xfe, 0xff}):
		return Decoded{Text: wide(content[2:], binary.BigEndian), Encoding: "utf-16"}, true
	}
	return Decoded{}, false
}

// wideWithoutMark recognises UTF-16 by blanks, line ends and ASCII letters:
// their high bytes are zero, always on the same side.
func wideWithoutMark(content []byte) (binary.ByteOrder, bool) {
	if len(content)%2 != 0 {
		return nil, false
	}
	var even, odd int
	for i, b := range content[:min(len(content), 1<<16)] {
		if b == 0 {
			if i%2 == 0 {
				even++
			} else {
				odd++
			}
		}
	}
	switch {
	case odd > 0 && even*20 <= odd && plausible(wide(content, binary.LittleEndian)):
		return binary.LittleEndian, true
	case even > 0 && odd*20 <= even && plausible(wide(content, binary.BigEndian)):
		return binary.BigEndian, true
	}
	return nil, false
}

// plausible: nothing but assigned, printing characters.
func plausible(text string) bool {
	var bad, all int
	for _, r := range text {
		all++
		if r == unicode.ReplacementChar || (unicode.IsControl(r) && !unicode.IsSpace(r)) || !unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.Cc, unicode.Cf) {
			bad++
		}
	}
	return all > 0 && bad*100 <= all
}

func wide(content []byte, order binary.ByteOrder) string {
	units := make([]uint16, len(content)/2)
	for i := range units {
		units[i] = order.Uint16(content[2*i:])
	}
	return string(utf16.Decode(units))
}

func wide32(content []byte, order binary.ByteOrder) string {
	var b strings.Builder
	for i := 0; i+4 <= len(content); i += 4 {
		if r := order.Uint32(content[i:]); r <= unicode.MaxRune {
			b.WriteRune(rune(r))
		} else {
			b.WriteRune(unicode.ReplacementChar)
		}
	}
	return b.String()
}

// legacy decodes bytes that are neither UTF-8 nor wide.
func legacy(content []byte) (Decoded, error) {
	var valid, invalid int // multi-byte characters, bad bytes
	for rest := content; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		if r == utf8.RuneError && size <= 1 {
			invalid++
		} else if size > 1 {
			valid++
		}
		rest = rest[max(size, 1):]
	}
	if valid > 2*invalid {
		return repair(content), nil
	}
	gb, gbScore := chinese(content, simplifiedchinese.GB18030)
	big5, big5Score := chinese(content, traditionalchinese.Big5)
	switch {
	case gbScore >= 0.5 && gbScore >= big5Score:
		return Decoded{Text: gb, Encoding: "gb18030"}, nil
	case big5Score >= 0.5:
		return Decoded{Text: big5, Encoding: "big5"}, nil
	}
	if invalid*4 <= len(content) {
		if western, err := charmap.Windows1252.NewDecoder().Bytes(content); err == nil && letters(string(western)) {
			return Decoded{Text: string(western), Encoding: "windows-1252"}, nil
		}
	}
	if invalid*100 <= len(content) {
		return repair(content), nil
	}
	return Decoded{}, &Refused{BadEncoding, fmt.Sprintf("%d of %d bytes are not UTF-8, and it is not UTF-16, GB18030 or Big5; convert it to UTF-8", invalid, len(content))}
}

// chinese decodes and scores: the share of characters beyond ASCII that are in
// daily use (GB 2312 level one, which both scripts of Chinese mostly stay in,
// and Chinese punctuation). A wrong guess gives rare characters.
func chinese(content []byte, e encoding.Encoding) (string, float64) {
	decoded, err := e.NewDecoder().Bytes(content)
	if err != nil {
		return "", 0
	}
	var common, beyond int
	for _, r := range string(decoded) {
		switch {
		case r < 0x80:
		case r == unicode.ReplacementChar || unicode.Is(unicode.Co, r):
			return "", 0
		default:
			beyond++
			if daily(r) {
				common++
			}
		}
	}
	if beyond == 0 {
		return "", 0
	}
	return string(decoded), float64(common) / float64(beyond)
}

func daily(r rune) bool {
	if r >= 0x3000 && r <= 0x301f || r >= 0xff01 && r <= 0xff5e || r == '“' || r == '”' || r == '‘' || r == '’' || r == '…' || r == '—' || r == '·' {
		return true
	}
	if _, ok := dailyCharacters()[r]; ok {
		return true
	}
	// GB18030 holds every script; bytes that are something else hardly ever
	// decode to the letters of one without an error.
	return unicode.In(r, unicode.Hiragana, unicode.Katakana, unicode.Cyrillic, unicode.Greek, unicode.Hangul, unicode.Latin)
}

// dailyCharacters are the 3755 characters of GB 2312's first level, and the
// 5401 of Big5's first level: both standards put what is used most there.
var dailyCharacters = sync.OnceValue(func() map[rune]struct{} {
	set := map[rune]struct{}{}
	collect := func(e encoding.Encoding, from, to byte, trails [][2]byte) {
		decoder := e.NewDecoder()
		for lead := int(from); lead <= int(to); lead++ {
			for _, span := range trails {
				for trail := int(span[0]); trail <= int(span[1]); trail++ {
					if s, err := decoder.Bytes([]byte{byte(lead), byte(trail)}); err == nil {
						if r, _ := utf8.DecodeRune(s); unicode.Is(unicode.Han, r) {
							set[r] = struct{}{}
						}
					}
				}
			}
		}
	}
	collect(simplifiedchinese.GBK, 0xb0, 0xd7, [][2]byte{{0xa1, 0xfe}})
	collect(traditionalchinese.Big5, 0xa4, 0xc6, [][2]byte{{0x40, 0x7e}, {0xa1, 0xfe}})
	return set
})

// letters: what is beyond ASCII is nearly all letters of western Europe or its punctuation.
func letters(text string) bool {
	var good, beyond int
	for _, r := range text {
		if r >= 0x80 {
			beyond++
			if unicode.IsLetter(r) || unicode.IsPunct(r) || r == '€' || r == '°' || r == '£' || r == 0xa0 {
				good++
			}
		}
	}
	return beyond > 0 && good*10 >= beyond*9
}

// repair replaces each run of invalid bytes by one U+FFFD.
func repair(content []byte) Decoded {
	if utf8.Valid(content) {
		return Decoded{Text: string(content)}
	}
	var d Decoded
	var b strings.Builder
	inside := false
	for rest := content; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		if r == utf8.RuneError && size <= 1 {
			if !inside {
				b.WriteRune(unicode.ReplacementChar)
				d.Repaired++
			}
			inside, size = true, 1
		} else {
			b.Write(rest[:size])
			inside = false
		}
		rest = rest[size:]
	}
	d.Text = b.String()
	return d
}
