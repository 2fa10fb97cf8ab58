package compute

import "lian/dtype"

// Arena hands out tensors from a few large buffers and takes them all back at
// once. It grows to the largest step it has seen and allocates nothing after
// that. It is not safe for concurrent use.
type Arena struct {
	backend Backend
	chunks  []Buffer
	chunk   int // index of the chunk in use
	used    int // bytes used of it
	chunkAt int // bytes of a new chunk
}

const arenaAlign = 64

// NewArena makes an arena whose buffers are at least chunk bytes.
func NewArena(b Backend, chunk int) *Arena {
	return &Arena{backend: b, chunkAt: max(chunk, 1<<16)}
}

// Tensor returns a tensor with undefined content, valid until Reset.
func (a *Arena) Tensor(t dtype.Type, shape ...int) *Tensor {
	x := &Tensor{Type: t, Shape: append([]int(nil), shape...)}
	size := (x.Bytes() + arenaAlign - 1) / arenaAlign * arenaAlign
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

// Reset takes back every tensor handed out.
func (a *Arena) Reset() { a.chunk, a.used = 0, 0 }

// Bytes is the memory held.
func (a *Arena) Bytes() int {
	n := 0
	for _, c := range a.chunks {
		n += c.Size()
	}
	return n
}
