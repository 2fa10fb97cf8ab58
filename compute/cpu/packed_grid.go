package cpu

// gridRow writes the inputs from `from` on of output i.
func (r *packedRows) gridRow(i, from int, dst []float32) {
	groups, k := r.Groups(), r.Inputs
	scales := r.grid[i/r.GroupOutputs*groups:][:groups]
	var zeros []float32
	if r.gridZeros != nil {
		zeros = r.gridZeros[i/r.GroupOutputs*groups:][:groups]
	}
	if r.index != nil {
		for j := range dst {
			g := r.index[from+j]
			v := r.gridCode(i*k + from + j)
			if zeros != nil {
				v -= zeros[g]
			}
			dst[j] = v * scales[g]
		}
		return
	}
	for j := 0; j < len(dst); {
		g := (from + j) / r.Group
		end := min((g+1)*r.Group-from, len(dst))
		scale, zero := scales[g], float32(0)
		if zeros != nil {
			zero = zeros[g]
		}
		r.gridRun(i*k+from+j, dst[j:end], zero, scale)
		j = end
	}
}

// gridCode is the meaning of element e.
func (r *packedRows) gridCode(e int) float32 {
	if r.Bits == 8 {
		return r.codes[r.values[e]]
	}
	return r.codes[r.values[e/2]>>(e%2*4)&15]
}

// gridRun writes elements from e on that share a zero and a scale.
func (r *packedRows) gridRun(e int, dst []float32, zero, scale float32) {
	if r.Bits == 8 {
		codes := (*[256]float32)(r.codes)
		for j, v := range r.values[e:][:len(dst)] {
			dst[j] = (codes[v] - zero) * scale
		}
		return
	}
	codes := (*[16]float32)(r.codes)
	if e%2 == 1 && len(dst) > 0 {
		dst[0], dst, e = (codes[r.values[e/2]>>4]-zero)*scale, dst[1:], e+1
	}
	packed := r.values[e/2:][:(len(dst)+1)/2]
	for j := 0; j+1 < len(dst); j += 2 {
		v := packed[j/2]
		dst[j], dst[j+1] = (codes[v&15]-zero)*scale, (codes[v>>4]-zero)*scale
	}
	if n := len(dst); n%2 == 1 {
		dst[n-1] = (codes[packed[n/2]&15] - zero) * scale
	}
}
