package dtype

import "encoding/binary"

// Encoders of the lattice formats IQ2 and IQ3. Source: ggml src/ggml-quants.c,
// quantize_row_iq2_*_impl and quantize_row_iq3_*_impl.

func init() {
	weightedEncoders[IQ2_XXS] = func(src, importance []float32, _ float32, dst []byte) bool {
		return encodeIQ2_XXS(src, importance, dst)
	}
	weightedEncoders[IQ2_XS] = func(src, importance []float32, _ float32, dst []byte) bool { return encodeIQ2_XS(src, importance, dst) }
	weightedEncoders[IQ2_S] = func(src, importance []float32, _ float32, dst []byte) bool { return encodeIQ2_S(src, importance, dst) }
	weightedEncoders[IQ3_XXS] = func(src, importance []float32, _ float32, dst []byte) bool {
		return encodeIQ3_XXS(src, importance, dst)
	}
	weightedEncoders[IQ3_S] = func(src, importance []float32, _ float32, dst []byte) bool { return encodeIQ3_S(src, importance, dst) }
	encoders[IQ2_S] = func(src []float32, dst []byte) bool { return encodeIQ2_S(src, nil, dst) }
	encoders[IQ3_XXS] = func(src []float32, dst []byte) bool { return encodeIQ3_XXS(src, nil, dst) }
	encoders[IQ3_S] = func(src []float32, dst []byte) bool { return encodeIQ3_S(src, nil, dst) }
}

// latticeFit looks for the scale, signs and points of a group of values.
type latticeFit struct {
	book    *book
	top     int     // levels
	steps   int     // scales tried on either side of that of the largest value
	by      float32 // between them
	even    bool    // signs of eight values have an even number of minuses
	least   float32 // magnitudes under it are zeros
	ranges  bool    // the first scale is the best of a search without a lattice
	again   bool    // the last pass looks at all points, not only at those off the lattice
	onGrid  bool    // what points count as before any scale is taken
	weights [32]float32
	roots   [32]float32 // of weights
	values  [32]float32 // magnitudes, all but the one whose sign was given up
}

// take reads values with their weights and gives their signs, for each eight a byte.
func (f *latticeFit) take(x []float32, signs []byte) []float32 {
	for i := range x {
		f.roots[i] = sqrt(f.weights[i])
	}
	for k := range signs {
		signs[k] = 0
		minuses := 0
		for i, v := range x[8*k:][:8] {
			if v >= 0 {
				f.values[8*k+i] = v
				continue
			}
			f.values[8*k+i] = -v
			signs[k] |= 1 << i
			minuses++
		}
		if !f.even {
			continue
		}
		if minuses%2 != 0 { // the value that matters least has the wrong sign
			weigh := func(i int) float32 { return float32(float32(f.weights[8*k+i]*x[8*k+i]) * x[8*k+i]) }
			least := 0
			for i := 1; i < 8; i++ {
				if weigh(i) < weigh(least) {
					least = i
				}
			}
			f.values[8*k+least] = -f.values[8*k+least]
			signs[k] ^= 1 << least
		}
		signs[k] &= 127
	}
	return f.values[:len(x)]
}

// round is the code of a point for a scale, and whether the rounded values lie on the lattice.
func (f *latticeFit) round(values []float32, first int, inverse, scale float32) (code int, on bool) {
	key, b := 0, f.book
	for i := range b.width {
		l := nearest(0.5*(float32(inverse*values[first+i])-1), 0, f.top-1)
		key |= l << (i * b.bits)
	}
	if code := b.code[key]; code >= 0 {
		return int(code), true
	}
	return b.closest(key, values[first:], f.roots[first:], scale, func(v int8) float32 { return float32(v) }), false
}

// sums are Σ w·x·q and Σ w·q² of points.
func (f *latticeFit) sums(values []float32, codes []int) (sumQX, sumQ2 float32) {
	for i, v := range values {
		w, q := f.weights[i], float32(f.book.point(codes[i/f.book.width])[i%f.book.width])
		sumQX += float32(float32(w*v) * q)
		sumQ2 += float32(float32(w*q) * q)
	}
	return sumQX, sumQ2
}

