package cpu

import (
	"unsafe"

	"lian/compute/host"
)

// scratch is memory that a worker keeps between operations, by purpose.
type scratch struct {
	tile   tile
	rows   rowsTile
	quant  quantTile
	super  superTile
	strip  strip
	ahead  ahead
	floats [slots][]float32

	columns packedColumns

	amx       amxTile
	amxPacked int // which blocks slotA holds, packed, while a product runs
}

// Purposes of scratch memory.
const (
	slotA = iota
	slotB
	slotC
	slotPartial
	slotD
	slotE
	slotF
	slotG
	slotH
	slotI
	slotJ
	slotTiles
	slotPacked
	slotGram
	slotPoly
	slotNext
	slotOutlier
	slots
)

// slack is how many values past its length a scratch slice may be written: kernels store whole registers.
const slack = 16

// need returns n values of undefined content; the same memory at every call for one purpose.
func (s *scratch) need(slot, n int) []float32 {
	if cap(s.floats[slot]) < n+slack {
		n := (n + n/4 + slack + 1023) / 1024 * 1024
		s.floats[slot] = aligned(n)
	}
	return s.floats[slot][:n]
}

// aligned allocates n values that begin at a cache line.
func aligned(n int) []float32 {
	raw := make([]float32, n+16)
	host.Huge(unsafe.Slice((*byte)(unsafe.Pointer(&raw[0])), 4*len(raw)))
	skip := int(-uintptr(unsafe.Pointer(&raw[0]))%64) / 4
	return raw[skip : skip+n : skip+n]
}
