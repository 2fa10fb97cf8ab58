package step

import (
	"fmt"
	"slices"

	"lian/compute"
	"lian/model"
)

// fold is products that share their inputs, and what these come from: dividing the one by scales and multiplying the others with them
// changes nothing but how well they round.
type fold struct {
	layer    int
	products []codedWeight
	// What is divided: the gain and the bias of a norm, or the rows of a matrix and its bias; none where nothing can be.
	from string
	norm bool
}

// folds part the coded products of a model. Products that nothing can be folded into are alone.
func (m *Opened) folds(coded []codedWeight) (list []fold) {
	byName, spec := map[string]codedWeight{}, &m.Model.Spec // those that are in no fold yet
	for _, w := range coded {
		byName[w.name] = w
	}
	add := func(layer int, from string, norm bool, names ...string) {
		f := fold{layer: layer, from: fmt.Sprintf("layers.%d.%s", layer, from), norm: norm}
		for _, n := range names {
			w, ok := byName[fmt.Sprintf("layers.%d.%s", layer, n)]
			if !ok {
				return // it is not rounded, and would have to be scaled too
			}
			f.products = append(f.products, w)
		}
		if _, ok := byName[f.from]; !ok && !norm {
			return
		}
		for _, w := range f.products {
			delete(byName, w.name)
		}
		list = append(list, f)
	}
	for l := range spec.Layers {
		b := spec.Layer(l)
		a, f := &b.Attention, &b.FeedForward
		heads, inner := []string{"attention.q", "attention.k", "attention.v"}, []string{"feed_forward.gate", "feed_forward.up"}
		if f.Plain {
			inner = inner[1:]
		}
		dense, plain := f.Experts.Count == 0, a.Latent.Rank == 0
		if plain && !a.InnerNorm && a.Clip == 0 && a.Heads == a.KVHeads {
			add(l, "attention.v", false, "attention.o")
		}
		if dense && !f.Plain && !f.InnerNorm && f.Limit == 0 && f.Offset == 0 {
			add(l, "feed_forward.up", false, "feed_forward.down")
		}
		if b.NoPreNorm || spec.Norm.NoGain || !plain || b.SharedNorm && !dense {
			continue
		}
		if b.SharedNorm {
			add(l, "attention_norm", true, append(heads, inner...)...)
			continue
		}
		add(l, "attention_norm", true, heads...)
		if dense {
			add(l, "feed_forward_norm", true, inner...)
		}
	}
	for _, w := range coded {
		if _, alone := byName[w.name]; alone {
			layer := -1
			fmt.Sscanf(w.name, "layers.%d.", &layer)
			list = append(list, fold{layer: layer, products: []codedWeight{w}})
		}
	}
	slices.SortStableFunc(list, func(a, b fold) int { // norms first: what is folded into v or up then is of no matter to their rounding
		switch {
		case a.layer != b.layer:
			return a.layer - b.layer
		case a.norm == b.norm:
			return 0
		case a.norm:
			return -1
		}
		return 1
	})
	return list
}

// folding changes the parameters of a model, which must be float32.
type folding struct {
	m      *Opened
	stream compute.Stream
	byName map[string]*compute.Tensor
}

func (m *Opened) folding(s compute.Stream) *folding {
	f := &folding{m, s, map[string]*compute.Tensor{}}
	for _, p := range m.Model.Parameters().All() {
		f.byName[p.Name] = p.Tensor
	}
	return f
}

// change gives each value of a parameter, if there is one of this name, another.
func (f *folding) change(name string, to func(i int, v float32) float32) error {
	t := f.byName[name]
	if t == nil {
		return nil
	}
	values, err := model.Floats(f.stream, t)
	if err != nil {
		return err
	}
	for i, v := range values {
		values[i] = to(i, v)
	}
	f.stream.Write(t, compute.HostBytes(values))
	return f.stream.Err()
}

// apply multiplies the columns of a fold's products with scales, and divides what they come from.
func (f *folding) apply(d fold, scales []float32) error {
	for _, w := range d.products {
		if err := f.change(w.name, func(i int, v float32) float32 { return v * scales[i%w.inputs] }); err != nil {
			return err
		}
	}
	offset := float32(0)
	columns := 1
	if d.norm {
		offset = f.m.Model.Spec.Norm.Offset
	} else {
		columns = f.byName[d.from].Columns()
	}
	if err := f.change(d.from, func(i int, v float32) float32 { return (v+offset)/scales[i/columns] - offset }); err != nil {
		return err
	}
	return f.change(d.from+".bias", func(i int, v float32) float32 { return v / scales[i] })
}