// fit writes codes and signs and returns the scale; 0 is a group of zeros, whose codes and signs are 0.
func (f *latticeFit) fit(x []float32, codes []int, signs []byte) float32 {
	values := f.take(x, signs)
	most := values[0]
	for _, v := range values {
		most = max(most, v)
	}
	zeros := func() float32 { clear(codes); clear(signs); return 0 }
	if most < f.least || most == 0 {
		return zeros()
	}
	scale, reach := most/float32(2*f.top-1), most
	if f.ranges {
		var levels [32]uint8
		scale = fitPositive(values, f.weights[:], f.top+1, levels[:len(values)])
		if reach = scale * float32(f.top); reach <= 0 {
			return zeros()
		}
	}
	var best float32
	var trial [8]int
	var on, onTrial [8]bool
	for k := range on {
		on[k] = f.onGrid
	}
	clear(codes)
	for step := -f.steps; step <= f.steps; step++ {
		inverse := (float32(2*f.top-1) + float32(float32(step)*f.by)) / reach
		scaleOf := 1 / inverse
		for k := range codes {
			trial[k], onTrial[k] = f.round(values, k*f.book.width, inverse, scaleOf)
		}
		sumQX, sumQ2 := f.sums(values, trial[:])
		if sumQ2 > 0 && float32(sumQX*sumQX) > float32(best*sumQ2) {
			scale = sumQX / sumQ2
			best = scale * sumQX
			copy(codes, trial[:])
			on = onTrial
		}
	}
	off := f.ranges
	for k := range codes {
		off = off || !on[k]
	}
	if off && scale > 0 {
		inverse := 1 / scale
		for k := range codes {
			if f.again || !on[k] {
				codes[k], _ = f.round(values, k*f.book.width, inverse, scale)
			}
		}
		if sumQX, sumQ2 := f.sums(values, codes); sumQ2 > 0 {
			scale = sumQX / sumQ2
		}
	}
	if scale < 0 {
		scale = -scale
		for k := range signs {
			signs[k] = ^signs[k]
			if f.even {
				signs[k] &= 127
			}
		}
	}
	return scale
}

// weigh sets the weights of a group: by importance, or as without does.
func (f *latticeFit) weigh(x, importance []float32, from int, sigma2 float32, without func(square float32) float32) {
	if importance != nil {
		importantWeights(f.weights[:], x, importance[from:], sigma2)
		return
	}
	for i, v := range x {
		f.weights[i] = without(float32(v * v))
	}
}

func plainSquare(square float32) float32 { return square }

// scaleCode is the four bits of a scale in units of the block's.
func scaleCode(inverse, scale float32, top int) int {
	return nearest(0.5*(float32(inverse*scale)-1), 0, top)
}

func encodeIQ2_XXS(src, importance []float32, dst []byte) bool {
	if abs(farthest(src)) > largestK {
		return false
	}
	clear(dst)
	f := latticeFit{book: bookIQ2_XXS(), top: 3, steps: 6, by: 0.1, even: true, least: tooSmall, ranges: true, again: true}
	sigma2 := sumSquares(src) / 256
	var scales [8]float32
	for j := range scales {
		x := src[32*j:][:32]
		f.weigh(x, importance, 32*j, sigma2, plainSquare)
		var codes [4]int
		var signs [4]byte
		scales[j] = f.fit(x, codes[:], signs[:])
		word := uint32(0)
		for k, code := range codes {
			dst[2+8*j+k] = byte(code)
			word |= uint32(signs[k]) << (7 * k)
		}
		binary.LittleEndian.PutUint32(dst[2+8*j+4:], word)
	}
	if largest(scales[:]) == 0 {
		clear(dst)
	}
	return finishIQ(scales[:], 15, 1, dst, 31, func(j, l int) { dst[2+8*j+7] |= byte(l) << 4 })
}

// finishIQ writes the block's scale, that of the largest group over unit times a
// factor, and gives each group its own in units of it. Where all are 0 so is the block's.
func finishIQ(scales []float32, top int, factor float32, dst []byte, unit float32, put func(j, l int)) bool {
	most := largest(scales)
	if most == 0 {
		return putScale(dst, 0)
	}
	d := most / unit
	inverse := 1 / d
	for j, s := range scales {
		put(j, scaleCode(inverse, s, top))
	}
	return putScale(dst, d*factor)
}

