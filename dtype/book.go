package dtype

import (
	"slices"
	"sync"
	"sync/atomic"
)

// book is a lattice as encoders search it: levels count 0, 1, 2 …, so a level l
// stands for 2l+1.
type book struct {
	width, bits int        // values of a point, bits of a level in a key
	points      []int8     // 2l+1 of width values for each code
	code        []int32    // by key, the levels of a point side by side; −1 off the lattice
	wanted      int        // how many distances count as near
	near        []nearest8 // by key, made at their first use
}

type nearest8 = atomic.Pointer[[]uint16]

func bookOf(read func() *lattice, wanted int) func() *book {
	return sync.OnceValue(func() *book {
		l := read()
		b := &book{width: l.width, bits: 16 / l.width, wanted: wanted}
		if l.width == 4 {
			b.bits = 3
		}
		keys := 1 << (b.bits * b.width)
		b.code, b.near = make([]int32, keys), make([]nearest8, keys)
		for i := range b.code {
			b.code[i] = -1
		}
		for i, v := range l.points {
			level := slices.Index(l.levels, v)
			b.points = append(b.points, int8(2*level+1))
			if i%b.width == b.width-1 {
				b.code[b.key(b.points[i+1-b.width:])] = int32(i / b.width)
			}
		}
		return b
	})
}

// The neighbourhoods are as wide as ggml's.
var (
	bookIQ2_XXS = bookOf(latticeIQ2_XXS, 2)
	bookIQ2_XS  = bookOf(latticeIQ2_XS, 2)
	bookIQ2_S   = bookOf(latticeIQ2_S, 1)
	bookIQ3_XXS = bookOf(latticeIQ3_XXS, 2)
	bookIQ3_S   = bookOf(latticeIQ3_S, 3)
	bookIQ1     = bookOf(latticeIQ1, 3)
)

// key packs a point (values 2l+1).
func (b *book) key(point []int8) (key int) {
	for i, v := range point[:b.width] {
		key |= int(v-1) / 2 << (i * b.bits)
	}
	return key
}

// point is what a code stands for, as values 2l+1.
func (b *book) point(code int) []int8 { return b.points[code*b.width : (code+1)*b.width] }

// neighbours are the codes of the points nearest to a key off the lattice, by
// distance and then by code: all those at the `wanted` smallest distances.
func (b *book) neighbours(key int) []uint16 {
	if list := b.near[key].Load(); list != nil {
		return *list
	}
	count := len(b.points) / b.width
	order := make([]int, count) // distance and code in one number
	for i := range order {
		distance := 0
		for j, v := range b.point(i) {
			d := int(v) - (2*(key>>(j*b.bits)&(1<<b.bits-1)) + 1)
			distance += d * d
		}
		order[i] = distance<<16 | i
	}
	slices.Sort(order)
	var list []uint16
	distance, have := order[0]>>16, 1
	for _, o := range order {
		if o>>16 > distance {
			if have == b.wanted {
				break
			}
			distance = o >> 16
			have++
		}
		list = append(list, uint16(o))
	}
	b.near[key].Store(&list)
	return list
}

// closest is the code of the neighbour of key with the least weighted distance of
// scale·meaning(point) from x.
func (b *book) closest(key int, x, weights []float32, scale float32, meaning func(v int8) float32) int {
	best, least := -1, float32(0)
	for _, code := range b.neighbours(key) {
		var distance float32
		for i, v := range b.point(int(code)) {
			d := float32(scale*meaning(v)) - x[i]
			distance += float32(float32(weights[i]*d) * d)
		}
		if best < 0 || distance < least {
			best, least = int(code), distance
		}
	}
	return best
}
