package cpu

import (
	"unsafe"

	"lian/compute"
	"lian/compute/host"
	"lian/dtype"
)

// rowKind is how keys and values are stored.
type rowKind uint8

const (
	floatRows rowKind = iota
	halfRows
	brainRows
	int8Rows
	int4Rows
)

func rowsOf(t *compute.Tensor, head int) rowKind {
	switch {
	case t.Type == dtype.F16:
		return halfRows
	case t.Type == dtype.BF16:
		return brainRows
	case t.Type == dtype.U8 && t.Shape[2] == head:
		return int8Rows
	case t.Type == dtype.U8:
		return int4Rows
	}
	return floatRows
}

func intsOf(x []float32) []int32 {
	return unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}

// bytesFrom is the address n bytes past p.
func bytesFrom(p *float32, n int) *float32 { return (*float32)(unsafe.Add(unsafe.Pointer(p), n)) }

// bytesAt is the address of x[i] as bytes.
func bytesAt(x []float32, i int) *byte { return (*byte)(unsafe.Pointer(at(x, i))) }

// widen writes rows of n values of a plain kind, times a factor, as rows of deep float32: 0 from n on.
func (c *kernels) widen(dst *float32, deep int, kind rowKind, src *byte, stride, rows, n, whole int, by float32) {
	n8 := n / c.lanes * c.lanes
	kernel := c.widenRows
	switch kind {
	case halfRows:
		kernel = c.widenHalf
	case brainRows:
		kernel = c.widenBrain
	}
	if rows <= 0 {
		return
	}
	kernel(dst, deep*4, src, stride, rows, n8, by)
	if n8 == whole {
		return
	}
	to := slice(dst, rows*deep)
	for r := range rows {
		row := to[r*deep : r*deep+whole]
		clear(row[n8:])
		from := unsafe.Add(unsafe.Pointer(src), r*stride)
		for i := n8; i < n; i++ {
			switch kind {
			case halfRows:
				row[i] = dtype.F16ToF32(*(*uint16)(unsafe.Add(from, 2*i))) * by
			case brainRows:
				row[i] = dtype.BF16ToF32(*(*uint16)(unsafe.Add(from, 2*i))) * by
			default:
				row[i] = *(*float32)(unsafe.Add(from, 4*i)) * by
			}
		}
	}
}

// tileRows is a tile of keys as float32 rows, headRow and valueRow apart.
type tileRows struct {
	from, count int // key positions
	k, v        []float32
	known, ok   bool // whether the values were looked at, and are finite
	tiles       tilesOfRows

	// What strips multiply with lanes: rows of one key each, whose k is the head; and rows of as many keys as an element has values of k.
	keys, values, keysTurned, valuesTurned operand
}

// loadTile makes dense rows of the keys and values of a tile, and the products' operands for one direction of them.
func (a *attending) loadTile(s *scratch, t attentionTask, tile, count int, backward bool) tileRows {
	x := tileRows{from: tile, count: count, k: s.need(slotA, keyTile*a.headRow), v: s.need(slotB, keyTile*a.valueRow)}
	a.loadRows(x.k, a.o.K, a.o.KScale, t, tile, count, a.head, a.deepHead, a.headRow)
	a.loadRows(x.v, a.o.V, a.o.VScale, t, tile, count, a.value, a.deepValue, a.valueRow)
	switch {
	case a.tiled():
		a.loadTiles(s, &x, backward)
	case a.paired():
		a.loadPairs(s, &x, backward)
	default:
		x.keys, x.values = operand{data: x.k, stride: a.headRow}, operand{data: x.v, stride: a.valueRow}
		x.keysTurned, x.valuesTurned = x.keys, x.values
	}
	return x
}

// finite says whether all values of the tile are.
func (a *attending) finite(x *tileRows) bool {
	if !x.known {
		x.known, x.ok = true, true
		for i := 0; i < x.count && x.ok; i++ {
			row := at(x.v, i*a.valueRow)
			x.ok = finite(a.b.dot(row, row, a.value))
		}
	}
	return x.ok
}

// loadRows makes float32 rows, row values apart, of one head of the keys or values at positions tile … tile+count−1.
func (a *attending) loadRows(dst []float32, x, scale *compute.Tensor, t attentionTask, tile, count, n, deep, row int) {
	kind := rowsOf(x, n)
	data := host.Bytes(x)
	head := x.Type.Bytes(x.Shape[2])
	for done := 0; done < count; {
		slot, run := a.run(t.sequence, tile+done, count-done)
		if slot < 0 { // beside what is seen; zeros meet a probability of 0
			for i := range run {
				clear(dst[(done+i)*row:][:deep])
			}
			done += run
			continue
		}
		at0 := slot*a.kv + t.group
		src := bytePointer(data, at0*head)
		if kind >= int8Rows {
			a.b.widenCodes(at(dst, done*row), row, kind == int4Rows, src, a.kv*head, at(host.F32(scale), 2*at0), a.kv*8, run, n, deep)
		} else {
			a.b.widen(at(dst, done*row), row, kind, src, a.kv*head, run, n, deep, 1)
		}
		done += run
	}
}

func bytePointer(x []byte, i int) *byte {
	return (*byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(x)), i))
}

// run is the slot of a key position and how many of the next keys, at most `most`, lie in the slots that follow; of a block that was
// given back, −1 and its keys.
func (q *sequences) run(s, p, most int) (slot, count int) {
	slot = q.slot(s, p)
	if q.blocks == nil {
		return slot, most
	}
	count = q.size - p%q.size
	for slot >= 0 && count < most && q.slot(s, p+count) == slot+count {
		count += q.size
	}
	return slot, min(count, most)
}

// widenCodes writes rows of codes with a scale and a minimum each as float32.
func (c *kernels) widenCodes(dst *float32, deep int, four bool, src *byte, stride int, scales *float32, scaleStride, rows, n, whole int) {
	if rows <= 0 {
		return
	}
	kernel, n8, half := c.widenInt8, n/c.lanes*c.lanes, (n+1)/2
	if four {
		kernel, n8 = c.widenInt4, 0
		if n%(2*c.lanes) == 0 {
			n8 = n
		}
	}
	kernel(dst, deep*4, src, stride, scales, scaleStride, rows, n8)
	if n8 == whole {
		return
	}
	for r := range rows {
		row := slice(bytesFrom(dst, r*deep*4), whole)
		clear(row[n8:])
		two := slice(bytesFrom(scales, r*scaleStride), 2)
		codes := unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(src), r*stride)), n)
		for i := n8; i < n; i++ {
			code := 0
			if four {
				code = int(codes[i%half]) >> (4 * (i / half)) & 15
			} else {
				code = int(codes[i])
			}
			row[i] = float32(two[0]*float32(code)) + two[1]
		}
	}
}
