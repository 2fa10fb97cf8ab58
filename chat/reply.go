package chat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
)

// EventKind says what a piece of a reply is.
type EventKind string

// Kinds of [ReplyEvent].
const (
	ReplyContent   EventKind = "content"   // Text is more of the answer
	ReplyReasoning EventKind = "reasoning" // Text is more of what stands in <think> at the start
	ReplyCall      EventKind = "call"      // Call is complete
	ReplyMalformed EventKind = "malformed" // Text is what stood in <tool_call> tags and is no call; Err says why
)

// ReplyEvent is a piece of a model's reply.
type ReplyEvent struct {
	Kind EventKind
	Text string
	Call ToolCall
	Err  error
}

const (
	callOpen, callClose   = "<tool_call>", "</tool_call>"
	thinkOpen, thinkClose = "<think>", "</think>"
)

type replyState uint8

const (
	atStart replyState = iota // nothing but blanks so far
	inThought
	inContent
	inCall
)

// ReplyParser reads a reply in the <tool_call> dialect (Hermes, Qwen, Lian) as
// it comes. However the text is cut, the texts of its events join to the same
// and the calls are the same: what might be the start of a tag, and blanks that
// might stand before one, are held back. Blanks around calls are dropped; text
// without calls is kept byte for byte. A call whose closing tag is missing at
// the end is a call if it is complete.
type ReplyParser struct {
	emit    func(ReplyEvent)
	state   replyState
	pending []byte // read, not yet decided
	scanned int    // bytes of pending already looked at, inside a call
	quoted  bool   // in a call: within a JSON text, where tags are no tags
	called  bool   // a call has been seen
	written bool   // content has been emitted
	apart   bool   // a call stands between the content emitted and what comes
	calls   int
	trim    bool // drop blanks that come next
}

// NewReplyParser gives a parser that calls emit for every event, in order.
func NewReplyParser(emit func(ReplyEvent)) *ReplyParser { return &ReplyParser{emit: emit} }

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
	for {
		var more bool
		switch p.state {
		case atStart:
			more = p.start(end)
		case inThought:
			more = p.thought(end)
		case inContent:
			more = p.content(end)
		case inCall:
			more = p.call(end)
		}
		if !more {
			return
		}
	}
}

// start decides whether the reply begins with a thought.
func (p *ReplyParser) start(end bool) bool {
	rest := bytes.TrimLeftFunc(p.pending, unicode.IsSpace)
	switch {
	case bytes.HasPrefix(rest, []byte(thinkOpen)):
		p.pending, p.state, p.trim = rest[len(thinkOpen):], inThought, true
	case !end && strings.HasPrefix(thinkOpen, string(rest[:min(len(rest), len(thinkOpen))])):
		return false
	default:
		p.state = inContent
	}
	return true
}

// split cuts pending at tag. Without one it holds back what may be the start
// of one and the blanks before it.
func (p *ReplyParser) split(tag string, end bool) (before string, found bool) {
	if p.trim {
		p.pending = bytes.TrimLeftFunc(p.pending, unicode.IsSpace)
		p.trim = len(p.pending) == 0
	}
	if i := bytes.Index(p.pending, []byte(tag)); i >= 0 {
		before = string(bytes.TrimRightFunc(p.pending[:i], unicode.IsSpace))
		p.pending = p.pending[i+len(tag):]
		return before, true
	}
	keep := len(p.pending) // what is decided
	if !end {
		for n := min(len(tag)-1, keep); n > 0; n-- {
			if bytes.HasSuffix(p.pending, []byte(tag[:n])) {
				keep -= n
				break
			}
		}
		keep = len(bytes.TrimRightFunc(p.pending[:keep], unicode.IsSpace))
	}
	before, p.pending = string(p.pending[:keep]), p.pending[keep:]
	return before, false
}

func (p *ReplyParser) thought(end bool) bool {
	text, found := p.split(thinkClose, end)
	if end && !found {
		text = strings.TrimRightFunc(text, unicode.IsSpace)
	}
	if text != "" {
		p.emit(ReplyEvent{Kind: ReplyReasoning, Text: text})
	}
	if found {
		p.state, p.trim = inContent, true
	}
	return found
}

