package jinja

import (
	"errors"
	"fmt"
	"time"
)

// Program is a parsed template, safe for use by many goroutines.
type Program struct {
	name, source string
	body         []node
	marks        bool
}

// Parse reads a template; name stands in errors. An error is an [*Error].
func Parse(name, source string) (*Program, error) {
	body, marks, err := parse(source)
	if err != nil {
		err.Template = name
		return nil, err
	}
	return &Program{name, source, body, marks}, nil
}

// Source is what was parsed.
func (p *Program) Source() string { return p.source }

// HasGeneration says whether the template marks what a model writes with
// {% generation %} blocks.
func (p *Program) HasGeneration() bool { return p.marks }

// Options of one rendering.
type Options struct {
	Limits Limits
	Now    func() time.Time // clock of strftime_now; nil is time.Now
}

// Run is the part of an output that ends before byte End and starts where the
// run before ends.
type Run struct {
	End       int
	Origin    Origin
	Generated bool // written in a generation block
}

// Output is a rendering. Runs cover all of Text; neighbours differ.
type Output struct {
	Text string
	Runs []Run
}

// Render runs the template with the given names. An error is an [*Error]; of
// kind [RaisedError] when the template itself refuses.
func (p *Program) Render(names map[string]Value, o Options) (out Output, err error) {
	in := &interpreter{limits: o.Limits.withDefaults(), now: o.Now}
	if in.now == nil {
		in.now = time.Now
	}
	for name, v := range names {
		if v.kind == kindMissing {
			return Output{}, fmt.Errorf("%s: variable %s has no value", p.name, name)
		}
	}
	in.out = &writer{in: in}
	defer func() {
		if r := recover(); r != nil {
			f, ok := r.(failure)
			if !ok {
				panic(r)
			}
			e := *f.err
			e.Template, e.Line = p.name, in.line
			out, err = Output{}, &e
		}
	}()
	context := &scope{names, &scope{globals(), nil}}
	in.top = context.inner()
	in.run(p.body, in.top)
	out.Text = string(in.out.buffer)
	for _, m := range in.out.marks {
		out.Runs = append(out.Runs, Run{m.end, m.tag.origin(), m.tag.generated()})
	}
	return out, nil
}

// IsKind says whether err is, or wraps, an [*Error] of the kind.
func IsKind(err error, kind string) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == kind
}
