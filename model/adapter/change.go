package adapter

import (
	"fmt"

	"lian/compute"
	"lian/dtype"
	"lian/model"
)

// change is something an adapter's file does to a parameter that no product adds up: a whole tensor, some rows, or a low-rank
// update of an embedding or the head.
type change struct {
	parameter string
	values    []float32       // the parameter's new values, or with rows those of the rows
	rows      []int           // nil: all
	a, b      *compute.Tensor // += scale · B·A, or with embedding += scale · Aᵀ·Bᵀ
	scale     float32
	embedding bool
	product   bool // the parameter is the matrix of a product
}

// Prepare writes into the model what the adapter changes beside its products: embeddings, whole modules, biases. The parameters are
// float32 in memory of their own. An adapter of products only changes nothing.
func (l *LoRA) Prepare(s compute.Stream, m model.Model) error {
	for _, c := range l.changes {
		w := m.Parameters().Get(c.parameter)
		if w == nil || w.Type != dtype.F32 {
			return fmt.Errorf("the adapter changes %s, which is %v in the base, expected F32", c.parameter, w)
		}
		switch {
		case c.a != nil && c.embedding:
			s.Launch(&compute.MatMul{A: c.a, B: c.b, Out: w, TransA: true, TransB: true, Alpha: c.scale, Accumulate: true})
		case c.a != nil:
			s.Launch(&compute.MatMul{A: c.b, B: c.a, Out: w, Alpha: c.scale, Accumulate: true})
		case c.rows != nil:
			values, err := model.Floats(s, w)
			if err != nil {
				return err
			}
			width := w.Columns()
			for i, row := range c.rows {
				copy(values[row*width:(row+1)*width], c.values[i*width:(i+1)*width])
			}
			s.Write(w, compute.HostBytes(values))
		default:
			s.Write(w, compute.HostBytes(c.values))
		}
	}
	l.changes = nil // done: a second time would add twice
	return s.Err()
}
