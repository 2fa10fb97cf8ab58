package cpu

import "unsafe"

// transposer is a kernel that turns as many rows as its level has lanes, bytes of each: a multiple of 4, at least 16.
type transposer = func(dst, src *byte, rowBytes, bytes int, ahead *byte)

// transposeRows turns `rows` rows of `bytes` bytes, rowBytes apart in src, at most as many as transposeLanes, into columns of
// four bytes: dst gets for each four bytes of a row transposeLanes × 4 bytes, those of row 0 first. Lanes past rows are 0, and
// so is what the last column lacks if bytes is not a multiple of 4. It reads nothing outside the rows. As many bytes from ahead
// on are fetched into the caches; nil fetches nothing of use.
func (c *kernels) transposeRows(dst, src []byte, rowBytes, rows, bytes int, ahead *byte) {
	transposeRows(c.transposeWhole, c.transposeLanes, dst, src, rowBytes, rows, bytes, ahead)
}

// transposeRows is the same for any kernel that turns `lanes` rows.
func transposeRows(transpose transposer, lanes int, dst, src []byte, rowBytes, rows, bytes int, ahead *byte) {
	if bytes <= 0 {
		return
	}
	if rows == lanes && bytes%4 == 0 && bytes >= 16 {
		_, _ = dst[bytes*lanes-1], src[(rows-1)*rowBytes+bytes-1]
		transpose(unsafe.SliceData(dst), unsafe.SliceData(src), rowBytes, bytes, ahead)
		return
	}
	whole := bytes &^ 3
	if rows == lanes && whole >= 16 {
		transpose(unsafe.SliceData(dst), unsafe.SliceData(src), rowBytes, whole, ahead)
	} else {
		whole = 0
	}
	columns := dst[whole*lanes : (bytes+3)/4*4*lanes]
	clear(columns)
	for r := range rows {
		for i, v := range src[r*rowBytes+whole : r*rowBytes+bytes] {
			columns[(i/4*lanes+r)*4+i%4] = v
		}
	}
}

// genericTransposeRows8 is transposeWhole in plain Go, for eight rows.
func genericTransposeRows8(dst, src *byte, rowBytes, bytes int, _ *byte) {
	d, s := unsafe.Slice(dst, bytes*8), unsafe.Slice(src, 7*rowBytes+bytes)
	for r := range 8 {
		row := s[r*rowBytes:][:bytes]
		for i := 0; i+4 <= bytes; i += 4 {
			*(*[4]byte)(d[i*8+r*4:]) = *(*[4]byte)(row[i:])
		}
	}
}
