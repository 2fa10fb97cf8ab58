package chat

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
)

// Places where a part may begin.
const (
	atReplyStart = "start"
	atLineStart  = "line"
)

// ReplyParser reads a reply as it comes. However the text is cut, the texts of
// its events join to the same and the calls are the same: what might be the
// start of a mark, and blanks that might stand before one, are held back. Blanks
// around calls and thoughts are dropped; text without them is kept byte for
// byte. A call whose closing mark is missing at the end is a call if it is
// complete.
type ReplyParser struct {
	dialect *Dialect
	ParserOptions
	emit func(ReplyEvent)

	pending []byte // read, not yet decided
	in      *part  // the part being read; nil: plain text
	first   bool   // nothing but blanks has been read
	line    bool   // pending begins a line
	trim    bool   // drop blanks that come next
	done    bool   // the rest is not the model's
	called  bool   // a call or a thought has been seen
	another bool   // a call without marks has been read; what stands between two may follow
	calls   int    // how many were emitted

	scanned int  // bytes of pending already looked at, inside a call
	quoted  bool // inside a call: within a JSON text, where marks are no marks
	depth   int  // inside a call without marks: open braces

	written map[EventKind]bool // text of this kind was emitted
	apart   map[EventKind]bool // and something stands between it and what comes
}

// NewParser gives a parser that calls emit for every event, in order.
func (d *Dialect) NewParser(o ParserOptions, emit func(ReplyEvent)) *ReplyParser {
	p := &ReplyParser{dialect: d, ParserOptions: o, emit: emit, first: true, line: true, written: map[EventKind]bool{}, apart: map[EventKind]bool{}}
	if begun := d.Primed(o.Prompt); begun != "" {
		p.Push(begun)
	}
	return p
}

// Push reads more of the reply.
func (p *ReplyParser) Push(text string) {
	p.pending = append(p.pending, text...)
	p.advance(false)
}

// Flush ends the reply and emits what was held back.
func (p *ReplyParser) Flush() {
	p.advance(true)
	p.pending = nil
}

func (p *ReplyParser) advance(end bool) {
	for more := true; more && !p.done; {
		switch {
		case p.in != nil && p.in.Kind == partCall:
			more = p.call(end)
		default:
			more = p.text(end)
		}
	}
	if p.done {
		p.pending = nil
	}
}

// kind of the text being read.
func (p *ReplyParser) kind() EventKind {
	if p.in != nil && p.in.Kind == partReasoning {
		return ReplyReasoning
	}
	return ReplyContent
}

// say emits text. Words before and after something else must not run together.
func (p *ReplyParser) say(text string) {
	if text == "" {
		return
	}
	kind := p.kind()
	if p.apart[kind] && p.written[kind] {
		text = "\n" + text
	}
	p.written[kind], p.apart[kind] = true, false
	p.emit(ReplyEvent{Kind: kind, Text: text})
}

// drop takes n bytes off pending.
func (p *ReplyParser) drop(n int) {
	if n > 0 {
		p.line = p.pending[n-1] == '\n'
	}
	p.pending = p.pending[n:]
}

// turn goes on with another part after n bytes.
func (p *ReplyParser) turn(to *part, n int) {
	p.drop(n)
	for _, kind := range []EventKind{ReplyContent, ReplyReasoning} {
		p.apart[kind] = true
	}
	p.in, p.trim, p.first, p.called = to, true, false, true
	p.scanned, p.quoted, p.depth = 0, false, 0
}

