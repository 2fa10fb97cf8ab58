package train

import "math/bits"

// lists holds many lists of places, most of them short, in few large chunks without
// pointers, and uses again the room of those that were freed.
type lists struct {
	chunks [][]int32
	next   int        // first free place of the last chunk for short lists; 0: there is none yet
	last   int        // that chunk
	free   [64][]list // by class of size
	idle   []uint32   // numbers of chunks that were freed
}

// list is where a list lies.
type list struct {
	at uint32 // chunk and place in it
	n  int32
}

const (
	chunkBits = 16
	chunkSize = 1 << chunkBits
	longList  = chunkSize / 4 // lists from here on have a chunk of their own
)

// class is the class of a size and the room that lists of that class have: four
// classes for each doubling.
func class(n int32) (class int, room int32) {
	if n <= 8 {
		return int(n), n
	}
	shift := bits.Len32(uint32(n-1)) - 3
	steps := (n - 1) >> shift // 4..7
	return 4*shift + int(steps) + 1, (steps + 1) << shift
}

// make gives room for n places, which hold anything.
func (l *lists) make(n int32) list {
	if n >= longList {
		at := uint32(len(l.chunks))
		if k := len(l.idle); k > 0 {
			at = l.idle[k-1]
			l.idle = l.idle[:k-1]
		} else {
			l.chunks = append(l.chunks, nil)
		}
		l.chunks[at] = make([]int32, n)
		return list{at << chunkBits, n}
	}
	k, room := class(n)
	if f := l.free[k]; len(f) > 0 {
		x := f[len(f)-1]
		l.free[k] = f[:len(f)-1]
		return list{x.at, n}
	}
	if l.next == 0 || l.next+int(room) > chunkSize {
		l.last = len(l.chunks)
		l.chunks = append(l.chunks, make([]int32, chunkSize))
		l.next = 0
	}
	x := list{uint32(l.last)<<chunkBits | uint32(l.next), n}
	l.next += int(room)
	return x
}

// places are those of a list.
func (l *lists) places(x list) []int32 {
	within := x.at & (chunkSize - 1)
	return l.chunks[x.at>>chunkBits][within : within+uint32(x.n)]
}

// drop frees a list.
func (l *lists) drop(x list) {
	switch {
	case x.n == 0:
	case x.n >= longList:
		l.chunks[x.at>>chunkBits] = nil
		l.idle = append(l.idle, x.at>>chunkBits)
	default:
		k, _ := class(x.n)
		l.free[k] = append(l.free[k], x)
	}
}
