package compute

import (
	"reflect"
	"slices"

	"lian/dtype"
)

// Arena hands out tensors from a few large buffers, their headers, views of
// them and operations, and takes them back one by one or all at once. It grows to the largest
// step it has seen and allocates nothing after that. It is not safe for
// concurrent use.
type Arena struct {
	backend Backend
	chunks  []Buffer
	chunk   int // index of the chunk in use
	used    int // bytes used of it
	chunkAt int // bytes of a new chunk

	made   []*Tensor // while it is noted what is handed out
	noting bool
	again  []*Tensor // what is handed out again, in this order; nil: a new one

	free map[int][]spot // given back one by one, by size: what was freed last is handed out first, as caches still hold it

	headers pool[Tensor] // of the tensors handed out and their views
	shapes  strips[int]
	numbers strips[int32]
	ops     map[reflect.Type]interface{ reset() }
}

const arenaAlign = 64

// NewArena makes an arena whose buffers are at least chunk bytes.
func NewArena(b Backend, chunk int) *Arena {
	return &Arena{backend: b, chunkAt: max(chunk, 1<<16)}
}

// spot is where a tensor's content lies.
type spot struct{ chunk, offset int }

// Tensor returns a tensor with undefined content, valid until Reset.
func (a *Arena) Tensor(t dtype.Type, shape ...int) *Tensor {
	x := a.header(t, shape)
	if a.noting {
		a.made = append(a.made, x)
	}
	size := arenaSize(x)
	if len(a.again) > 0 {
		kept := a.again[0]
		if a.again = a.again[1:]; kept != nil {
			if arenaSize(kept) != size {
				panic("compute: what runs again asks for other tensors than at first")
			}
			x.Buffer, x.Offset = kept.Buffer, kept.Offset
			return x
		}
	}
	if list := a.free[size]; len(list) > 0 {
		at := list[len(list)-1]
		a.free[size] = list[:len(list)-1]
		x.Buffer, x.Offset = a.chunks[at.chunk], at.offset
		return x
	}
	for a.chunk < len(a.chunks) && a.used+size > a.chunks[a.chunk].Size() {
		a.chunk, a.used = a.chunk+1, 0
	}
	if a.chunk == len(a.chunks) {
		a.chunks = append(a.chunks, a.backend.Alloc(max(size, a.chunkAt)))
	}
	x.Buffer, x.Offset = a.chunks[a.chunk], a.used
	a.used += size
	return x
}

// Note calls f and gives the tensors that it asked for, in their order.
func (a *Arena) Note(f func()) []*Tensor {
	a.made, a.noting = nil, true
	f()
	a.noting = false
	return a.made
}

// Again calls f, which asks for the tensors that it asked for when Note gave this list: it gets those that are not nil once more, their
// content being there, and new ones for the others.
func (a *Arena) Again(made []*Tensor, f func()) {
	a.again = made
	f()
	a.again = nil
}

func arenaSize(x *Tensor) int { return (x.Bytes() + arenaAlign - 1) / arenaAlign * arenaAlign }

// Free takes back the content of one tensor, which has been handed out by this arena and is not read by anything launched later: the next
// tensor of its size has it. Another arena's tensor, and an empty one, stay as they are.
func (a *Arena) Free(x *Tensor) {
	size := arenaSize(x)
	if x.arena != a || size == 0 {
		return
	}
	for i := len(a.chunks) - 1; i >= 0; i-- {
		if a.chunks[i] == x.Buffer {
			if a.free == nil {
				a.free = map[int][]spot{}
			}
			a.free[size] = append(a.free[size], spot{i, x.Offset})
			return
		}
	}
}

// Mark is how far an arena's memory is handed out.
type Mark struct{ chunk, used int }

// Mark is where the arena is now.
func (a *Arena) Mark() Mark { return Mark{a.chunk, a.used} }

// Release takes back the content of every tensor handed out since the mark; operations and headers stay until Reset. Streams
// run in order, so what was launched before may still read them.
func (a *Arena) Release(m Mark) {
	a.chunk, a.used = m.chunk, m.used
	for size, list := range a.free {
		a.free[size] = slices.DeleteFunc(list, func(at spot) bool { return at.chunk > m.chunk || at.chunk == m.chunk && at.offset >= m.used })
	}
}

// header is a tensor without content.
func (a *Arena) header(t dtype.Type, shape []int) *Tensor {
	x := a.headers.next()
	*x = Tensor{Type: t, Shape: a.shapes.next(len(shape)), arena: a}
	copy(x.Shape, shape)
	return x
}

// Int32s is n zeros in the host's memory, valid until Reset: for what is about to be written to a tensor.
func (a *Arena) Int32s(n int) []int32 {
	s := a.numbers.next(n)
	clear(s)
	return s
}

// Reset takes back every tensor and operation handed out.
func (a *Arena) Reset() {
	a.chunk, a.used = 0, 0
	for size, list := range a.free {
		a.free[size] = list[:0]
	}
	a.headers.reset()
	a.shapes.reset()
	a.numbers.reset()
	for _, p := range a.ops {
		p.reset()
	}
}

// New returns a struct from the arena, zero, valid until Reset: an operation, or what a pass needs to know. A pass that has run
// before then allocates nothing.
func New[O any](a *Arena) *O {
	if a.ops == nil {
		a.ops = map[reflect.Type]interface{ reset() }{}
	}
	of, _ := a.ops[reflect.TypeFor[O]()].(*pool[O])
	if of == nil {
		of = &pool[O]{}
		a.ops[reflect.TypeFor[O]()] = of
	}
	x := of.next()
	var zero O
	*x = zero
	return x
}

// pool hands out values of one type and takes them all back at once.
type pool[E any] struct {
	chunks [][]E
	used   int
}

const poolChunk = 64

func (p *pool[E]) next() *E {
	if p.used == len(p.chunks)*poolChunk {
		p.chunks = append(p.chunks, make([]E, poolChunk))
	}
	x := &p.chunks[p.used/poolChunk][p.used%poolChunk]
	p.used++
	return x
}

func (p *pool[E]) reset() { p.used = 0 }

// Bytes is the memory held.
func (a *Arena) Bytes() int {
	n := 0
	for _, c := range a.chunks {
		n += c.Size()
	}
	return n
}

// strips hands out slices of any length and takes them all back at once.
type strips[E any] struct {
	strips [][]E
	strip  int // number of the strip in use
	used   int // of it
}

const stripLength = 4096

func (p *strips[E]) next(n int) []E {
	for p.strip < len(p.strips) && p.used+n > len(p.strips[p.strip]) {
		p.strip, p.used = p.strip+1, 0
	}
	if p.strip == len(p.strips) {
		p.strips = append(p.strips, make([]E, max(stripLength, n)))
	}
	s := p.strips[p.strip][p.used : p.used+n : p.used+n]
	p.used += n
	return s
}

func (p *strips[E]) reset() { p.strip, p.used = 0, 0 }
