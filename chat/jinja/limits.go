package jinja

// Limits bound what one rendering may use; a zero field takes its default.
type Limits struct {
	Steps  int // nodes evaluated and items visited; default 20 million
	Text   int // bytes of the output, and of any one text; default 32 MiB
	Memory int // bytes of all texts and lists ever made in the rendering; default 1 GiB
	Depth  int // macros within macros and loops within recursive loops; default 100
}

// maxDataDepth bounds how deep lists and dictionaries may nest where they are
// compared, shown or written as JSON.
const maxDataDepth = 200

// maxRange is the longest range() that the sandbox of Jinja2 allows.
const maxRange = 100000

// maxBits bounds integers.
const maxBits = 1 << 14

func (l Limits) withDefaults() Limits {
	set := func(field *int, value int) {
		if *field == 0 {
			*field = value
		}
	}
	set(&l.Steps, 20_000_000)
	set(&l.Text, 32<<20)
	set(&l.Memory, 1<<30)
	set(&l.Depth, 100)
	return l
}

// step counts work that makes nothing.
func (in *interpreter) step(n int) {
	if in.steps += n; in.steps > in.limits.Steps {
		in.fail(LimitError, "more than %d steps", in.limits.Steps)
	}
}

// scan counts looking through a value once.
func (in *interpreter) scan(v Value) { in.step(1 + len(v.text)/64) }

// spend counts bytes made, before they are made.
func (in *interpreter) spend(n int) {
	in.step(1 + n/256)
	if in.memory += n; in.memory > in.limits.Memory {
		in.fail(LimitError, "more than %d bytes of texts and lists made", in.limits.Memory)
	}
}

// room refuses a text longer than the limit, before it is made.
func (in *interpreter) room(n int) {
	if n < 0 || n > in.limits.Text {
		in.fail(LimitError, "a text of more than %d bytes", in.limits.Text)
	}
}

// valueSize is about what one item of a list takes.
const valueSize = 64

// newList is a list of items that were made by the template.
func (in *interpreter) newList(items []Value) Value {
	in.spend(valueSize * len(items))
	return List(items...)
}
