package main

import (
	"fmt"
	"math"
	"sort"
	"strings"
)

// constants are 64-byte tables of one repeated value, read as memory operands: AVX2 has too few registers to hold them.
type constants map[string][16]uint32

// value names a table of one float32 repeated.
func (c constants) value(name string, v float32) string {
	return c.bits(name, math.Float32bits(v))
}

func (c constants) bits(name string, v uint32) string {
	var t [16]uint32
	for i := range t {
		t[i] = v
	}
	return c.table(name, t)
}

func (c constants) table(name string, t [16]uint32) string {
	if old, ok := c[name]; ok && old != t {
		panic("constant " + name + " has two values")
	}
	c[name] = t
	return name + "<>(SB)"
}

// repeats says whether a table is one 32-bit value repeated.
func (c constants) repeats(name string) bool {
	t, ok := c[name]
	for _, v := range t {
		ok = ok && v == t[0]
	}
	return ok
}

func (c constants) source() string {
	var names []string
	for n := range c {
		names = append(names, n)
	}
	sort.Strings(names)
	var out strings.Builder
	for _, n := range names {
		out.WriteString("\n")
		for i := 0; i < 16; i += 2 {
			fmt.Fprintf(&out, "DATA %s<>+%d(SB)/8, $0x%08x%08x\n", n, i*4, c[n][i+1], c[n][i])
		}
		fmt.Fprintf(&out, "GLOBL %s<>(SB), RODATA|NOPTR, $64\n", n)
	}
	return out.String()
}
