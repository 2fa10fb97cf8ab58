package compute

import (
	"fmt"
	"slices"

	"lian/dtype"
)

// checker collects the first thing that is wrong with an operation's operands.
type checker struct {
	op  string
	err error
}

func check(op Op) *checker { return &checker{op: op.Name()} }

// that notes the first thing that is not so. An operation that is right allocates nothing: the arguments are copied before they
// are printed, so that they need not live on the heap. Numbers above 255 would be, as interfaces: where one is an argument of an
// operation that is launched often, call it only when something is wrong.
func (c *checker) that(ok bool, format string, args ...any) *checker {
	if c.err == nil && !ok {
		c.err = fmt.Errorf("%s: %s", c.op, fmt.Sprintf(format, append([]any(nil), args...)...))
	}
	return c
}

// is checks a required operand's type and shape; a negative size matches any.
func (c *checker) is(name string, t *Tensor, want dtype.Type, shape ...int) *checker {
	if c.err != nil {
		return c
	}
	if t == nil {
		return c.that(false, "%s is missing", name)
	}
	match := t.Type == want && len(t.Shape) == len(shape)
	for i := 0; match && i < len(shape); i++ {
		match = shape[i] < 0 || t.Shape[i] == shape[i]
	}
	if !match {
		c.that(false, "%s is %v, expected %v%v", name, t, want, slices.Clone(shape))
	}
	return c
}

// optional is is for an operand that may be nil.
func (c *checker) optional(name string, t *Tensor, want dtype.Type, shape ...int) *checker {
	if t == nil {
		return c
	}
	return c.is(name, t, want, shape...)
}

func sameShape(a, b *Tensor) bool {
	return a != nil && b != nil && a.Type == b.Type && slices.Equal(a.Shape, b.Shape)
}

// appendPresent appends the operands that are not nil.
func appendPresent(list []*Tensor, tensors ...*Tensor) []*Tensor {
	for _, t := range tensors {
		if t != nil {
			list = append(list, t)
		}
	}
	return list
}
