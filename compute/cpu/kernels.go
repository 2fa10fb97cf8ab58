package cpu

import (
	"reflect"
	"unsafe"
)

// tile is one call of a matrix-multiplication micro-kernel. The assembly reads it by offset.
type tile struct {
	a, b     *float32 // packed panels
	c        *float32 // where the tile goes
	partial  *float32 // dense rows × columns to begin the chains with; nil begins with 0
	residual *float32
	bias     *float32
	k        int
	stride   int // bytes from one row of c to the next
	rstride  int // bytes from one row of residual to the next
	alpha    float32
	flags    uint32
	ahead    *float32 // what is fetched into the level-2 cache meanwhile: fetched(k) bytes; may be nil
}

const flagAccumulate = 1

// fetched is how many bytes from ahead on a kernel call over k fetches.
func fetched(k int) int { return k / 4 * 64 }

// kernels is what differs between levels. All vector functions take any n ≥ 0.
type kernels struct {
	tables map[reflect.Type]any // see tableOf
	amx    *amxKernels          // products of bfloat16 by a tile unit, or nil
	elementKernels
	attentionKernels

	level         string
	rows, columns int           // of the largest tile
	gemm          []func(*tile) // for 1 … rows rows

	gemmPairs      []func(*tile)                                                          // the same for panels of bfloat16 pairs; nil if the processor lacks them
	transposePairs func(dst *float32, dstStride int, src *float32, srcStride, blocks int) // 8 rows, blocks of 16 values
	pairsA, pairsB func(dst, src *float32, srcStride, pairs int)
	pairLanes      func(dst, src *float32, srcStride, pairs, width int) // up to 16 lanes, as wide as the panel

	quants    quantKinds
	quantName string // of the instructions that multiply int8
	round8    func(dst *byte, scales, src *float32, orders *byte, blocks, stride, sumAt, offset, period int)

	superKernels

	dequantizers
	packedKernels

	transpose8, transpose4 func(dst *float32, dstStride int, src *float32, srcStride, blocks int) // strides in bytes
	copyA, copyB           func(dst, src *float32, srcStride, count int)                          // rows or columns wide
	panelKernels
	rowsOf      [turnForms][]func(*rowsTile) // few rows times weights where they lie, by what those are, for 1, 2, 4 … rows
	rowsOfPairs []func(*rowsTile)            // the same of bfloat16, which A is rounded to

	transposeLanes int // rows that transposeWhole turns
	transposeWhole transposer

	add         func(out, a, b *float32, n int)
	scale       func(x *float32, n int, by float32)
	dot         func(a, b *float32, n int) float32
	rope        func(x, y, cos, sin *float32, n int)                // halves x and y
	ropePairs   func(x, cos, sin *float32, n int)                   // n values; cos and sin repeated for each pair, sin's sign alternating
	most        func(x *float32, n int) float32                     // the largest; NaN is passed over
	expSum      func(dst, x *float32, n int, shift float32) float32 // dst = exp(x − shift), and the sum
	expScale    func(dst, x *float32, n int, shift, by float32)     // dst = exp(x − shift)·by
	adamw       func(p, g, m, v *float32, n int, c *adamwFactors)   //
	sumSquares  func(x *float32, n int) float64
	sumSquares4 func(a, b, c, d *float32, n int, sums *float64) // each as alone

	ceilingF32, ceilingBF16, ceilingInt8 ceilingLoop
	readMemory                           func(p *float32, n int) int // n bytes, a multiple of 1024
	copyMemory                           func(dst, src *float32, n int)
}

// tableOf is a level's table of some type: kernels that one operation alone has are declared in its file and nowhere else.
func tableOf[T any](k *kernels) *T {
	t, _ := k.tables[reflect.TypeFor[T]()].(*T)
	if t == nil {
		t = new(T)
		if k.tables == nil {
			k.tables = map[reflect.Type]any{}
		}
		k.tables[reflect.TypeFor[T]()] = t
	}
	return t
}

// adamwFactors are the numbers of one AdamW step. The assembly reads them by offset.
type adamwFactors struct {
	gradScale, beta1, rest1, beta2, rest2, keep, rate, inverse2, epsilon float32
}

func slice(p *float32, n int) []float32 { return unsafe.Slice(p, n) }

// at is the address of x[i]. Of an empty slice, where a kernel will read nothing, it is whatever the slice has.
func at(x []float32, i int) *float32 {
	p := unsafe.SliceData(x)
	if len(x) == 0 {
		return p
	}
	return (*float32)(unsafe.Add(unsafe.Pointer(p), i*4))
}

// tile0 is a kernel call that begins chains at 0 and writes rows of `columns` values.
func tile0(a, b, c *float32, columns, k int) tile {
	return tile{a: a, b: b, c: c, stride: columns * 4, k: k, alpha: 1}
}

// skip is the address of the i-th value from p on.
func skip(p *float32, i int) *float32 { return (*float32)(unsafe.Add(unsafe.Pointer(p), i*4)) }
