package main

import (
	"fmt"
	"strings"
)

// vector writes one function over n values: a loop over whole registers, then the rest under a mask.
type vector struct {
	*assembly
	pointer map[string]string // argument → general register
	masked  bool
	free    []int          // vector registers
	kept    map[string]int // persistent ones by name
}

// general registers for pointers; CX counts, AX is scratch.
var pointerRegisters = []string{"DI", "SI", "DX", "R8", "R9", "R10", "R11", "R12"}

// maskRegister holds the mask of the rest in AVX2; AVX-512 has K1.
func (s *set) maskRegister() string { return s.r(s.registers - 1) }

func (a *assembly) vector() *vector {
	v := &vector{assembly: a, pointer: map[string]string{}, kept: map[string]int{}}
	for i := a.registers - 2; i >= 0; i-- {
		v.free = append(v.free, i)
	}
	return v
}

// new takes a register; drop gives registers back.
func (v *vector) new() string {
	if len(v.free) == 0 {
		panic(v.suffix + ": out of vector registers")
	}
	i := v.free[len(v.free)-1]
	v.free = v.free[:len(v.free)-1]
	return v.r(i)
}

func (v *vector) drop(registers ...string) {
	for _, r := range registers {
		var i int
		fmt.Sscanf(r[1:], "%d", &i)
		v.free = append(v.free, i)
	}
}

// scalar broadcasts a float32 argument into a register that stays.
func (v *vector) scalar(name string) string {
	r := v.new()
	v.op("VBROADCASTSS %s, %s", v.arg(name), r)
	return r
}

// zero is a register of zeros that stays.
func (v *vector) zero() string {
	r := v.new()
	v.op("VXORPS %s, %s, %s", r, r, r)
	return r
}

func (v *vector) load(pointer string) string {
	r := v.new()
	p := v.pointer[pointer]
	switch {
	case !v.masked:
		v.op("VMOVUPS (%s), %s", p, r)
	case v.set == avx512:
		v.op("VMOVUPS.Z (%s), K1, %s", p, r)
	default:
		v.op("VMASKMOVPS (%s), %s, %s", p, v.maskRegister(), r)
	}
	return r
}

func (v *vector) store(r, pointer string) {
	p := v.pointer[pointer]
	switch {
	case !v.masked:
		v.op("VMOVUPS %s, (%s)", r, p)
	case v.set == avx512:
		v.op("VMOVUPS %s, K1, (%s)", r, p)
	default:
		v.op("VMASKMOVPS %s, %s, (%s)", r, v.maskRegister(), p)
	}
}

// zeroRest clears the lanes past n.
func (v *vector) zeroRest(r string) {
	switch {
	case !v.masked:
	case v.set == avx512:
		v.op("VMOVAPS.Z %s, K1, %s", r, r)
	default:
		v.op("VANDPS %s, %s, %s", v.maskRegister(), r, r)
	}
}

// fillRest puts the lanes of fill where there are none of r.
func (v *vector) fillRest(r, fill string) {
	switch {
	case !v.masked:
	case v.set == avx512:
		v.op("VBLENDMPS %s, %s, K1, %s", r, fill, r)
	default:
		v.op("VBLENDVPS %s, %s, %s, %s", v.maskRegister(), r, fill, r)
	}
}

// A body of so many instructions keeps the processor from looking far ahead for what to load: such a loop fetches ahead itself.
const (
	longBody   = 15
	fetchAhead = 1024 // bytes
)

// each writes a function whose body is run for each register of values. args are the pointers, then n, then others.
func (a *assembly) each(name, about string, ptrs []string, others []argument, results []argument, setup func(v *vector), body func(v *vector), finish func(v *vector)) {
	args := append(append(pointers(ptrs...), ints("n")...), others...)
	a.function(name, about, args, results...)
	v := a.vector()
	for i, p := range ptrs {
		v.pointer[p] = pointerRegisters[i]
		a.op("MOVQ %s, %s", a.arg(p), pointerRegisters[i])
	}
	a.op("MOVQ %s, CX", a.arg("n"))
	if setup != nil {
		setup(v)
	}
	loop, rest, done := a.label(), a.label(), a.label()
	a.op("SUBQ $%d, CX", a.lanes)
	a.op("JLT %s", rest)
	a.mark(loop)
	free := append([]int(nil), v.free...)
	before := a.body.Len()
	body(v)
	if strings.Count(a.body.String()[before:], "\n") >= longBody {
		for _, p := range ptrs {
			a.op("PREFETCHT0 %d(%s)", fetchAhead, v.pointer[p])
		}
	}
	for _, p := range ptrs {
		a.op("ADDQ $%d, %s", a.bytes(), v.pointer[p])
	}
	a.op("SUBQ $%d, CX", a.lanes)
	a.op("JGE %s", loop)
	a.mark(rest)
	a.op("ADDQ $%d, CX", a.lanes)
	a.op("JZ %s", done)
	if a.set == avx512 {
		a.op("MOVQ $1, AX")
		a.op("SHLQ CX, AX")
		a.op("DECQ AX")
		a.op("KMOVW AX, K1")
	} else {
		var t [16]uint32
		for i := range 8 {
			t[i] = 0xffffffff
		}
		table := a.consts.table("restMask", t)
		a.op("LEAQ %s, AX", table)
		a.op("NEGQ CX")
		a.op("VMOVUPS 32(AX)(CX*4), %s", a.maskRegister())
	}
	v.free, v.masked = append([]int(nil), free...), true
	body(v)
	a.mark(done)
	v.free, v.masked = free, false
	if finish != nil {
		finish(v)
	}
	a.ret()
}