func (p *ReplyParser) content(end bool) bool {
	text, found := p.split(callOpen, end)
	if end && !found && p.called {
		text = strings.TrimRightFunc(text, unicode.IsSpace)
	}
	if text != "" {
		if p.apart && p.written { // words before and after a call must not run together
			text = "\n" + text
		}
		p.written, p.apart = true, false
		p.emit(ReplyEvent{Kind: ReplyContent, Text: text})
	}
	if found {
		p.state, p.scanned, p.quoted = inCall, 0, false
	}
	return found
}

// call looks for the closing tag outside JSON texts.
func (p *ReplyParser) call(end bool) bool {
	s := p.pending
	i := p.scanned
	for ; i < len(s); i++ {
		switch {
		case p.quoted && s[i] == '\\':
			if i+1 == len(s) {
				p.scanned = i
				if end {
					p.finish(s, nil)
				}
				return false
			}
			i++
		case s[i] == '"':
			p.quoted = !p.quoted
		case !p.quoted && s[i] == '<':
			if bytes.HasPrefix(s[i:], []byte(callClose)) {
				p.finish(s[:i], s[i+len(callClose):])
				return true
			}
			if !end && len(s)-i < len(callClose) && strings.HasPrefix(callClose, string(s[i:])) {
				p.scanned = i
				return false
			}
		}
	}
	p.scanned = i
	if end {
		p.finish(s, nil)
	}
	return false
}

// finish emits the call in text and goes on with rest.
func (p *ReplyParser) finish(inside, rest []byte) {
	text := strings.TrimSpace(string(inside))
	p.pending, p.state, p.trim, p.called, p.apart = rest, inContent, true, true, true
	call, err := parseCall(text)
	if err != nil {
		p.emit(ReplyEvent{Kind: ReplyMalformed, Text: text, Err: err})
		return
	}
	call.ID = fmt.Sprintf("call_%d", p.calls)
	p.calls++
	p.emit(ReplyEvent{Kind: ReplyCall, Call: call})
}

// parseCall reads {"name": …, "arguments": {…}} and nothing else.
func parseCall(text string) (ToolCall, error) {
	members, err := orderedMembers([]byte(text))
	if err != nil || !json.Valid([]byte(text)) {
		return ToolCall{}, fmt.Errorf("tool call is not a JSON object: %s", abridge([]byte(text)))
	}
	call := ToolCall{Arguments: json.RawMessage("{}")}
	for _, m := range members {
		switch m.key {
		case "name":
			err = json.Unmarshal(m.value, &call.Name)
		case "arguments", "parameters":
			call.Arguments = m.value
		default:
			err = fmt.Errorf(`unknown member %q; expected "name" and "arguments"`, m.key)
		}
		if err != nil {
			return ToolCall{}, fmt.Errorf("tool call: %w", err)
		}
	}
	if call.Name == "" {
		return ToolCall{}, fmt.Errorf(`tool call has no "name": %s`, abridge([]byte(text)))
	}
	if _, err := call.Object(); err != nil {
		return ToolCall{}, fmt.Errorf("tool call: %w", err)
	}
	return call, nil
}

// ParseReply reads a whole reply: the answer without thoughts and calls, the
// calls, and an error that joins what is wrong with malformed calls (the sound
// ones are returned beside it).
func ParseReply(text string) (content string, calls []ToolCall, err error) {
	m, err := ParseReplyMessage(text)
	return m.Content, m.ToolCalls, err
}

// ParseReplyMessage reads a whole reply as the message of an assistant.
func ParseReplyMessage(text string) (Message, error) {
	m := Message{Role: RoleAssistant}
	var content, reasoning strings.Builder
	var malformed []string
	p := NewReplyParser(func(e ReplyEvent) {
		switch e.Kind {
		case ReplyContent:
			content.WriteString(e.Text)
		case ReplyReasoning:
			reasoning.WriteString(e.Text)
		case ReplyCall:
			m.ToolCalls = append(m.ToolCalls, e.Call)
		case ReplyMalformed:
			malformed = append(malformed, e.Err.Error())
		}
	})
	p.Push(text)
	p.Flush()
	m.Content, m.Reasoning = content.String(), reasoning.String()
	if malformed != nil {
		return m, &MalformedError{malformed}
	}
	return m, nil
}

// MalformedError lists the malformed calls of one reply.
type MalformedError struct{ Calls []string }

func (e *MalformedError) Error() string { return strings.Join(e.Calls, "; ") }
