package jinja

import "fmt"

// Kinds of error, named as the Python exceptions that Jinja2 raises.
const (
	SyntaxError    = "TemplateSyntaxError"
	AssertionError = "TemplateAssertionError" // an unknown filter or test
	RaisedError    = "TemplateError"          // raise_exception: the template refuses the conversation
	RuntimeError   = "TemplateRuntimeError"
	UndefinedError = "UndefinedError"
	SecurityError  = "SecurityError"
	TypeError      = "TypeError"
	AttributeError = "AttributeError"
	ArgumentError  = "FilterArgumentError" // a filter was asked for what it cannot do
	ValueError     = "ValueError"
	ZeroDivision   = "ZeroDivisionError"
	OverflowError  = "OverflowError"
	LimitError     = "LimitError" // not Python's: one of [Limits] was reached
)

// Error is what went wrong in a template, and where.
type Error struct {
	Template string // name given to Parse
	Line     int    // 1-based; 0 when unknown
	Kind     string // one of the kinds above
	Message  string // for RaisedError, exactly the template's text
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d: %s: %s", e.Template, e.Line, e.Kind, e.Message)
}

func fail(kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}
