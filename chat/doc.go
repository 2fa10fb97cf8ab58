// Package chat turns conversations into what a model reads, and what a model
// writes back into conversations.
//
// It holds the types of a conversation ([Message], [ToolCall], [Tool]), the
// templates that render them ([Template], written in the Jinja dialect of
// published models and run by package chat/jinja), [Encode], the one function by
// which fine-tuning, chat, serving, agents and evaluation get token ids, loss
// mask and spans, and the ways in which models write their thoughts and calls
// ([Dialect], declared in dialects.yaml). Loss masks are made in lossmask.go.
//
// Guarantees: every rendered byte knows whether the template wrote it or which
// field of which message it came from, so a special token that a user types is
// plain text; a rendered text is tokenised once, by the same call in training
// and at inference (where an answer begins with blanks, a token may span the
// border of prompt and answer; it is then a label); replies are parsed to the
// same events however the text is cut, and what a dialect renders it also parses
// to what was meant.
//
// Refuses: templates that run without end or make more than a bounded amount
// of text, templates that the model's authors meant to fail (raise_exception),
// and malformed tool calls, which are reported and never guessed at.
package chat
