package adapter

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"lian/compute"
	"lian/model"
)

// added is what an adapter adds to rows beside its low-rank products.
type added struct {
	dense  map[string]*compute.Tensor // by parameter: what the matrix of a product is more than the base's
	bias   map[string]*compute.Tensor // by parameter of a product: what its bias is more than the base's
	low    map[string][]lowRank       // by parameter: further low-rank updates
	lookup []lookup                   // of the embedding
}

// lowRank adds scale · B·A.
type lowRank struct {
	a, b  *compute.Tensor
	scale float32
}

// lookup adds to the embedding of an id a row of its table, or with b scale · row·bᵀ.
type lookup struct {
	table *compute.Tensor // [entries, width], or [entries, rank]
	index map[int32]int32 // entries of ids, 0 of all others; nil: an id is its entry
	b     *compute.Tensor // [width, rank]; nil: none
	scale float32
}

// ErrMergedOnly is wrapped by the error for an adapter that can be merged and not stand beside others.
var ErrMergedOnly = errors.New("it runs merged only (lian merge MODEL+ADAPTER OUT)")

// Beside readies the adapter to be applied to some rows of a batch while others have other adapters or none: nothing is written into
// the model. What the adapter changes beside products becomes an addition of the same effect, and the keys of the cache depend on rows
// alone. It refuses, by the parameter's name, what has no such form: norms, positions, whole stacks of experts. Those are for Merge.
//
// A tied head stays the base's where an adapter trains the embedding, as in PEFT, but for single tokens, which change there too.
func (l *LoRA) Beside(s compute.Stream, m model.Model) error {
	if l.added.low == nil {
		l.added = added{dense: map[string]*compute.Tensor{}, bias: map[string]*compute.Tensor{}, low: map[string][]lowRank{}}
	}
	tied := m.Parameters().Get("head") == nil
	for _, c := range l.changes {
		if err := l.added.take(s, m, c, tied); err != nil {
			return err
		}
	}
	l.changes = nil
	return l.seal(s)
}

// take makes an addition of a change.
func (a *added) take(s compute.Stream, m model.Model, c change, tied bool) error {
	w := m.Parameters().Get(c.parameter)
	if w == nil {
		return fmt.Errorf("the adapter changes %s, which the base lacks", c.parameter)
	}
	product, isBias := strings.CutSuffix(c.parameter, ".bias")
	switch {
	case c.a != nil && c.embedding:
		table, err := turned(s, c.a)
		if err != nil {
			return err
		}
		a.lookup = append(a.lookup, lookup{table: table, b: c.b, scale: c.scale})
		return nil
	case c.a != nil:
		a.low[c.parameter] = append(a.low[c.parameter], lowRank{c.a, c.b, c.scale})
		return nil
	case c.rows != nil && c.parameter == "embedding":
		return a.tokens(s, w, c, tied)
	}
	matrix := m.Parameters().Get(product)
	embedding := c.parameter == "embedding" && c.rows == nil
	if !embedding && !c.product && !(isBias && matrix != nil && len(matrix.Shape) == 2) {
		return fmt.Errorf("the adapter changes %s, which no addition to some rows of a batch can: %w", c.parameter, ErrMergedOnly)
	}
	base, err := model.Floats(s, w)
	if err != nil {
		return err
	}
	more, some := make([]float32, len(base)), false
	for i, v := range c.values {
		more[i] = v - base[i]
		some = some || more[i] != 0
	}
	if !some { // saved, but as the base has it
		return nil
	}
	t := constantOf(s, more, w.Shape...)
	switch {
	case embedding:
		a.lookup = append(a.lookup, lookup{table: t})
	case c.product:
		a.dense[c.parameter] = t
	default:
		a.bias[product] = t
	}
	return nil
}

// tokens makes additions of an embedding's rows that were trained, and of a tied head's.
func (a *added) tokens(s compute.Stream, w *compute.Tensor, c change, tied bool) error {
	base, err := model.Floats(s, w)
	if err != nil {
		return err
	}
	width, n := w.Columns(), len(c.rows)
	more, index := make([]float32, (n+1)*width), map[int32]int32{}
	for i, row := range c.rows {
		index[int32(row)] = int32(i + 1)
		for j := range width {
			more[(i+1)*width+j] = c.values[i*width+j] - base[row*width+j]
		}
	}
	a.lookup = append(a.lookup, lookup{table: constantOf(s, more, n+1, width), index: index})
	if !tied {
		return nil
	}
	places := make([]float32, w.Shape[0]*n) // logits of these tokens move, those of others get zero
	for i, row := range c.rows {
		places[row*n+i] = 1
	}
	a.low["head"] = append(a.low["head"], lowRank{constantOf(s, more[width:], n, width), constantOf(s, places, w.Shape[0], n), 1})
	return nil
}

func (a *added) reaches(name string) bool {
	return a.dense[name] != nil || a.bias[name] != nil || len(a.low[name]) > 0 || name == "embedding" && len(a.lookup) > 0
}