// text reads plain text, a thought, or an answer with a mark before it.
func (p *ReplyParser) text(end bool) bool {
	if p.trim || p.first {
		blanks := len(p.pending) - len(bytes.TrimLeftFunc(p.pending, unicode.IsSpace))
		switch {
		case p.trim:
			p.drop(blanks)
			p.trim = len(p.pending) == 0
		case blanks == len(p.pending) && !end:
			return false // the start is not over
		}
	}
	if p.first && p.in == nil {
		if dropped, wait := p.separator(end); dropped || wait {
			return dropped
		}
		if bare, wait := p.bare(end); wait {
			return false
		} else if bare != nil {
			blanks := len(p.pending) - len(bytes.TrimLeftFunc(p.pending, unicode.IsSpace))
			p.drop(blanks)
			p.in, p.scanned, p.quoted, p.depth = bare, 0, false, 0
			return true
		}
	}
	at, m, wait := p.next(0, end)
	if m == nil {
		keep := len(p.pending)
		if !end {
			keep = len(bytes.TrimRightFunc(p.pending[:wait], unicode.IsSpace))
		}
		text := string(p.pending[:keep])
		if end && (p.called || p.in != nil) {
			text = strings.TrimRightFunc(text, unicode.IsSpace)
		}
		if strings.TrimSpace(text) != "" {
			p.first = false
		}
		p.say(text)
		p.drop(keep)
		return false
	}
	before := string(p.pending[:at])
	switch m.role {
	case markEnd: // counts only where nothing follows
		rest := bytes.TrimSpace(p.pending[at+len(m.text):])
		if len(rest) == 0 && !end {
			p.hold(at)
			return false
		}
		if len(rest) == 0 {
			if p.called {
				before = strings.TrimRightFunc(before, unicode.IsSpace)
			}
			p.say(before)
			p.done = true
			return false
		}
		p.say(string(p.pending[:at+len(m.text)]))
		p.drop(at + len(m.text))
		p.first = false
		return true
	case markCut:
		p.say(strings.TrimRightFunc(before, unicode.IsSpace))
		p.done = true
		return false
	}
	if text := strings.TrimRightFunc(before, unicode.IsSpace); text != "" {
		p.say(text)
	}
	p.turn(m.part, at+len(m.text))
	return true
}

// hold emits what stands before byte at and the blanks before that.
func (p *ReplyParser) hold(at int) {
	keep := len(bytes.TrimRightFunc(p.pending[:at], unicode.IsSpace))
	if keep > 0 {
		p.say(string(p.pending[:keep]))
		p.drop(keep)
		p.first = false
	}
}

// Roles of a mark.
const (
	markOpen  = iota // a part begins
	markClose        // the part ends
	markSkip         // means nothing
	markEnd
	markCut
)

type mark struct {
	text  string
	role  int
	part  *part // what is read after it
	line  bool  // only where a line begins
	first bool  // only where the reply begins
}

// marks are those that count in the state the parser is in.
func (p *ReplyParser) marks() []mark {
	var marks []mark
	d := p.dialect
	if p.in != nil {
		for _, text := range p.in.Close {
			marks = append(marks, mark{text: text, role: markClose})
		}
	}
	for _, text := range d.Cut {
		marks = append(marks, mark{text: text, role: markCut, line: true})
	}
	for _, text := range d.End {
		marks = append(marks, mark{text: text, role: markEnd})
	}
	if p.in != nil && len(p.in.Close) > 0 && (p.in.Kind != partCall || !p.in.json()) {
		return marks // nothing begins within it
	}
	for i := range d.Parts {
		if q := &d.Parts[i]; q.Open != "" && !(p.TextOnly && q.Kind == partCall) && (q.At != atReplyStart || p.first) {
			marks = append(marks, mark{text: q.Open, part: q, line: q.At == atLineStart, first: q.At == atReplyStart})
		}
	}
	skip := d.Skip
	if !p.TextOnly {
		skip = slices.Concat(skip, d.Group)
	}
	for _, text := range skip {
		marks = append(marks, mark{text: text, role: markSkip})
	}
	return marks
}

// next finds the first mark at or after byte from, of those that begin at one
// place the longest. Without one, wait is where text begins that may become one.
func (p *ReplyParser) next(from int, end bool) (at int, found *mark, wait int) {
	marks := p.marks()
	for i := from; i < len(p.pending); i++ {
		found, open := p.markAt(marks, i)
		if open && !end {
			return 0, nil, i
		}
		if found != nil {
			return i, found, 0
		}
	}
	return 0, nil, len(p.pending)
}

// markAt is the longest mark that stands at byte i; open says that a longer one
// may still come to stand there.
func (p *ReplyParser) markAt(marks []mark, i int) (found *mark, open bool) {
	rest := p.pending[i:]
	for k := range marks {
		m := &marks[k]
		if m.text[0] != rest[0] || m.line && !(i == 0 && p.line || i > 0 && p.pending[i-1] == '\n') {
			continue
		}
		if m.first && len(bytes.TrimSpace(p.pending[:i])) > 0 {
			continue
		}
		switch {
		case len(rest) >= len(m.text) && string(rest[:len(m.text)]) == m.text:
			if found == nil || len(m.text) > len(found.text) {
				found = m
			}
		case len(rest) < len(m.text) && strings.HasPrefix(m.text, string(rest)):
			open = true
		}
	}
	return found, open
}
