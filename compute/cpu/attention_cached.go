package cpu

import (
	"unsafe"

	"lian/compute"
	"lian/compute/host"
)

// fewTask is one part in work: its queries meet keys and values sixteen rows at a time. Rows of float32 and bfloat16 are read where
// the cache has them; others, and those that do not lie one after the other, are made float32 first. While some rows are worked on
// the next ones are fetched, in the end the first of the next part: a sequence's rows in a block are too few for the hardware to
// see where they go.
type fewTask struct {
	*attending
	s          *scratch
	part, next *fewPart // next may be nil
	rows       int
	scores     []float32 // [kv heads of the part, rows, keyTile]
	begin, end int       // the keys of the tile that some row sees
	masked     bool      // not every row sees the same
}

// rowsTogether is how many rows of keys or values are worked on at a time.
const rowsTogether = 16

// row is the scores of a row of kv head number g of the part.
func (f *fewTask) row(g, r int) []float32 { return f.scores[(g*f.rows+r)*keyTile:][:keyTile] }

// inPlace says in which form the kernels read rows of n values where they lie, if they do.
func inPlace(x *compute.Tensor, n, unit int) (form int, is bool) {
	kind := rowsOf(x, n)
	if kind == brainRows {
		form = 1
	}
	return form, n%unit == 0 && (kind == floatRows || kind == brainRows)
}

// rowsAt is where rows of a part lie from position p of its tile on, of its first kv head: nil if so many of them do not lie one after the
// other, or there is no memory for as many as are read.
func (f *fewTask) rowsAt(x *compute.Tensor, part *fewPart, p, count, read int) *byte {
	slot, run := f.run(part.sequence, part.tile+p, count)
	if slot < 0 || run < count || slot+read > x.Shape[0] {
		return nil
	}
	return bytePointer(host.Bytes(x), (slot*f.kv+part.first)*x.Type.Bytes(x.Shape[2]))
}

// score multiplies all queries with all keys.
func (f *fewTask) score() {
	groups, x := f.part.last-f.part.first, f.o.K
	q := f.s.need(slotD, groups*f.rows*f.deepHead)
	for g := range groups {
		p := panel{sequence: f.part.sequence, group: f.part.first + g, rows: f.rows}
		f.denseRows(q[g*f.rows*f.deepHead:], host.F32(f.o.Q), &p, f.head, f.deepHead, f.deepHead, f.factor)
	}
	form, direct := inPlace(x, f.head, 8)
	size := x.Type.Bytes(x.Shape[2])
	for i := f.begin &^ (rowsTogether - 1); i < f.end; i += rowsTogether {
		count := min(rowsTogether, f.end-i)
		var from *byte
		if direct {
			from = f.rowsAt(x, f.part, i, count, rowsTogether)
		}
		ahead := f.rowsAt(f.o.V, f.part, f.begin, 1, 1)
		if i+rowsTogether < f.end {
			ahead = f.rowsAt(x, f.part, i+rowsTogether, 1, 1)
		}
		for g := range groups {
			t := &f.s.strip
			*t = strip{a: at(q, g*f.rows*f.deepHead), aStride: f.deepHead * 4, c: at(f.row(g, 0), i), cStride: keyTile * 4}
			kernels := f.b.keyScores[0]
			if from != nil {
				t.b, t.bStride, t.k = floats(past(from, g*size)), f.kv*size, f.head
				t.ahead = past(ahead, g*size)
				kernels = f.b.keyScores[form]
			} else {
				made := f.s.need(slotA, rowsTogether*f.deepHead)
				f.loadRows(made, x, f.o.KScale, f.keysOf(g), f.part.tile+i, count, f.head, f.deepHead, f.deepHead)
				t.b, t.bStride, t.k = at(made, 0), f.deepHead*4, f.deepHead
				t.ahead = bytesAt(made, 0)
			}
			kernels[f.rows-1](t)
		}
	}
}

// bring multiplies all probabilities with all values.
func (f *fewTask) bring() {
	groups, x := f.part.last-f.part.first, f.o.V
	form, direct := inPlace(x, f.value, 16)
	size := x.Type.Bytes(x.Shape[2])
	for i := f.begin &^ (rowsTogether - 1); i < f.end; i += rowsTogether {
		first, last := max(i, f.begin), min(i+rowsTogether, f.end)
		var from, ahead *byte
		if direct {
			from = f.rowsAt(x, f.part, first, last-first, last-first)
		}
		if last < f.end {
			ahead = f.rowsAt(x, f.part, last, 1, 1)
		} else if f.next != nil {
			begin, _ := f.rangeOf(f.next, 0)
			ahead = f.rowsAt(f.o.K, f.next, begin, 1, 1)
		}
		for g := range groups {
			rows := keptRows{form: form, at: past(from, g*size), stride: f.kv * size, ahead: past(ahead, g*size)}
			if from == nil {
				made := f.s.need(slotB, rowsTogether*f.deepValue)
				f.loadRows(made, x, f.o.VScale, f.keysOf(g), f.part.tile+first, last-first, f.value, f.deepValue, f.deepValue)
				rows = keptRows{at: bytesAt(made, 0), stride: f.deepValue * 4, ahead: bytesAt(made, 0)}
			}
			sums, _, _ := f.fewResult(f.part, g, f.rows)
			if !f.masked {
				f.bringRows(rows, at(f.row(g, 0), first), sums, f.rows, last-first)
				continue
			}
			for r := range f.rows {
				lo, hi := f.rangeOf(f.part, r)
				if lo, hi = max(lo, first), min(hi, last); lo < hi {
					rows := rows
					rows.at = past(rows.at, (lo-first)*rows.stride)
					f.bringRows(rows, at(f.row(g, r), lo), sums[r*f.deepValue:], 1, hi-lo)
				}
			}
		}
	}
}

// keptRows are rows of values of one kv head.
type keptRows struct {
	form   int
	at     *byte
	stride int
	ahead  *byte
}

// bringRows adds the products of rows of probabilities, keyTile apart, with n values.
func (f *fewTask) bringRows(x keptRows, p *float32, sums []float32, rows, n int) {
	size := 4 >> x.form // of a value
	for j := 0; j < f.deepValue; {
		vecs := 2
		for f.deepValue-j < 16<<vecs || len(f.b.bring[x.form][vecs]) < rows {
			vecs--
		}
		t := &f.s.strip
		*t = strip{a: p, aStride: keyTile * 4, b: floats(past(x.at, j*size)), bStride: x.stride, c: at(sums, j), cStride: f.deepValue * 4, k: n, ahead: past(x.ahead, j*size)}
		f.b.bring[x.form][vecs][rows-1](t)
		j += 16 << vecs
	}
}

// keysOf is kv head number g of the part, as loadRows asks for it.
func (f *fewTask) keysOf(g int) attentionTask {
	return attentionTask{sequence: f.part.sequence, group: f.part.first + g}
}

// floats is an address as a strip has it, whatever lies there.
func floats(p *byte) *float32 { return (*float32)(unsafe.Pointer(p)) }

// past is the address n bytes behind p, which may be nil.
func past(p *byte, n int) *byte {
	if p == nil {
		return nil
	}
	return (*byte)(unsafe.Add(unsafe.Pointer(p), n))
}
