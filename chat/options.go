package chat

import "time"

// Where rendered bytes come from when it is not a message: values of
// [Origin].Message.
const (
	FromTemplate  = -1 // written by the template, or by its variables such as bos_token
	FromTools     = -2 // from the tools offered
	FromVariables = -3 // from Options.Extra
)

// Options says how a conversation is rendered.
type Options struct {
	Tools               []Tool
	AddGenerationPrompt bool // end with the opening of an assistant's turn
	// ContinueFinal ends right after the content of the last message, so that a
	// model goes on with it.
	ContinueFinal bool
	Extra         map[string]any // further variables of the template; values as of encoding/json
	// Verbatim hands contents, arguments and missing tools to the template in
	// the form in which they were read, as transformers does. Otherwise text
	// parts become one string, arguments an object (their JSON text where the
	// template can only join strings), and missing tools None (an empty list
	// where the template cannot do without).
	Verbatim bool
	Now      func() time.Time // the clock of strftime_now; nil is the time of day
}

// Origin says where the bytes Start..End of a rendered text come from.
type Origin struct {
	Start, End int
	Message    int    // index of the message, or FromTemplate, FromTools, FromVariables
	Field      string // "content", "role", "tool_calls", "reasoning_content", …; empty for the template
}

// Range is a half-open range, of bytes unless said otherwise.
type Range struct{ Start, End int }

// Rendered is a conversation as text, with the origin of every byte.
type Rendered struct {
	Text      string
	Origins   []Origin // in order, without gaps, over all of Text
	Generated []Range  // what {% generation %} blocks wrote
}

// Span is a run of tokens with one origin: that of each token's first byte.
type Span struct {
	Start, End int // tokens
	Message    int // as in Origin
	Field      string
}

// Encoding is a conversation as a model reads it.
type Encoding struct {
	IDs   []int32
	Mask  []bool // len(IDs); true: the token is a label in training
	Spans []Span // in order, without gaps, over all of IDs
	Text  string
	// Origins are those of the text's bytes.
	Origins []Origin
}
