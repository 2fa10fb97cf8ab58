package model

import (
	"errors"
	"math"

	"lian/compute"
)

// Adapter changes what a model computes for some rows of a batch without changing its weights, so that rows of several adapters and of
// the model as it is can be computed together.
type Adapter interface {
	// Key names the content: what one adapter computes is what another of the same key does.
	Key() string
	// Reaches says whether the adapter changes the product with the parameter called name, or with "embedding" what is looked up there.
	// The head's product is called "head", also where its weight is the embedding.
	Reaches(name string) bool
	// Apply adds to out what the adapter contributes to by · x·Wᵀ, with W the parameter called name.
	Apply(p *Pass, name string, x, out *compute.Tensor, by float32)
	// ApplyGrouped is Apply for a stack of matrices W [experts, out, in]: rows [starts[e], starts[e+1]) are multiplied with that of expert e.
	ApplyGrouped(p *Pass, name string, x, starts, out *compute.Tensor)
	// Embed adds to out what the adapter contributes to the embeddings of ids.
	Embed(p *Pass, ids []int32, out *compute.Tensor)
}

// Adapted are rows [From, To) of a batch that share an adapter.
type Adapted struct {
	Adapter  Adapter
	From, To int
}

// Adapt gives the sequence that was added last an adapter; nil is none of its own. Sequences of one adapter that stand together are
// computed together.
func (b *Batch) Adapt(a Adapter) {
	if a == nil {
		return
	}
	for len(b.Adapters) < b.Sequences() {
		b.Adapters = append(b.Adapters, nil)
	}
	b.Adapters[b.Sequences()-1] = a
}

// AdaptRows notes which rows of a batch have adapters; Forward calls it first. Sequences for which the batch names none have usual,
// nil for the model as it is.
func (p *Pass) AdaptRows(b *Batch, usual Adapter) {
	p.rows, p.adapted = b.Rows(), p.adapted[:0]
	if usual == nil && len(b.Adapters) == 0 {
		return
	}
	for s := range b.Sequences() {
		a := usual
		if s < len(b.Adapters) && b.Adapters[s] != nil {
			a = b.Adapters[s]
		}
		p.adapted = extend(p.adapted, a, int(b.QueryStart[s]), int(b.QueryStart[s+1]))
	}
}

// extend appends rows: to the last run, if they follow it and have its adapter.
func extend(list []Adapted, a Adapter, from, to int) []Adapted {
	if a == nil || from == to {
		return list
	}
	if n := len(list); n > 0 && list[n-1].To == from && list[n-1].Adapter == a {
		list[n-1].To = to
		return list
	}
	return append(list, Adapted{a, from, to})
}

// Adapted are the runs of rows that have adapters, in the batch that Forward ran last.
func (p *Pass) Adapted() []Adapted { return p.adapted }

// Adapt adds to out, which is by · x·Wᵀ and more, what adapters contribute to their rows. W is the parameter called name; x and out
// have the rows of the batch.
func (p *Pass) Adapt(name string, x, out *compute.Tensor, by float32) {
	p.adapt(p.adapted, name, x, out, by)
}

func (p *Pass) adapt(list []Adapted, name string, x, out *compute.Tensor, by float32) {
	for _, a := range list {
		switch {
		case !a.Adapter.Reaches(name):
		case a.From == 0 && a.To == x.Rows(): // whole: a tape knows tensors, not views of them
			a.Adapter.Apply(p, name, x, out, by)
		default:
			a.Adapter.Apply(p, name, x.Slice(a.From, a.To), out.Slice(a.From, a.To), by)
		}
	}
}

// AdaptEmbedding adds to out what adapters contribute to the embeddings of a batch's ids.
func (p *Pass) AdaptEmbedding(ids []int32, out *compute.Tensor) {
	for _, a := range p.adapted {
		if a.Adapter.Reaches("embedding") {
			a.Adapter.Embed(p, ids[a.From:a.To], out.Slice(a.From, a.To))
		}
	}
}

// adaptedAmong are the runs of rows that have adapters among chosen rows of the batch; nil is all of them.
func (p *Pass) adaptedAmong(rows []int32) []Adapted {
	if rows == nil || len(p.adapted) == 0 {
		return p.adapted
	}
	var list []Adapted
	for i, row := range rows {
		for _, a := range p.adapted {
			if a.From <= int(row) && int(row) < a.To {
				list = extend(list, a.Adapter, i, i+1)
			}
		}
	}
	return list
}

// headAdapter is the adapter of all rows, if it changes the head.
func (p *Pass) headAdapter() (Adapter, error) {
	for _, a := range p.adapted {
		switch {
		case !a.Adapter.Reaches(headName):
		case p.Tape != nil:
			return nil, errors.New("an adapter of the head is not trained over the fused cross-entropy")
		case a.From > 0 || a.To < p.rows:
			return nil, errors.New("an adapter changes the head: the losses of its sequences are computed in a batch of their own")
		default:
			return a.Adapter, nil
		}
	}
	return nil, nil
}

// adaptedCrossEntropy is CrossEntropy where an adapter changes the head, which the fused operation does not know: logits are made a few
// rows at a time and read.
func (p *Pass) adaptedCrossEntropy(m Model, a Adapter, hidden *compute.Tensor, targets []int32, loss, best *compute.Tensor) error {
	vocab := m.Head().Weight.Shape[0]
	losses, ids, step := make([]float32, len(targets)), make([]int32, len(targets)), compute.CrossEntropyRows(vocab)
	row := make([]float32, step*vocab)
	for from := 0; from < len(targets); from += step {
		to := min(from+step, len(targets))
		logits := p.logits(m, hidden.Slice(from, to), []Adapted{{a, 0, to - from}})
		if err := p.Stream.Read(logits, compute.HostBytes(row[:(to-from)*vocab])); err != nil {
			return err
		}
		for i := from; i < to; i++ {
			losses[i], ids[i] = crossEntropy(row[(i-from)*vocab:(i-from+1)*vocab], targets[i])
		}
	}
	p.Stream.Write(loss, compute.HostBytes(losses))
	if best != nil {
		p.Stream.Write(best, compute.HostBytes(ids))
	}
	return p.Stream.Err()
}

// crossEntropy is −log p(target), 0 where it is negative, and the most likely id.
func crossEntropy(logits []float32, target int32) (loss float32, best int32) {
	for id, l := range logits {
		if l > logits[best] {
			best = int32(id)
		}
	}
	if target < 0 {
		return 0, best
	}
	sum := 0.0
	for _, l := range logits {
		sum += math.Exp(float64(l - logits[best]))
	}
	return float32(float64(logits[best]-logits[target]) + math.Log(sum)), best
}
