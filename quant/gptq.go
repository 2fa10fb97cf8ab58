package quant

import (
	"cmp"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// dampening is the share of the mean of a Hessian's diagonal that is added to it, so that it can be inverted.
const dampening = 0.01

// GPTQ rounds a matrix [outputs, inputs] input by input, and lets the inputs that are still to come make up for what rounding the
// last one changed, as far as the activations allow. hessian is Σ x·xᵀ [inputs, inputs] over what the matrix is multiplied with; it is
// overwritten. Source: Frantar et al., arXiv 2210.17323, algorithm 1; act-order is that of its reference code.
func (a Affine) GPTQ(weights []float32, outputs, inputs int, hessian []float64) (*Codes, error) {
	order := make([]int, inputs)
	for i := range order {
		order[i] = i
	}
	diagonal, mean := make([]float64, inputs), 0.0
	for i := range diagonal {
		diagonal[i] = hessian[i*inputs+i]
		mean += diagonal[i] / float64(inputs)
	}
	if mean == 0 {
		return nil, fmt.Errorf("nothing but zeros came into the product")
	}
	if a.ActOrder {
		slices.SortStableFunc(order, func(x, y int) int { return cmp.Compare(diagonal[y], diagonal[x]) })
	}
	dead := make([]bool, inputs)
	h := make([]float64, inputs*inputs)
	for i, from := range order {
		for j, col := range order {
			h[i*inputs+j] = hessian[from*inputs+col]
		}
		if dead[i] = diagonal[from] == 0; dead[i] {
			h[i*inputs+i] = 1
		}
		h[i*inputs+i] += dampening * mean
	}
	u, err := inverseFactor(h, inputs)
	if err != nil {
		return nil, err
	}
	c, size := a.codes(outputs, inputs), a.group(inputs)
	groups := inputs / size
	if a.ActOrder {
		c.GroupOf = make([]int32, inputs)
		for i, k := range order {
			c.GroupOf[k] = int32(i / size)
		}
	}
	factor := make([]float32, len(u))
	for i, v := range u {
		factor[i] = float32(v)
	}
	eachRow(outputs, func(r int) {
		w := make([]float32, inputs)
		for i, k := range order {
			if !dead[i] {
				w[i] = weights[r*inputs+k]
			}
		}
		for i, k := range order {
			g := r*groups + i/size
			if i%size == 0 { // the grid is of the weights as they are now
				c.Scales[g], c.Zeros[g] = a.grid(func(j int) float32 { return w[i+j] }, size)
			}
			q := a.code(w[i], c.Scales[g], c.Zeros[g])
			c.Values[r*inputs+k] = q
			row := factor[i*inputs : (i+1)*inputs]
			e := (w[i] - c.Scales[g]*(float32(q)-float32(c.Zeros[g]))) / row[i]
			for j := i; j < inputs; j++ {
				w[j] -= float32(e * row[j])
			}
		}
	})
	return c, nil
}

// inverseFactor is the upper triangular U with UᵀU = h⁻¹. h is symmetric and positive, and is overwritten.
//
// With the rows and columns of h turned round, h' = L·Lᵀ; turned back, L⁻¹ is U.
func inverseFactor(h []float64, n int) ([]float64, error) {
	l := make([]float64, n*n)
	for i := range n {
		for j := range n {
			l[i*n+j] = h[(n-1-i)*n+n-1-j]
		}
	}
	for j := range n { // Cholesky, by columns; rows of a column are independent
		d := l[j*n+j]
		for k := range j {
			d -= l[j*n+k] * l[j*n+k]
		}
		if !(d > 0) {
			return nil, fmt.Errorf("what came into the product does not span its inputs (pivot %d is %g); use more text", j, d)
		}
		d = math.Sqrt(d)
		l[j*n+j] = d
		eachRow(n-j-1, func(r int) {
			i := j + 1 + r
			s, a, b := l[i*n+j], l[i*n:i*n+j], l[j*n:j*n+j]
			for k, v := range a {
				s -= v * b[k]
			}
			l[i*n+j] = s / d
		})
	}
	inverse := h // lower triangular, by columns: each is independent
	clear(inverse)
	columns := make([]float64, n*n) // column j as a row
	eachRow(n, func(j int) {
		x := columns[j*n : (j+1)*n]
		x[j] = 1 / l[j*n+j]
		for i := j + 1; i < n; i++ {
			s := 0.0
			for k := j; k < i; k++ {
				s -= l[i*n+k] * x[k]
			}
			x[i] = s / l[i*n+i]
		}
	})
	for i := range n {
		for j := range i + 1 {
			inverse[(n-1-i)*n+n-1-j] = columns[j*n+i]
		}
	}
	return inverse, nil
}

// eachRow calls f for each row; workers take them in turn.
func eachRow(rows int, f func(r int)) {
	workers := min(runtime.GOMAXPROCS(0), rows/8+1)
	if workers == 1 {
		for r := range rows {
			f(r)
		}
		return
	}
	var next atomic.Int64
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for r := int(next.Add(8)) - 8; r < rows; r = int(next.Add(8)) - 8 {
				for k := r; k < min(r+8, rows); k++ {
					f(k)
				}
			}
		})
	}
	group.Wait()
}
