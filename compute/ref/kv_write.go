package ref

import (
	"math"

	"lian/compute"
	"lian/compute/host"
	"lian/dtype"
)

var _ = provides(kvWrite)

func kvWrite(o *compute.KVWrite) error {
	index := host.I32(o.Index)
	if err := host.CheckIndex(index, o.Out.Shape[0]); err != nil {
		return err
	}
	x, out, scales := host.F32(o.X), host.Bytes(o.Out), host.F32(o.Scales)
	heads, head := o.X.Shape[1], o.X.Shape[2]
	size := o.Out.Type.Bytes(o.Out.Shape[2])
	for i, slot := range index {
		for h := range heads {
			row := x[(i*heads+h)*head:][:head]
			at := int(slot)*heads + h
			to := out[at*size:][:size]
			if o.Out.Type != dtype.U8 {
				if err := dtype.Quantize(o.Out.Type, row, to); err != nil {
					return err
				}
				continue
			}
			clear(to)
			scale, minimum := rangeOf(row, o.Bits())
			scales[2*at], scales[2*at+1] = scale, minimum
			if !(scale > 0) {
				continue
			}
			inverse := 1 / scale
			for j, v := range row {
				code := byte(math.RoundToEven(float64(float32(v-minimum) * inverse)))
				if o.Bits() == 8 {
					to[j] = code
				} else {
					half := (head + 1) / 2
					to[j%half] |= code << (4 * (j / half))
				}
			}
		}
	}
	return nil
}

// rangeOf is the scale and minimum of a row; the scale is 0 where there is no range and NaN where there is none to be had.
func rangeOf(row []float32, bits int) (scale, minimum float32) {
	low, high := float32(math.Inf(1)), float32(math.Inf(-1))
	for _, v := range row {
		if v-v != 0 {
			return float32(math.NaN()), 0
		}
		low, high = min(low, v), max(high, v)
	}
	if width := high - low; width-width != 0 {
		return float32(math.NaN()), 0
	}
	scale = (high - low) / float32(int(1)<<bits-1)
	if scale < 0x1p-126 {
		scale = 0
	}
	return scale, low
}
