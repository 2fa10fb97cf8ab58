package cpu

import (
	"math"

	"lian/compute"
	"lian/compute/host"
)

var _ = provides((*backend).adaFactor)

// adaFactor goes over the gradient three times: for the means, for the size of the step, to take it. Sums are float64 in an order that the shape gives.
func (b *backend) adaFactor(o *compute.AdaFactor) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if o.Param.Elements() == 0 {
		return nil
	}
	n, rows, columns := o.Matrices()
	t := &factoring{AdaFactor: o, p: host.F32(o.Param), g: host.F32(o.Grad), m: host.F32(o.M), v: host.F32(o.V), row: host.F32(o.Row), col: host.F32(o.Col),
		rows: rows, columns: columns, scale: factor(o.GradScale), sums: make([]float64, n*rows), mean: make([]float64, n)}
	if o.Additive {
		t.added = o.Epsilon1
	}
	size := 1.0
	if o.ScaleByParam {
		sum := 0.0
		for from := 0; from < len(t.p); from += compute.SumBlock {
			sum += b.sumSquares(at(t.p, from), min(compute.SumBlock, len(t.p)-from))
		}
		size = max(o.Epsilon2, math.Sqrt(sum/float64(len(t.p))))
	}
	if o.V != nil {
		t.squares()
	} else {
		b.spans(n*rows, 1, t.rowMeans)
		b.spans(n*columns, 64, t.columnMeans)
		for i := range t.mean {
			for _, x := range t.row[i*rows : (i+1)*rows] {
				t.mean[i] += float64(x) / float64(rows)
			}
		}
	}
	b.spans(n*rows, 1, t.lengths)
	sum := 0.0
	for _, s := range t.sums {
		sum += s
	}
	clip := max(1, math.Sqrt(sum/float64(len(t.p)))/o.Clip)
	t.rate, t.keep = float32(size*o.Rate/clip), float32(1-o.Shrink)
	if o.Additive {
		t.keep = float32(1 - size*o.Shrink)
	}
	b.spans(n*rows, 1, t.move)
	return nil
}

// factoring is one step. A vector is one row.
type factoring struct {
	*compute.AdaFactor
	p, g, m, v, row, col []float32
	rows, columns        int
	scale                float32
	added                float64
	sums                 []float64 // Σ u² of each row
	mean                 []float64 // of the row means, of each matrix
	rate, keep           float32
}

func (t *factoring) squares() {
	for i, x := range t.g {
		s := float64(x) * float64(t.scale)
		t.v[i] = float32((1-t.Fresh)*float64(t.v[i]) + t.Fresh*(s*s+t.added))
	}
}

func (t *factoring) rowMeans(_ *scratch, from, to int) {
	for i := from; i < to; i++ {
		sum := 0.0
		for _, x := range t.g[i*t.columns : (i+1)*t.columns] {
			s := float64(x) * float64(t.scale)
			sum += s * s
		}
		t.row[i] = float32((1-t.Fresh)*float64(t.row[i]) + t.Fresh*(sum/float64(t.columns)+t.added))
	}
}

func (t *factoring) columnMeans(_ *scratch, from, to int) {
	for from < to {
		matrix, first := from/t.columns, from%t.columns
		n := min(to-from, t.columns-first, 64)
		var sums [64]float64
		for i := range t.rows {
			at := (matrix*t.rows+i)*t.columns + first
			for j, x := range t.g[at : at+n] {
				s := float64(x) * float64(t.scale)
				sums[j] += s * s
			}
		}
		for j := range n {
			t.col[from+j] = float32((1-t.Fresh)*float64(t.col[from+j]) + t.Fresh*(sums[j]/float64(t.rows)+t.added))
		}
		from += n
	}
}

// row i's directions go to f, with the place in the tensor.
func (t *factoring) directions(i int, f func(at int, u float64)) {
	first := i * t.columns
	floor := t.Epsilon1 * t.Epsilon1
	if t.Additive {
		floor = 0
	}
	if t.v != nil {
		for j, x := range t.g {
			f(j, float64(x)*float64(t.scale)/math.Sqrt(max(float64(t.v[j]), floor)))
		}
		return
	}
	matrix := i / t.rows
	mean := t.mean[matrix]
	if !t.Additive {
		mean = max(mean, t.Epsilon1)
	}
	share := float64(t.row[i]) / mean
	col := t.col[matrix*t.columns : (matrix+1)*t.columns]
	for j, x := range t.g[first : first+t.columns] {
		f(first+j, float64(x)*float64(t.scale)/math.Sqrt(max(share*float64(col[j]), floor)))
	}
}

func (t *factoring) lengths(_ *scratch, from, to int) {
	for i := from; i < to; i++ {
		sum := 0.0
		t.directions(i, func(_ int, u float64) { sum += u * u })
		t.sums[i] = sum
	}
}

func (t *factoring) move(_ *scratch, from, to int) {
	beta, rest := float32(t.Beta1), float32(1-t.Beta1)
	for i := from; i < to; i++ {
		t.directions(i, func(at int, u float64) {
			step := t.rate * float32(u)
			if t.m != nil {
				t.m[at] = float32(beta*t.m[at]) + float32(rest*step)
				step = t.m[at]
			}
			t.p[at] = float32(t.p[at]*t.keep) - step
		})
	}
}
