package model

import (
	"fmt"

	"lian/dtype"
)

// Take is what a view sees of a stored tensor of shape FileShape(shape), as the bytes of a parameter of that shape; Offset and
// Experts are the caller's. inFile says that they are the tensor's own bytes, not a copy.
func (v View) Take(stored []byte, t dtype.Type, shape []int) (data []byte, inFile bool, err error) {
	data, inFile = stored, true
	whole := v.FileShape(shape)
	if v.Transposed {
		if r := v.Rows; len(whole) == 2 && r.Times == 1 && t.BlockSize() == 1 { // one part of a shared matrix: the others stay
			return turnColumns(data, t.Bytes(1), whole[0], whole[1], r.From, r.Count), false, nil
		}
		if data, err = transpose(data, t, whole); err != nil {
			return nil, false, err
		}
		inFile = false
		n := len(whole)
		whole[n-1], whole[n-2] = whole[n-2], whole[n-1]
	}
	if r := v.Rows; !r.All() {
		outer, row, err := r.span(t, whole)
		if err != nil {
			return nil, false, err
		}
		if outer == 1 && r.Times == 1 {
			data = data[r.From*row : (r.From+r.Count)*row]
		} else {
			out := make([]byte, 0, len(data)/r.Total*r.Count*r.Times)
			r.Each(outer, func(at int) { out = append(out, data[at*row:(at+r.Count)*row]...) })
			data, inFile = out, false
		}
	}
	if v.Pairs > 0 {
		if data, err = reorderBytes(data, shape[0], v.Pairs, fromInterleaved); err != nil {
			return nil, false, err
		}
		inFile = false
	}
	if v.Turned {
		if data, err = transpose(data, t, v.Unturned(shape)); err != nil {
			return nil, false, err
		}
		inFile = false
	}
	return data, inFile, nil
}

// Put writes a parameter's bytes into the stored tensor that a view sees it in: the inverse of Take. stored is the whole tensor.
func (v View) Put(stored, data []byte, t dtype.Type, shape []int) (err error) {
	if v.Turned {
		if data, err = transpose(data, t, shape); err != nil {
			return err
		}
	}
	if v.Pairs > 0 {
		if data, err = reorderBytes(data, shape[0], v.Pairs, toInterleaved); err != nil {
			return err
		}
	}
	whole := v.FileShape(shape)
	if n := len(whole); v.Transposed {
		whole[n-1], whole[n-2] = whole[n-2], whole[n-1]
	}
	target := stored
	if v.Transposed {
		if target, err = transpose(stored, t, v.FileShape(shape)); err != nil {
			return err
		}
	}
	if r := v.Rows; r.All() {
		copy(target, data)
	} else {
		outer, row, err := r.span(t, whole)
		if err != nil {
			return err
		}
		r.Each(outer, func(at int) {
			copy(target[at*row:], data[:r.Count*row])
			data = data[r.Count*row:]
		})
	}
	if v.Transposed {
		back, err := transpose(target, t, whole)
		if err != nil {
			return err
		}
		copy(stored, back)
	}
	return nil
}

// span is how often the axis of rows is repeated by the axes before it, and the bytes of one row.
func (r Rows) span(t dtype.Type, stored []int) (outer, row int, err error) {
	outer, inner := 1, 1
	axis := len(stored) - 1 - r.Axis
	for i, n := range stored {
		switch {
		case i < axis:
			outer *= n
		case i > axis:
			inner *= n
		}
	}
	if inner%t.BlockSize() != 0 {
		return 0, 0, fmt.Errorf("rows of %d values are not whole blocks of %v", inner, t)
	}
	return outer, t.Bytes(inner), nil
}

// Each calls do with the first row of each run, counted over all repetitions.
func (r Rows) Each(outer int, do func(at int)) {
	for o := range outer {
		for i := range r.Times {
			do(o*r.Total + r.From + i*r.Every)
		}
	}
}
