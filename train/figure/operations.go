package figure

import "lian/model/nn"

// Operations are the floating-point operations that a model needs for a text, a multiply-add counted as two: those of the model and not
// of a program, so that two programs can be held against each other.
//
// Counted are the products with matrices (for every row; of experts, those that a token goes through), attention's two products over the
// keys that each query sees by the true lengths of the sequences (so causal is half of a square, a window less, and grouped queries
// cost what their heads do), and the head once for each row that has a target. A backward is twice the forward. Not counted are
// norms, activations, the softmax, the optimizer and the gather of the embedding. Chowdhery et al., arXiv 2204.02311, appendix B,
// define utilisation (MFU) so; the widely used 6·N·tokens counts an embedding that is only gathered and no attention.
type Operations struct {
	row   float64     // of the layers' products, a row
	head  float64     // of the head, a row with a target
	pairs []attending // by layer, equal layers together
}

// attending are layers whose queries see the same keys.
type attending struct {
	window int
	pair   float64 // operations for one query and one key, all heads of all these layers
}

// NewOperations reads a model's counts off its Spec.
func NewOperations(s nn.Spec) Operations {
	var o Operations
	for l := range s.Layers {
		f := s.Layer(l).FeedForward
		one := nn.Spec{Hidden: s.Hidden, Layers: 1, Block: *s.Layer(l), Norm: s.Norm, NoFinalNorm: true, TiedEmbedding: true}
		for _, w := range one.Weights() {
			if w.Kind != nn.Matrix && w.Kind != nn.Residual {
				continue
			}
			n := 2.0
			for _, x := range w.Shape {
				n *= float64(x)
			}
			if f.Experts.Count > 0 && len(w.Shape) == 3 && w.Shape[0] == f.Experts.Count && w.Name[len("layers.0."):][0] == 'f' {
				n *= float64(f.Experts.Chosen) / float64(f.Experts.Count)
			}
			o.row += n
		}
		a := s.Layer(l).Attention
		o.attend(a.Window, 2*float64(a.Heads)*float64(a.HeadSize+a.Values()))
	}
	width := s.Hidden
	if s.EmbeddingWidth > 0 {
		width = s.EmbeddingWidth
		o.row += 2 * 2 * float64(s.Hidden) * float64(width)
	}
	o.head = 2 * float64(s.Vocab) * float64(width)
	return o
}

func (o *Operations) attend(window int, pair float64) {
	for i := range o.pairs {
		if o.pairs[i].window == window {
			o.pairs[i].pair += pair
			return
		}
	}
	o.pairs = append(o.pairs, attending{window, pair})
}

// Layers are the operations of the layers' forward over a sequence of n rows.
func (o Operations) Layers(n int) float64 {
	sum := o.row * float64(n)
	for _, a := range o.pairs {
		seen := float64(n) * float64(n+1) / 2
		if w := a.window; w > 0 && n > w {
			seen = float64(w)*float64(w+1)/2 + float64(n-w)*float64(w)
		}
		sum += a.pair * seen
	}
	return sum
}

// Head are the operations of the head's forward for so many rows with a target.
func (o Operations) Head(labels int) float64 { return o.head * float64(labels) }

// Step are the operations of forward and backward over sequences of these lengths with so many targets together. With frozen weights
// (adapters) the gradients of weights are not needed: pass false, and the backward counts once.
func (o Operations) Step(lengths []int, labels int, weightGradients bool) float64 {
	forward := o.Head(labels)
	for _, n := range lengths {
		forward += o.Layers(n)
	}
	if !weightGradients {
		return 2 * forward
	}
	return 3 * forward
}
