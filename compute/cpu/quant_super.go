package cpu

import (
	"unsafe"

	"lian/compute"
	"lian/compute/host"
	"lian/dtype"
)

// superSize is the values of a super-block.
const superSize = 256

// superTile is one call of a kernel for super-blocks. The assembly reads it by offset.
type superTile struct {
	panel  *byte    // super-blocks of a panel: see gen/super.go
	values *int8    // activations: for each block, 256 of each row
	sums   *int16   // for each block and row, the sums of sub-blocks
	scales *float32 // for each block, one of each row
	out    *float32
	blocks int
	stride int // bytes from one row of out to the next
	resume int // 1: the chains go on from what is in out
}

// superForm is how a block type of 256 values is multiplied.
type superForm uint8

const (
	superMinimum8  superForm = iota // eight sub-blocks with a scale and a minimum each
	superMinimum16                  // sixteen
	superOffset16                   // sixteen with a scale, values stored above their meaning
	superTable8                     // eight with a scale, any 8-bit values
	superForms
)

// superType is what the kernels know of a block type.
type superType struct {
	form superForm
	subs int // sub-blocks
}

// superTypes are the block types of 256 values that have kernels.
var superTypes = map[dtype.Type]superType{
	dtype.Q2_K:   {superMinimum16, 16},
	dtype.Q3_K:   {superOffset16, 16},
	dtype.Q4_K:   {superMinimum8, 8},
	dtype.Q5_K:   {superMinimum8, 8},
	dtype.Q6_K:   {superOffset16, 16},
	dtype.IQ4_XS: {superTable8, 8},
}

// superKernels are a level's kernels for super-blocks.
type superKernels struct {
	superLanes    int // outputs of a panel
	superUnpack   map[dtype.Type]func(dst, src *byte, stride, blocks int, ahead *byte)
	superMultiply [superForms][]func(*superTile) // by rows
	superRound    func(dst *int8, scales *float32, sums *int16, src *float32, blocks, dstStride, scaleStride, sumStride, subs int)
}

// superElements is how many 32-bit elements each lane of a panel has for a super-block: d, dmin, scales, pairs, values.
func superElements(subs int) int { return 2 + subs + subs/2 + superSize/4 }

// superChunk is how many super-blocks are unpacked at a time: a panel of them stays in the level-1 cache while all rows are
// multiplied with it.
const superChunk = 4

// multiplySuper is MatMul with Fast for block types of 256 values that have kernels. Weights are read once, row by row in their
// file, unpacked to panels a chunk of k at a time, and each panel is multiplied with all rows; nothing of a weight is kept.
func (b *backend) multiplySuper(o *compute.MatMul, m, n, k int) error {
	kind := superTypes[o.B.Type]
	unpack, multiply, lanes := b.superUnpack[o.B.Type], b.superMultiply[kind.form], b.superLanes
	group, blocks, rowBytes, blockBytes := len(multiply), k/superSize, o.B.Type.Bytes(k), o.B.Type.BlockBytes()
	a := b.roundSuper(host.F32(o.A), m, k, group, kind.subs)
	raw, out := host.Bytes(o.B), host.F32(o.Out)
	e := epilogueOf(o)
	b.spans((n+lanes-1)/lanes, 1, func(s *scratch, from, to int) {
		panel := bytesOf(s.need(slotB, superElements(kind.subs)*lanes*superChunk))
		for j := from; j < to; j++ {
			rows, columns := raw[j*lanes*rowBytes:], min(lanes, n-j*lanes)
			ahead := rows
			if j+1 < to {
				ahead = raw[(j+1)*lanes*rowBytes:]
			}
			if columns < lanes { // what is not there is 0
				edge := bytesOf(s.need(slotC, (lanes*rowBytes+3)/4))[:lanes*rowBytes]
				clear(edge[copy(edge, rows):])
				rows, ahead = edge, edge
			}
			t := &s.super
			*t = superTile{panel: unsafe.SliceData(panel), out: at(out, j*lanes), stride: n * 4}
			if !e.plain || columns < lanes {
				t.out, t.stride = at(s.need(slotD, m*lanes), 0), lanes*4
			}
			first := t.out
			for done := 0; done < blocks; done += superChunk {
				t.blocks = min(superChunk, blocks-done)
				unpack(t.panel, &rows[done*blockBytes], rowBytes, t.blocks, &ahead[min(done*blockBytes*lanes, len(ahead)-1)])
				for r := 0; r < m; r += group {
					count := min(group, m-r)
					x := r*blocks + done*count
					t.values, t.scales, t.sums = atInt8(a.values, x*superSize), at(a.scales, x), atInt16(a.sums, x*kind.subs)
					t.out = (*float32)(unsafe.Add(unsafe.Pointer(first), r*t.stride))
					multiply[count-1](t)
				}
				t.resume = 1
			}
			if t.stride == lanes*4 && (!e.plain || columns < lanes) {
				e.write(out, slice(first, m*lanes), j*lanes, columns, lanes, m, n)
			}
		}
	})
	return nil
}

// superActivations are rows of activations as the kernels read them: groups of rows, in a group block by block, in a block row by
// row.
type superActivations struct {
	values []int8
	scales []float32
	sums   []int16 // of sub-blocks
}

func (b *backend) roundSuper(a []float32, m, k, group, subs int) superActivations {
	blocks := k / superSize
	values, sums := b.shared.need(slotE, m*k/4), b.shared.need(slotG, m*blocks*subs/2)
	x := superActivations{
		values: unsafe.Slice((*int8)(unsafe.Pointer(unsafe.SliceData(values))), m*k),
		sums:   unsafe.Slice((*int16)(unsafe.Pointer(unsafe.SliceData(sums))), m*blocks*subs),
		scales: b.shared.need(slotF, m*blocks),
	}
	b.spans(m, 4, func(_ *scratch, from, to int) {
		for r := from; r < to; r++ {
			first := r / group * group
			rows, lane := min(group, m-first), r%group
			where := first*blocks + lane
			b.superRound(atInt8(x.values, where*superSize), at(x.scales, where), atInt16(x.sums, where*subs), at(a, r*k), blocks, rows*superSize, rows*4, rows*subs*2, subs)
		}
	})
	return x
}

func atInt16(x []int16, i int) *int16 {
	return (*int16)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(x)), i*2))
}

// epilogue is what MatMul does with finished sums.
type epilogue struct {
	scale          float32
	accumulate     bool
	residual, bias []float32
	plain          bool // nothing
}

func epilogueOf(o *compute.MatMul) epilogue {
	e := epilogue{scale: o.Scale(), accumulate: o.Accumulate, residual: host.F32(o.Residual), bias: host.F32(o.Bias)}
	e.plain = e.scale == 1 && !e.accumulate && e.residual == nil && e.bias == nil
	return e
}

// write finishes m rows of `columns` sums, lanes apart, and puts them into out [m, n] from a column on.
func (e *epilogue) write(out, sums []float32, column, columns, lanes, m, n int) {
	for i := range m {
		row := sums[i*lanes : i*lanes+columns]
		to := out[i*n+column:][:columns]
		for c, v := range row {
			v = float32(v * e.scale)
			if e.accumulate {
				v += to[c]
			}
			if e.residual != nil {
				v += e.residual[i*n+column+c]
			}
			if e.bias != nil {
				v += e.bias[column+c]
			}
			to[c] = v
		}
	}
}
