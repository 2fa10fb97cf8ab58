package figure

import (
	"math"

	"lian/compute"
	"lian/dtype"
	"lian/train"
)

// gradientNorms are the norms of gradients by group.
func gradientNorms(v train.View, byLayer bool) (map[string]float64, error) {
	s, groups := v.Stream, map[string][]*compute.Tensor{}
	for _, w := range v.Weights.All() {
		if g := v.Gradient(w.Tensor); g != nil {
			name := Group(w.Name, byLayer)
			groups[name] = append(groups[name], g)
		}
	}
	out := make(map[string]float64, len(groups))
	squares, value := compute.NewTensor(s.Backend(), dtype.F64, 1), make([]float64, 1)
	for name, list := range groups {
		s.Launch(&compute.SumSquares{X: list, Out: squares})
		if err := s.Read(squares, compute.HostBytes(value)); err != nil {
			return nil, err
		}
		out[name] = math.Sqrt(value[0])
	}
	return out, nil
}

// sampledRows is the most rows of a matrix that update ratios are taken from.
const sampledRows = 32

// sample is some rows of each parameter, evenly spread and the same each time, as they were. A copy of a whole model would cost as much memory as
// its weights; a sample of thousands of elements gives the ratio of two norms to a few percent.
type sample struct {
	values map[string][]float32
	rows   map[string]int
}

func takeSample(v train.View) (sample, error) {
	out := sample{map[string][]float32{}, map[string]int{}}
	s, b := v.Stream, v.Stream.Backend()
	for _, w := range v.Weights.All() {
		x := w.Tensor
		rows, columns := x.Rows(), x.Columns()
		if len(x.Shape) > 2 { // a stack is a taller matrix
			rows = x.Elements() / columns
		}
		n := min(rows, sampledRows)
		index := make([]int32, n)
		for i := range index {
			index[i] = int32(i * rows / n)
		}
		at, got := compute.NewTensor(b, dtype.I32, n), compute.NewTensor(b, dtype.F32, n, columns)
		s.Write(at, compute.HostBytes(index))
		s.Launch(&compute.Gather{Table: x.View(rows, columns), Index: at, Out: got})
		values := make([]float32, n*columns)
		if err := s.Read(got, compute.HostBytes(values)); err != nil {
			return out, err
		}
		out.values[w.Name], out.rows[w.Name] = values, rows
	}
	return out, nil
}

// updateRatios are the norms of what was added between two samples, over the norms of the weights before, by group. A matrix counts by all its rows.
func updateRatios(before, after sample, byLayer bool) map[string]float64 {
	type sums struct{ moved, weight float64 }
	groups := map[string]sums{}
	for name, old := range before.values {
		var moved, weight float64
		for i, v := range after.values[name] {
			moved += (float64(v) - float64(old[i])) * (float64(v) - float64(old[i]))
			weight += float64(old[i]) * float64(old[i])
		}
		share := float64(before.rows[name]) / float64(min(before.rows[name], sampledRows))
		g := Group(name, byLayer)
		groups[g] = sums{groups[g].moved + moved*share, groups[g].weight + weight*share}
	}
	out := map[string]float64{}
	for name, g := range groups {
		if g.weight > 0 {
			out[name] = math.Sqrt(g.moved / g.weight)
		}
	}
	return out
}
