package chat

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// How the parser reads a call: where it ends, and what it says.

// json says whether marks may be hidden in texts in quotes.
func (q *part) json() bool {
	return slices.ContainsFunc(q.forms, pattern.json)
}

// bare looks whether a call begins that has no mark before it.
func (p *ReplyParser) bare(end bool) (found *part, wait bool) {
	rest := bytes.TrimLeftFunc(p.pending, unicode.IsSpace)
	for i := range p.dialect.Parts {
		q := &p.dialect.Parts[i]
		if q.Open != "" || p.TextOnly {
			continue
		}
		if q.forms[0][0].hole == "name" {
			n := bytes.IndexFunc(rest, notInName)
			if n == 0 {
				continue
			}
			if n < 0 {
				return nil, !end
			}
			after := bytes.TrimLeftFunc(rest[n:], unicode.IsSpace)
			if len(after) > 0 && !bytes.Contains(rest[n:len(rest)-len(after)], []byte("\n")) {
				continue
			}
			rest = after
		}
		switch {
		case len(rest) == 0:
			return nil, !end
		case rest[0] == '{':
			return q, false
		}
	}
	return nil, false
}

// separator takes off what stands between calls that have no marks.
func (p *ReplyParser) separator(end bool) (dropped, wait bool) {
	between := strings.TrimSpace(p.dialect.Between)
	switch {
	case between == "" || !p.another:
	case bytes.HasPrefix(p.pending, []byte(between)):
		p.drop(len(between))
		p.another, p.trim = false, true
		return true, false
	case !end && strings.HasPrefix(between, string(p.pending)):
		return false, true
	}
	p.another = false
	return false, false
}

// call looks for the end of a call, outside JSON texts where it has those.
func (p *ReplyParser) call(end bool) bool {
	aware := p.in.json() && !p.program(end)
	if aware && p.undecided(end) {
		return false
	}
	marks := p.marks()
	s := p.pending
	i := p.scanned
	for ; i < len(s); i++ {
		switch {
		case aware && p.quoted && s[i] == '\\':
			if i+1 == len(s) {
				p.scanned = i
				if end {
					return p.unclosed()
				}
				return false
			}
			i++
			continue
		case aware && s[i] == '"':
			p.quoted = !p.quoted
			continue
		case aware && p.quoted:
			continue
		}
		if p.in.Open == "" {
			switch s[i] {
			case '{', '[':
				p.depth++
			case '}', ']':
				if p.depth--; p.depth == 0 {
					return p.finish(i+1, i+1, true)
				}
			}
			continue
		}
		m, open := p.markAt(marks, i)
		if open && !end {
			p.scanned = i
			return false
		}
		if m != nil {
			return p.close(i, m)
		}
	}
	p.scanned = i
	if end {
		return p.unclosed()
	}
	return false
}

// program says whether what has begun is no JSON but code.
func (p *ReplyParser) program(end bool) bool {
	code := slices.ContainsFunc(p.in.forms, func(f pattern) bool { return f.has("code") })
	rest := bytes.TrimLeftFunc(p.pending, unicode.IsSpace)
	return code && len(rest) > 0 && rest[0] != '{' && rest[0] != '['
}

// undecided waits for the first character where it tells code from JSON.
func (p *ReplyParser) undecided(end bool) bool {
	code := slices.ContainsFunc(p.in.forms, func(f pattern) bool { return f.has("code") })
	return code && !end && len(bytes.TrimSpace(p.pending)) == 0
}

// close ends a call at byte i with mark m.
func (p *ReplyParser) close(i int, m *mark) bool {
	switch m.role {
	case markOpen:
		part := m.part
		p.finish(i, i+len(m.text), true)
		p.turn(part, 0)
		return true
	case markCut:
		p.finish(i, i, true)
		p.done = true
		return false
	}
	return p.finish(i, i+len(m.text), true)
}

// unclosed ends a call at the end of the reply. Where a quote is left open,
// marks in what was taken for a JSON text count.
func (p *ReplyParser) unclosed() bool {
	if p.quoted || p.in.Open == "" {
		if at, m, _ := p.next(0, true); m != nil {
			return p.close(at, m)
		}
	}
	return p.finish(len(p.pending), len(p.pending), false)
}

// finish makes calls of the first n bytes and goes on at byte next.
func (p *ReplyParser) finish(n, next int, closed bool) bool {
	body, in := string(p.pending[:n]), p.in
	state, raw, calls, err := p.read(body)
	if in.Open == "" && (errors.Is(err, errNoCall) || state == unlike || state == incomplete && !strings.Contains(body, `"name"`) && in.forms[0].has("object")) {
		// JSON that is no call
		p.in, p.first, p.trim = nil, false, false
		p.say(body)
		p.drop(next)
		return true
	}
	p.turn(nil, next)
	switch {
	case err == nil && state == fits:
		for _, call := range calls {
			if call.ID == "" {
				call.ID = fmt.Sprintf("call_%d", p.calls)
			}
			p.calls++
			p.emit(ReplyEvent{Kind: ReplyCall, Call: call})
		}
	case err != nil:
		p.emit(ReplyEvent{Kind: ReplyMalformed, Text: raw, Err: err})
	case state == incomplete && !closed:
		p.emit(ReplyEvent{Kind: ReplyIncomplete, Text: raw, Err: fmt.Errorf("tool call is cut off: %s", abridge([]byte(raw)))})
	default:
		want := fmt.Sprintf("of the form %q", in.Body[0])
		if in.json() {
			want = "a JSON object"
		}
		p.emit(ReplyEvent{Kind: ReplyMalformed, Text: raw, Err: fmt.Errorf("tool call is not %s: %s", want, abridge([]byte(raw)))})
	}
	p.first = in.Open == "" // another may follow
	p.another = p.first
	return true
}

// read tries the forms of the part.
func (p *ReplyParser) read(body string) (state matched, raw string, calls []ToolCall, err error) {
	state, raw = unlike, strings.TrimSpace(body)
	for _, f := range p.in.forms {
		m, fields, wrong := f.match(body, p.dialect.pair)
		if m == fits {
			calls, err = p.dialect.calls(fields, p.Tools, p.in.Open == "")
			if raw = strings.TrimSpace(body); fields["object"] != "" {
				raw = fields["object"]
			} else if fields["arguments"] != "" {
				raw = fields["arguments"]
			}
			return fits, raw, calls, err
		}
		if m != unlike && state == unlike {
			state, raw = m, wrong
		}
	}
	return state, raw, nil, nil
}
