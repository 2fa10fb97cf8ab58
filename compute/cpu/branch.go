package cpu

import (
	"lian/compute"
	"lian/compute/host"
)

// branching is a Branch in work: products of few rows whose tasks are done in one go.
type branching struct {
	b    *backend
	o    *compute.Branch
	run  []branchProduct // those of this launch
	from int             // number of the first
	gate bool            // a task of the first product does that of the second, and the gate of both

	products [len(compute.Branch{}.Products)]branchProduct
}

// branchProduct is one product, in the form that its weight's type has.
type branchProduct struct {
	form  branchForm
	tasks int
	quant quantProduct
	super superProduct
	dense multiplication
	far   outlierProduct // what the rounded rows lack
}

type branchForm uint8

const (
	notFew branchForm = iota // many rows, or a type without kernels for few
	quantForm
	superBlockForm
	denseForm
)

var _ = provides((*backend).branch)

// branch launches neighbouring products of one type together where rows are few. All of it has the bits of its operations alone.
func (b *backend) branch(o *compute.Branch) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if o.Norm != nil {
		spansWith(b, o.Norm.X.Rows(), 4, o.Norm, (*backend).rmsnormRows)
	}
	f := frame[branching](b)
	f.b, f.o = b, o
	gated := false
	for i := 0; i < len(o.Products) && o.Products[i] != nil; {
		last, err := f.plan(i)
		if err != nil {
			return err
		}
		if last == i {
			if i > 0 && b.sharesRecords(o.Products[i-1], o.Products[i]) {
				q := b.quantOf(o.Products[i])
				q.rounded = true
				b.multiplyQuant(q)
			} else if err := b.matmulLocked(o.Products[i]); err != nil {
				return err
			}
			i++
			continue
		}
		f.run, f.from = f.products[i:last], i
		f.gate = o.Gate != nil && i == 0 && last > 1
		gated = gated || f.gate
		tasks := 0
		for j := range f.run {
			if j != 1 || !f.gate {
				tasks += f.run[j].tasks
			}
		}
		b.eachOf(tasks, f)
		for j := range f.run {
			if err := f.run[j].dense.failed.Swap(nil); err != nil {
				return *err
			}
			f.run[j].forget()
		}
		i = last
	}
	if o.Gate != nil && !gated {
		spansWith(b, o.Gate.Out.Elements(), stretch, o.Gate, (*backend).gatedSpan)
	}
	f.o = nil
	return nil
}

// sharesRecords says whether a product of many rows takes the rounded rows of the one before as they are: weights of one type do.
func (b *backend) sharesRecords(before, o *compute.MatMul) bool {
	if b.quants[o.B.Type] == nil || before.B.Type != o.B.Type || !o.Fast || !before.Fast || o.Outliers != before.Outliers {
		return false
	}
	p, q := b.quantOf(before), b.quantOf(o)
	return p.n > 0 && !p.isFew() && !q.isFew()
}

// plan prepares products from number i on that one launch does, and returns the number after the last; i if there is none.
func (f *branching) plan(i int) (int, error) {
	b, first := f.b, f.o.Products[i]
	m, _, k := first.Dimensions()
	if m == 0 || k == 0 {
		return i, nil
	}
	j := i
	for ; j < len(f.products) && f.o.Products[j] != nil; j++ {
		o, p := f.o.Products[j], &f.products[j]
		if o.B.Type != first.B.Type || o.Fast != first.Fast || o.Outliers != first.Outliers || o.BF16 != first.BF16 || o.B.Shape[0] == 0 {
			break
		}
		switch p.form = f.form(o, p, m); p.form {
		case quantForm:
			p.quant = b.quantOf(o)
			p.quant.planRows()
			if j == i {
				p.quant.records = bytesOf(b.shared.need(slotE, (m*p.quant.blocks*p.quant.recordBytes+3)/4))
				if o.Outliers {
					p.quant.far.outliers = b.outliersOf(m, k)
				}
				p.quant.roundRows(&b.scratch[0], 0, m)
			} else {
				p.quant.records = f.products[i].quant.records
			}
			p.far = b.outlierProductOf(f.products[i].quant.far.outliers, o.B, m, p.quant.n, k, j)
			p.tasks = p.quant.planFew(b.workers)
		case superBlockForm:
			p.super = b.superOf(o)
			if j == i {
				p.super.rounding = b.superRoundingOf(host.F32(o.A), m, k, len(p.super.multiply), p.super.superType, o.Outliers)
				p.super.rounding.span(&b.scratch[0], 0, m)
			} else {
				p.super.rounding = f.products[i].super.rounding
			}
			p.super.x = p.super.rounding.superActivations
			p.far = b.outlierProductOf(p.super.rounding.far, o.B, m, p.super.n, k, j)
			p.tasks = b.spansFor((p.super.n+b.superLanes-1)/b.superLanes, 1)
		case denseForm:
			p.dense.failed.Store(nil)
			if j > i {
				p.dense.few = f.products[i].dense.few
				p.dense.planRowTasks()
			} else if err := p.dense.planRows(); err != nil {
				return i, err
			}
			p.tasks = p.dense.tasks
		}
		if p.form == notFew {
			break
		}
	}
	return j, nil
}

// form says how few rows are multiplied with a weight.
func (f *branching) form(o *compute.MatMul, p *branchProduct, m int) branchForm {
	b := f.b
	if kind := b.quants[o.B.Type]; kind != nil && o.Fast {
		if q := b.quantOf(o); q.isFew() {
			return quantForm
		}
		return notFew
	}
	if _, ok := superTypes[o.B.Type]; ok && o.Fast {
		if m <= fewRows {
			return superBlockForm
		}
		return notFew
	}
	p.dense.backend, p.dense.product = b, b.productOf(o)
	if p.dense.few.is = p.dense.canReadRows(); p.dense.few.is {
		return denseForm
	}
	return notFew
}

// forget keeps nothing alive.
func (p *branchProduct) forget() {
	p.quant, p.super, p.dense.product, p.dense.few.a, p.far = quantProduct{}, superProduct{}, product{}, nil, outlierProduct{}
}

// task implements tasker.
func (f *branching) task(s *scratch, task int) {
	for i := range f.run {
		p := &f.run[i]
		switch {
		case f.gate && i == 1: // done with the first
			continue
		case task >= p.tasks:
			task -= p.tasks
			continue
		}
		from, to := p.do(s, task)
		if f.gate && i == 0 {
			f.run[1].do(s, task)
			f.open(from, to)
		}
		return
	}
}

// do computes outputs [from, to) of all rows.
func (p *branchProduct) do(s *scratch, task int) (from, to int) {
	switch p.form {
	case quantForm:
		from, to = p.quant.fewOutputs(s, task)
		p.far.add(p.quant.out, p.quant.stride, 0, p.quant.m, from, to, p.quant.alpha)
		return from, to
	case superBlockForm:
		panels := (p.super.n + p.super.superLanes - 1) / p.super.superLanes
		from, to = panels*task/p.tasks, panels*(task+1)/p.tasks
		p.super.span(s, from, to)
		from, to = from*p.super.superLanes, min(to*p.super.superLanes, p.super.n)
		p.far.add(p.super.out, p.super.n, 0, p.super.m, from, to, p.super.end.scale)
		return from, to
	}
	return p.dense.rowsTask(s, task)
}

// open applies the gate to columns [from, to) of all rows.
func (f *branching) open(from, to int) {
	n := f.o.Gate.Out.Columns()
	for row := range f.o.Gate.Out.Rows() {
		f.b.gateColumns(f.o.Gate, row*n+from, row*n+to)
	}
}
