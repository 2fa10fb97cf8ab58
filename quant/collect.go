package quant

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"lian/compute"
	"lian/dtype"
	"lian/model"
)

// Collector adds up the squares of what comes into each product of a model that is run with its taps: an importance matrix. Sums are
// float32 in the order of the rows, as llama-imatrix's are; they do not depend on the number of workers.
type Collector struct {
	Matrix *Imatrix
	names  map[string]string // a parameter's tensor in GGUF
	stream compute.Stream
	rows   []float32
	err    error
}

// NewCollector collects for the tensors that GGUF has for these parameters. Parameters that share a tensor (q, k and v in some
// families) share what they multiply, so the first speaks for all. The output projection and the embedding are left out, as
// llama.cpp does.
func NewCollector(s compute.Stream, bindings []model.Binding) *Collector {
	c := &Collector{Matrix: &Imatrix{Entries: map[string]*Squares{}}, names: map[string]string{}, stream: s}
	taken := map[string]bool{}
	for _, b := range bindings {
		if name := b.GGUF.Name; strings.HasPrefix(name, "blk.") && !taken[name] && len(b.Shape) > 1 && strings.HasSuffix(name, ".weight") {
			c.names[b.Parameter], taken[name] = name, true
		}
	}
	return c
}

// Taps are what a pass must be given.
func (c *Collector) Taps() model.Taps {
	return model.Taps{
		Input: func(parameter string, x *compute.Tensor) { c.add(parameter, x, []int32{0, int32(x.Rows())}) },
		Experts: func(parameter string, x, starts *compute.Tensor) {
			ends := make([]int32, starts.Elements())
			if err := c.stream.Read(starts, compute.HostBytes(ends)); err != nil {
				c.err = err
				return
			}
			c.add(parameter, x, ends)
		},
	}
}

// Err is the first error of a tap.
func (c *Collector) Err() error { return c.err }

// add takes in rows [starts[e], starts[e+1]) for each expert e.
func (c *Collector) add(parameter string, x *compute.Tensor, starts []int32) {
	name, ok := c.names[parameter]
	if !ok || c.err != nil {
		return
	}
	columns, experts := x.Columns(), len(starts)-1
	e := c.Matrix.Entries[name]
	if e == nil {
		e = &Squares{Sums: make([]float32, experts*columns), Counts: make([]int64, experts)}
		c.Matrix.Entries[name] = e
	}
	if len(e.Sums) != experts*columns || x.Type != dtype.F32 {
		c.err = fmt.Errorf("%s: %d experts of %d columns in %v came, expected %d values of float32", name, experts, columns, x.Type, len(e.Sums))
		return
	}
	c.rows = slices.Grow(c.rows[:0], x.Elements())[:x.Elements()]
	if err := c.stream.Read(x, compute.HostBytes(c.rows)); err != nil {
		c.err = err
		return
	}
	for expert := range experts {
		first, last := int(starts[expert]), int(starts[expert+1])
		e.Counts[expert] += int64(last - first)
		addSquares(e.Sums[expert*columns:(expert+1)*columns], c.rows[first*columns:last*columns])
	}
}

// addSquares adds the squares of each row to the sums; workers share the columns.
func addSquares(sums, rows []float32) {
	columns := len(sums)
	if len(rows) == 0 {
		return
	}
	workers := min(runtime.GOMAXPROCS(0), (columns+255)/256)
	var group sync.WaitGroup
	for w := range workers {
		from, to := columns*w/workers, columns*(w+1)/workers
		group.Go(func() {
			own := sums[from:to]
			for at := from; at < len(rows); at += columns {
				row := rows[at : at+len(own)]
				for i, v := range row {
					own[i] += float32(v * v)
				}
			}
		})
	}
	group.Wait()
}