// low is the lower half of a register.
func low(r string) string {
	if r[0] == 'Z' {
		return "Y" + r[1:]
	}
	return "X" + r[1:]
}

// high copies the upper half of r into the lower half of a register.
func (v *vector) high(r, to string) {
	if v.set == avx512 {
		v.op("VEXTRACTF64X4 $1, %s, %s", r, low(to))
	} else {
		v.op("VEXTRACTF128 $1, %s, %s", r, low(to))
	}
}

// sum adds the lanes of r as a tree into lane 0.
func (v *vector) sum(r string) {
	t := v.new()
	v.high(r, t)
	n := "X" + r[1:]
	m := "X" + t[1:]
	if v.set == avx512 {
		v.op("VADDPS %s, %s, %s", low(t), low(r), low(r))
		v.op("VEXTRACTF128 $1, %s, %s", low(r), m)
	}
	v.op("VADDPS %s, %s, %s", m, n, n)
	v.op("VPERMILPS $0x4e, %s, %s", n, m)
	v.op("VADDPS %s, %s, %s", m, n, n)
	v.op("VPERMILPS $0xb1, %s, %s", n, m)
	v.op("VADDPS %s, %s, %s", m, n, n)
	v.drop(t)
}

// most puts the largest lane of r into all lanes.
func (v *vector) most(r string) {
	t := v.new()
	if v.set == avx512 {
		v.op("VSHUFF64X2 $0x4e, %s, %s, %s", r, r, t)
		v.op("VMAXPS %s, %s, %s", t, r, r)
		v.op("VSHUFF64X2 $0xb1, %s, %s, %s", r, r, t)
	} else {
		v.op("VPERM2F128 $0x01, %s, %s, %s", r, r, t)
	}
	v.op("VMAXPS %s, %s, %s", t, r, r)
	v.op("VPERMILPS $0x4e, %s, %s", r, t)
	v.op("VMAXPS %s, %s, %s", t, r, r)
	v.op("VPERMILPS $0xb1, %s, %s", r, t)
	v.op("VMAXPS %s, %s, %s", t, r, r)
	v.drop(t)
}

// exp replaces x by its exponential: x = n·ln2 + r, a polynomial of degree 7 in r (Cephes expf), times 2ⁿ. The relative error
// is below 2e-7. Below −87.3 the result is 0 (no denormals), above 88.3 it stays at exp(88.3); NaN stays NaN.
func (v *vector) exp(x string) {
	c := v.consts
	lowest := c.value("expLowest", -87.33)
	t, n, p := v.new(), v.new(), v.new()
	v.op("VMOVUPS %s, %s", lowest, t)
	v.op("VMAXPS %s, %s, %s", x, t, t)
	v.op("VMOVUPS %s, %s", c.value("expHighest", 88.37), n)
	v.op("VMINPS %s, %s, %s", t, n, t)
	v.op("VMOVUPS %s, %s", c.value("expMagic", 12582912), n)
	v.op("VFMADD231PS %s, %s, %s", c.value("expLog2E", 1.44269504088896341), t, n)
	v.op("VSUBPS %s, %s, %s", c.value("expMagic", 12582912), n, p)
	v.op("VFNMADD231PS %s, %s, %s", c.value("expLn2High", 0.693359375), p, t)
	v.op("VFNMADD231PS %s, %s, %s", c.value("expLn2Low", -2.12194440e-4), p, t)
	v.op("VMOVUPS %s, %s", c.value("exp0", 1.9875691500e-4), p)
	for i, k := range []float32{1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1, 1, 1} {
		v.op("VFMADD213PS %s, %s, %s", c.value(fmt.Sprintf("exp%d", i+1), k), t, p)
	}
	v.op("VPSLLD $23, %s, %s", n, n)
	v.op("VPADDD %s, %s, %s", c.value("exp7", 1), n, n)
	v.op("VMULPS %s, %s, %s", n, p, p)
	if v.set == avx512 {
		v.op("VCMPPS $5, %s, %s, K2", lowest, x) // not less than: true for NaN
		v.op("VMOVAPS.Z %s, K2, %s", p, x)
	} else {
		v.op("VCMPPS $5, %s, %s, %s", lowest, x, t)
		v.op("VANDPS %s, %s, %s", t, p, x)
	}
	v.drop(t, n, p)
}
