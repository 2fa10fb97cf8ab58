package tokenizer

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// decoderChain turns ids into text one by one, through the steps of Decode.
type decoderChain struct {
	t     *Tokenizer
	first decoder
}

// decoder is one step: it takes the texts of tokens, or of parts of one long token
// once they are fused, and hands texts on.
type decoder interface {
	token(text string)
	flush()
}

func (c *decoderChain) push(id int32) {
	t := c.t
	if id < 0 || int(id) >= len(t.kind) {
		c.first.token("\ufffd")
		return
	}
	if t.kind[id] == unused {
		return
	}
	if s, ok := c.first.(*sentenceDecoder); ok {
		s.id(id)
		return
	}
	if text, ok := t.shown[id]; ok {
		c.first.token(text)
		return
	}
	c.first.token(t.def.Tokens[id])
}

func (c *decoderChain) flush() { c.first.flush() }

// sink is the end of the chain.
type sink func(string)

func (s sink) token(text string) { s(text) }
func (s sink) flush()            {}

// decoders builds the chain.
func (t *Tokenizer) decoders(raw bool, write func(string)) *decoderChain {
	var next decoder = sink(write)
	steps := t.def.Decode
	fused := make([]bool, len(steps)) // step i gets parts of one token
	for i := 1; i < len(steps); i++ {
		fused[i] = fused[i-1] || steps[i-1].Kind == Fuse || steps[i-1].Kind == ByteLevelDecoding
	}
	for i := len(steps) - 1; i >= 0; i-- {
		next = steps[i].decoder(t, next, fused[i], raw)
	}
	if len(steps) == 0 {
		next = &joinDecoder{next: next}
	}
	return &decoderChain{t, next}
}

// decoder makes one step. New has checked the kinds.
func (d *Decoding) decoder(t *Tokenizer, next decoder, fused, raw bool) decoder {
	switch d.Kind {
	case ByteLevelDecoding:
		return &byteLevelDecoder{next: next, raw: raw}
	case ByteFallbackDecoding:
		return &byteFallbackDecoder{next: next, raw: raw}
	case MetaspaceText:
		return &metaspaceDecoder{next: next, d: d}
	case StripText:
		return &stripDecoder{next: next, d: d, fused: fused}
	case ReplaceText:
		return &replaceDecoder{next: next, find: t.finders[d], d: d, fused: fused}
	case WordPieceText:
		return &wordPieceDecoder{next: next, d: d}
	case BPESuffix:
		return &suffixDecoder{next: next, d: d}
	case CTC:
		return &ctcDecoder{next: next, d: d}
	case SentencePieceDecoding, LlamaDecoding:
		return &sentenceDecoder{t: t, next: next, d: d, raw: raw, begin: true}
	}
	return next // Fuse, PlainDecoding: what comes out is put together anyhow
}

// checkDecoders compiles what the steps need.
func (t *Tokenizer) checkDecoders() error {
	t.finders = map[*Decoding]func([]match, string) []match{}
	for i := range t.def.Decode {
		d := &t.def.Decode[i]
		switch d.Kind {
		case ReplaceText:
			t.finders[d] = byText(d.Pattern)
			if !d.Literal {
				re, err := compilePattern(d.Pattern)
				if err != nil {
					return fmt.Errorf("decoder: step %d: %w", i+1, err)
				}
				t.finders[d] = byRegexp(re)
			}
		case ByteLevelDecoding, ByteFallbackDecoding, MetaspaceText, StripText, WordPieceText, BPESuffix, CTC, Fuse, PlainDecoding:
		case SentencePieceDecoding, LlamaDecoding:
			if i > 0 {
				return fmt.Errorf("decoder: step %d: %q must be the first", i+1, d.Kind)
			}
		default:
			return fmt.Errorf("decoder: step %d: %q is not implemented", i+1, d.Kind)
		}
	}
	return nil
}

// joinDecoder puts blanks between tokens.
type joinDecoder struct {
	next  decoder
	begun bool
}

func (d *joinDecoder) token(text string) {
	if d.begun {
		text = " " + text
	}
	d.begun = true
	d.next.token(text)
}

func (d *joinDecoder) flush() { d.next.flush() }

// byteLevelDecoder reads the byte-level alphabet; half characters wait for their rest.
type byteLevelDecoder struct {
	next decoder
	raw  bool
	held []byte
}

func (d *byteLevelDecoder) token(text string) {
	if b, ok := FromByteLevel(text); ok {
		text = b
	}
	if d.raw {
		d.next.token(text)
		return
	}
	d.held = append(d.held, text...)
	valid, rest := repair(nil, d.held)
	d.held = append(d.held[:0], rest...)
	if len(valid) > 0 {
		d.next.token(string(valid))
	}
}

func (d *byteLevelDecoder) flush() {
	if len(d.held) > 0 {
		d.next.token("\ufffd")
	}
	d.next.flush()
}

// byteFallbackDecoder reads tokens such as <0xE4>. A run of them that is not UTF-8
// as a whole becomes one U+FFFD for each, as in the reference, so that a run is held
// until it ends.
type byteFallbackDecoder struct {
	next decoder
	raw  bool
	held []byte
}

func (d *byteFallbackDecoder) token(text string) {
	if b, ok := byteToken(text); ok {
		d.held = append(d.held, b)
		return
	}
	d.release()
	d.next.token(text)
}