func encodeIQ2_XS(src, importance []float32, dst []byte) bool {
	if abs(farthest(src)) > largestK {
		return false
	}
	clear(dst)
	f := latticeFit{book: bookIQ2_XS(), top: 3, steps: 9, by: 0.1, even: true, least: tooSmall, onGrid: true}
	sigma2 := sumSquares(src) / 256
	var scales [16]float32
	for j := range scales {
		x := src[16*j:][:16]
		f.weigh(x, importance, 16*j, sigma2, plainSquare)
		var codes [2]int
		var signs [2]byte
		scales[j] = f.fit(x, codes[:], signs[:])
		for k, code := range codes {
			binary.LittleEndian.PutUint16(dst[2+4*j+2*k:], uint16(code)|uint16(signs[k])<<9)
		}
	}
	if largest(scales[:]) == 0 {
		clear(dst)
	}
	return finishIQ(scales[:], 15, 1, dst, 31, func(j, l int) { dst[66+j/2] |= byte(l) << (j % 2 * 4) })
}

func encodeIQ2_S(src, importance []float32, dst []byte) bool {
	if abs(farthest(src)) > largestK {
		return false
	}
	clear(dst)
	f := latticeFit{book: bookIQ2_S(), top: 3, steps: 9, by: 0.1, least: 1e-8, onGrid: true}
	sigma2 := 2 * sumSquares(src) / 256
	var scales [16]float32
	for j := range scales {
		x := src[16*j:][:16]
		f.weigh(x, importance, 16*j, sigma2, func(square float32) float32 { return float32(0.25*sigma2) + square })
		var codes [2]int
		var signs [2]byte
		scales[j] = f.fit(x, codes[:], signs[:])
		for k, code := range codes {
			i := 2*j + k
			dst[2+i] = byte(code)
			dst[66+i/4] |= byte(code>>8) << (i % 4 * 2)
			dst[34+i] = signs[k]
		}
	}
	return finishIQ(scales[:], 15, 0.9875, dst, 31, func(j, l int) { dst[74+j/2] |= byte(l) << (j % 2 * 4) })
}

func encodeIQ3_XXS(src, importance []float32, dst []byte) bool {
	if abs(farthest(src)) > largestK {
		return false
	}
	clear(dst)
	f := latticeFit{book: bookIQ3_XXS(), top: 8, steps: 15, by: 0.2, even: true, least: 1e-8, onGrid: true}
	sigma2 := 2 * sumSquares(src) / 256
	var scales [8]float32
	for j := range scales {
		x := src[32*j:][:32]
		f.weigh(x, importance, 32*j, sigma2, plainSquare)
		var codes [8]int
		var signs [4]byte
		scales[j] = f.fit(x, codes[:], signs[:])
		for k, code := range codes {
			dst[2+8*j+k] = byte(code)
		}
		word := uint32(0)
		for k, s := range signs {
			word |= uint32(s) << (7 * k)
		}
		binary.LittleEndian.PutUint32(dst[66+4*j:], word)
	}
	if largest(scales[:]) == 0 {
		clear(dst)
	}
	return finishIQ(scales[:], 15, 1.0125, dst, 31, func(j, l int) { dst[66+4*j+3] |= byte(l) << 4 })
}

func encodeIQ3_S(src, importance []float32, dst []byte) bool {
	if abs(farthest(src)) > largestK {
		return false
	}
	clear(dst)
	f := latticeFit{book: bookIQ3_S(), top: 8, steps: 9, by: 0.2, again: true}
	sigma2 := 2 * sumSquares(src) / 256
	var scales [8]float32
	for j := range scales {
		x := src[32*j:][:32]
		f.weigh(x, importance, 32*j, sigma2, plainSquare)
		var codes [8]int
		var signs [4]byte
		scales[j] = f.fit(x, codes[:], signs[:])
		for k, code := range codes {
			dst[2+8*j+k] = byte(code)
			dst[66+j] |= byte(code>>8) << k
		}
		copy(dst[74+4*j:], signs[:])
	}
	return finishIQ(scales[:], 15, 1.033, dst, 31, func(j, l int) { dst[106+j/2] |= byte(l) << (j % 2 * 4) })
}
