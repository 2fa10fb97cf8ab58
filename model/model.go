package model

import (
	"fmt"

	"lian/compute"
)

// Model is a decoder: parameters by name and one Forward.
type Model interface {
	// Info is what others need to know to run it.
	Info() Info
	// Parameters are its weights in the order of the model.
	Parameters() *Parameters
	// Forward runs a batch and returns the final hidden rows [rows, hidden], after the last norm.
	Forward(p *Pass, b *Batch) (*compute.Tensor, error)
	// Head is what turns hidden rows into logits.
	Head() Head
}

// Head turns hidden rows into logits: l = Scale · hidden·Weightᵀ + Bias, with Softcap c·tanh(l/c).
type Head struct {
	Weight, Bias   *compute.Tensor // [vocab, hidden], and [vocab] or nil
	Scale, Softcap float32         // 0 is 1, and none
}

// headName is what adapters call the head's product.
const headName = "head"

// factor is Scale with its default.
func (h Head) factor() float32 {
	if h.Scale == 0 {
		return 1
	}
	return h.Scale
}

// Info is a model's size.
type Info struct {
	Family        string
	Vocab, Hidden int
	Context       int
	Cache         []CacheShape // of each layer
	// LengthClass says which prompts of other lengths have the same keys as one of so many tokens: those of an equal class. nil: all
	// do. It matters where the rotary embedding depends on the length of the prompt; see Batch.AddPrompt.
	LengthClass func(prompt int) int
	// Extends: positions past Context are meant to be used too (dynamic NTK), if someone asks for a longer one.
	Extends bool
	// Adapter is the key of the adapter of sequences that name none, "" where that is the model as it is.
	Adapter string
}

// CacheShape is what a layer keeps of a token: a key and a value for each kv head. With a Window, of the last so many tokens.
type CacheShape struct{ KVHeads, KeySize, ValueSize, Window int }

// Parameter is one weight.
type Parameter struct {
	Name   string // logical: layers.3.attention.q
	Tensor *compute.Tensor
}

// Parameters are weights by name, in a fixed order.
type Parameters struct {
	list []Parameter
	by   map[string]*compute.Tensor
}

// Add appends a parameter; its name must be new.
func (p *Parameters) Add(name string, t *compute.Tensor) {
	if p.by == nil {
		p.by = map[string]*compute.Tensor{}
	}
	if p.by[name] != nil {
		panic("model: two parameters are called " + name)
	}
	p.by[name] = t
	p.list = append(p.list, Parameter{name, t})
}

// Get is the parameter's tensor, nil if there is none of that name.
func (p *Parameters) Get(name string) *compute.Tensor { return p.by[name] }

// All is every parameter in order.
func (p *Parameters) All() []Parameter { return p.list }

// Tensors is every parameter's tensor in order.
func (p *Parameters) Tensors() []*compute.Tensor {
	out := make([]*compute.Tensor, len(p.list))
	for i, x := range p.list {
		out[i] = x.Tensor
	}
	return out
}

// Count is the number of weights.
func (p *Parameters) Count() int {
	n := 0
	for _, x := range p.list {
		n += x.Tensor.Elements()
	}
	return n
}

// Freeze marks every weight as constant, so that a backend may keep packed forms.
func (p *Parameters) Freeze() {
	for _, x := range p.list {
		x.Tensor.Constant = true
	}
}

// Logits are the head's answers [len(rows), vocab] for chosen rows of hidden, which Forward gave; nil rows means all.
func Logits(p *Pass, m Model, hidden *compute.Tensor, rows []int32) *compute.Tensor {
	adapted := p.adaptedAmong(rows)
	if rows != nil {
		chosen := p.Tensor(len(rows), hidden.Columns())
		Launch(p, compute.Gather{Table: hidden, Index: p.Ints(rows), Out: chosen})
		hidden = chosen
	}
	return p.logits(m, hidden, adapted)
}

// logits are the head's answers for rows of which some have adapters.
func (p *Pass) logits(m Model, hidden *compute.Tensor, adapted []Adapted) *compute.Tensor {
	h := m.Head()
	out := p.Tensor(hidden.Rows(), h.Weight.Shape[0])
	Launch(p, compute.MatMul{A: hidden, B: h.Weight, Bias: h.Bias, Out: out, TransB: true, Alpha: h.Scale, Fast: p.Precision == Fast, Outliers: true, BF16: p.RoundsTo16(h.Weight)})
	p.adapt(adapted, headName, hidden, out, h.factor())
	if h.Softcap > 0 {
		for _, by := range []float32{1 / h.Softcap, h.Softcap} {
			if by == h.Softcap {
				Launch(p, compute.Activation{X: out, Out: out, Kind: compute.Tanh})
			}
			Launch(p, compute.Scale{X: out, Out: out, By: by})
		}
	}
	return out
}

// CrossEntropy is −log p(target) in nats for each row [rows], 0 where the target is negative, and the most likely id of each
// row if best is asked for. With a tape, the gradients of scale · Σ weights · loss are on their way; nil weights are 1.
func CrossEntropy(p *Pass, m Model, hidden *compute.Tensor, targets []int32, weights []float32, scale float32, best *compute.Tensor) (*compute.Tensor, error) {
	return CrossEntropyWith(p, m, hidden, targets, weights, scale, best, LossTerms{})
}

// LossTerms are what a training loss has beside −log p(target).
type LossTerms struct {
	LabelSmoothing float32 // share of the target that goes to all tokens alike
	ZLoss          float32 // factor of logsumexp² (PaLM, arXiv 2204.02311)
	// LogSumExp takes the logsumexp of every row [rows], so that the second can be told from the first; may be nil.
	LogSumExp *compute.Tensor
}

// CrossEntropyWith is CrossEntropy with other terms, which the rows' losses and the gradients contain; a head with an adapter has none.
func CrossEntropyWith(p *Pass, m Model, hidden *compute.Tensor, targets []int32, weights []float32, scale float32, best *compute.Tensor, terms LossTerms) (*compute.Tensor, error) {
	if len(targets) != hidden.Rows() || weights != nil && len(weights) != len(targets) {
		return nil, fmt.Errorf("%d targets and %d weights for %d rows", len(targets), len(weights), hidden.Rows())
	}
	loss := p.Tensor(len(targets))
	var rowWeights *compute.Tensor
	if weights != nil {
		rowWeights = p.Tensor(len(weights))
		p.Stream.Write(rowWeights, compute.HostBytes(weights))
	}
	if a, err := p.headAdapter(); a != nil || err != nil {
		if err == nil && terms != (LossTerms{}) {
			err = fmt.Errorf("label smoothing %v and z-loss %v, expected none where an adapter is on the head", terms.LabelSmoothing, terms.ZLoss)
		}
		if err == nil {
			err = p.adaptedCrossEntropy(m, a, hidden, targets, loss, best)
		}
		return loss, err
	}
	h := m.Head()
	Launch(p, compute.LinearCrossEntropy{Hidden: hidden, Weight: h.Weight, Bias: h.Bias, LogitScale: h.Scale, Softcap: h.Softcap, Targets: p.Ints(targets), Weights: rowWeights, Loss: loss, Best: best, Scale: scale,
		LabelSmoothing: terms.LabelSmoothing, ZLoss: terms.ZLoss, LogSumExp: terms.LogSumExp, Fast: p.Precision == Fast, BF16: p.RoundsTo16(h.Weight)})
	return loss, nil
}