func (d *byteFallbackDecoder) release() {
	if len(d.held) == 0 {
		return
	}
	if d.raw || utf8.Valid(d.held) {
		d.next.token(string(d.held))
	} else {
		for range d.held {
			d.next.token("\ufffd")
		}
	}
	d.held = d.held[:0]
}

func (d *byteFallbackDecoder) flush() {
	d.release()
	d.next.flush()
}

// byteToken is the byte of a token such as <0xE4>.
func byteToken(text string) (byte, bool) {
	if len(text) != 6 || text[:3] != "<0x" || text[5] != '>' {
		return 0, false
	}
	v := 0
	for _, c := range []byte(text[3:5]) {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | int(c-'0')
		case c >= 'A' && c <= 'F':
			v = v<<4 | int(c-'A'+10)
		case c >= 'a' && c <= 'f':
			v = v<<4 | int(c-'a'+10)
		default:
			return 0, false
		}
	}
	return byte(v), true
}

// metaspaceDecoder writes the replacement as a blank, except at the beginning of a
// text that got one.
type metaspaceDecoder struct {
	next  decoder
	d     *Decoding
	begun bool
}

func (d *metaspaceDecoder) token(text string) {
	with := " "
	if !d.begun && d.d.Prepended {
		with = ""
	}
	d.begun = true
	d.next.token(strings.ReplaceAll(text, d.d.Character, with))
}

func (d *metaspaceDecoder) flush() { d.next.flush() }

// stripDecoder takes characters away at the ends of each token, or of the whole.
type stripDecoder struct {
	next  decoder
	d     *Decoding
	fused bool
	taken int  // at the beginning, when fused
	inner bool // past the beginning
	held  int  // characters at the end that may be taken
}

func (d *stripDecoder) token(text string) {
	c := d.d.Character
	if !d.fused {
		for range d.d.Start {
			text = strings.TrimPrefix(text, c)
		}
		for range d.d.Stop {
			text = strings.TrimSuffix(text, c)
		}
		d.next.token(text)
		return
	}
	for !d.inner && d.taken < d.d.Start && strings.HasPrefix(text, c) {
		text = text[len(c):]
		d.taken++
	}
	if text == "" {
		return
	}
	d.inner = true
	if d.d.Stop == 0 || c == "" {
		d.next.token(text)
		return
	}
	text = strings.Repeat(c, d.held) + text
	d.held = 0
	for d.held < d.d.Stop && strings.HasSuffix(text, c) {
		text = text[:len(text)-len(c)]
		d.held++
	}
	if text != "" {
		d.next.token(text)
	}
}

func (d *stripDecoder) flush() { d.next.flush() }

// replaceDecoder replaces matches within each token, or within the whole.
type replaceDecoder struct {
	next  decoder
	find  func([]match, string) []match
	d     *Decoding
	fused bool
	held  string
}

func (d *replaceDecoder) token(text string) {
	if !d.fused {
		d.next.token(d.replace(text))
		return
	}
	d.held += text
	if !d.d.Literal {
		return // an expression may match up to the end
	}
	// All but what may be the beginning of a match.
	keep := 0
	for n := min(len(d.d.Pattern)-1, len(d.held)); n > 0; n-- {
		if strings.HasSuffix(d.held, d.d.Pattern[:n]) {
			keep = n
			break
		}
	}
	if n := len(d.held) - keep; n > 0 {
		d.next.token(d.replace(d.held[:n]))
		d.held = d.held[n:]
	}
}

func (d *replaceDecoder) replace(text string) string {
	var out strings.Builder
	for _, m := range d.find(nil, text) {
		if m.hit {
			out.WriteString(d.d.Content)
		} else {
			out.WriteString(text[m.start:m.end])
		}
	}
	return out.String()
}

func (d *replaceDecoder) flush() {
	if d.held != "" {
		d.next.token(d.replace(d.held))
	}
	d.next.flush()
}

// wordPieceDecoder puts blanks between words.
type wordPieceDecoder struct {
	next  decoder
	d     *Decoding
	begun bool
}

func (d *wordPieceDecoder) token(text string) {
	if d.begun {
		if rest, ok := strings.CutPrefix(text, d.d.Affix); ok {
			text = rest
		} else {
			text = " " + text
		}
	}
	d.begun = true
	if d.d.Cleanup {
		text = cleanup.Replace(text)
	}
	d.next.token(text)
}

func (d *wordPieceDecoder) flush() { d.next.flush() }

// suffixDecoder writes the suffix of a word as a blank, but not at the end.
type suffixDecoder struct {
	next  decoder
	d     *Decoding
	held  string
	begun bool
}

func (d *suffixDecoder) token(text string) {
	if d.begun {
		d.next.token(strings.ReplaceAll(d.held, d.d.Affix, " "))
	}
	d.held, d.begun = text, true
}

func (d *suffixDecoder) flush() {
	if d.begun {
		d.next.token(strings.ReplaceAll(d.held, d.d.Affix, ""))
	}
	d.next.flush()
}

// ctcDecoder drops repeated tokens and padding.
type ctcDecoder struct {
	next  decoder
	d     *Decoding
	last  string
	begun bool
}

func (d *ctcDecoder) token(text string) {
	if d.begun && text == d.last {
		return
	}
	d.last, d.begun = text, true
	text = strings.ReplaceAll(text, d.d.Pad, "")
	if d.d.Cleanup {
		text = strings.ReplaceAll(cleanup.Replace(text), d.d.Delimiter, " ")
	}
	if text != "" {
		d.next.token(text)
	}
}

func (d *ctcDecoder) flush() { d.next.flush() }