func (a *added) apply(p *model.Pass, name string, x, out *compute.Tensor, by float32) {
	if t := a.dense[name]; t != nil {
		model.Launch(p, compute.MatMul{A: x, B: t, Out: out, TransB: true, Alpha: by, Accumulate: true, BF16: p.BF16})
	}
	for _, t := range a.low[name] {
		low := p.Tensor(x.Rows(), t.a.Shape[0])
		model.Launch(p, compute.MatMul{A: x, B: t.a, Out: low, TransB: true, BF16: p.BF16})
		model.Launch(p, compute.MatMul{A: low, B: t.b, Out: out, TransB: true, Alpha: by * t.scale, Accumulate: true, BF16: p.BF16})
	}
	if t := a.bias[name]; t != nil {
		ones := p.Tensor(x.Rows(), 1)
		p.Stream.Write(ones, compute.HostBytes(slices.Repeat([]float32{1}, x.Rows())))
		model.Launch(p, compute.MatMul{A: ones, B: t.View(t.Elements(), 1), Out: out, TransB: true, Alpha: by, Accumulate: true})
	}
}

// Embed implements model.Adapter.
func (l *LoRA) Embed(p *model.Pass, ids []int32, out *compute.Tensor) {
	for _, t := range l.added.lookup {
		entries := p.Arena.Int32s(len(ids))
		for i, id := range ids {
			if entries[i] = id; t.index != nil {
				entries[i] = t.index[id]
			}
		}
		rows := p.Tensor(len(ids), t.table.Columns())
		model.Launch(p, compute.Gather{Table: t.table, Index: p.Ints(entries), Out: rows})
		if t.b != nil {
			model.Launch(p, compute.MatMul{A: rows, B: t.b, Out: out, TransB: true, Alpha: t.scale, Accumulate: true, BF16: p.BF16})
		} else {
			model.Launch(p, compute.Add{A: out, B: rows, Out: out})
		}
	}
}

// Key implements model.Adapter; it is empty before Beside.
func (l *LoRA) Key() string { return l.key }

// each calls f with what the adapter adds beside the weights, in a fixed order, until f fails. Tensors may be nil.
func (l *LoRA) each(f func(name string, scale float32, tensors ...*compute.Tensor) error) error {
	for _, name := range l.sorted() {
		if t := l.by[name]; t != nil {
			if err := f(name, t.scale, t.a, t.b, t.bias, t.gain); err != nil {
				return err
			}
		}
		if t := l.stacks[name]; t != nil {
			if err := f(name, 1, t.a, t.b); err != nil {
				return err
			}
		}
		if err := f(name, 1, l.added.dense[name], l.added.bias[name]); err != nil {
			return err
		}
		for _, t := range l.added.low[name] {
			if err := f(name, t.scale, t.a, t.b); err != nil {
				return err
			}
		}
	}
	for _, t := range l.added.lookup {
		if err := f(fmt.Sprint("embedding", t.index), t.scale, t.table, t.b); err != nil {
			return err
		}
	}
	return nil
}

// Bytes is the memory of what the adapter adds beside the weights.
func (l *LoRA) Bytes() (bytes int64) {
	seen := map[*compute.Tensor]bool{nil: true} // parameters that are rows of one stored tensor share its A
	l.each(func(_ string, _ float32, tensors ...*compute.Tensor) error {
		for _, t := range tensors {
			if !seen[t] {
				seen[t] = true
				bytes += int64(t.Bytes())
			}
		}
		return nil
	})
	return bytes
}

// seal marks the weights as constant and makes the key of them.
func (l *LoRA) seal(s compute.Stream) error {
	h := sha256.New()
	err := l.each(func(name string, scale float32, tensors ...*compute.Tensor) error {
		fmt.Fprintln(h, name, scale)
		for _, t := range tensors {
			if t == nil {
				continue
			}
			values, err := model.Floats(s, t)
			if err != nil {
				return err
			}
			t.Constant = true
			fmt.Fprintln(h, t.Shape)
			h.Write(compute.HostBytes(values))
		}
		return nil
	})
	l.key = hex.EncodeToString(h.Sum(nil)[:16])
	return err
}

// sorted are the parameters that the adapter reaches, in order of name.
func (l *LoRA) sorted() (names []string) {
	for name := range l.by {
		names = append(names, name)
	}
	for name := range l.stacks {
		names = append(names, name)
	}
	for name := range l.added.dense {
		names = append(names, name)
	}
	for name := range l.added.bias {
		names = append(names, name)
	}
	for name := range l.added.low {
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// constantOf is a float32 tensor of values that stay.
func constantOf(s compute.Stream, values []float32, shape ...int) *compute.Tensor {
	t := tensorOf(s, values, shape...)
	t.Constant = true
	return t
}

// turned is a matrix with rows and columns exchanged.
func turned(s compute.Stream, t *compute.Tensor) (*compute.Tensor, error) {
	values, err := model.Floats(s, t)
	if err != nil {
		return nil, err
	}
	rows, columns := t.Shape[0], t.Shape[1]
	out := make([]float32, len(values))
	for i := range rows {
		for j := range columns {
			out[j*rows+i] = values[i*columns+j]
		}
	}
	return constantOf(s, out, columns, rows), nil
}
