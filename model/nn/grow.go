package nn

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"lian/compute"
	"lian/dtype"
)

// Depth says how a model gets more layers.
type Depth string

// The ways to more layers. Layers of the smaller model are spread evenly; what comes between two of them is a copy of the one before.
const (
	// DepthPreserve: a copy writes nothing at first, so the larger model computes what the smaller one did (Wu et al., LLaMA Pro, arXiv 2401.02415).
	DepthPreserve Depth = "preserve"
	// DepthStack: a copy writes as its original does; the model has to settle, and often gets further (Du et al., arXiv 2405.15319).
	DepthStack Depth = "stack"
)

// Grow makes a larger model of a smaller one: more layers, a wider stream, more heads, wider feed-forwards, one or all of them. With
// DepthPreserve it computes exactly what the smaller one does (up to rounding), whatever grows:
//
//   - a new channel of the stream is written by nobody at first and read with random weights, so it can learn; RMSNorm's mean is over more
//     channels then, which gains (times √(old/new)) and the epsilon (times old/new) make up for;
//   - new heads and feed-forward channels have random weights on their way in and zeros on their way out.
//
// The Spec of the larger model is returned within it, with that epsilon. Both need the same kind of everything else; small's weights must be float32.
// Random weights are Initialise's with the same seed. Source: Chen et al., Net2Net, arXiv 1511.05641, carried over to decoders.
func Grow(b compute.Backend, small *Decoder, to Spec, seed uint64, depth Depth) (*Decoder, error) {
	from := small.Spec
	if err := growable(&from, &to); err != nil {
		return nil, err
	}
	if depth != DepthPreserve && depth != DepthStack {
		return nil, fmt.Errorf("depth %q, expected %s or %s", depth, DepthPreserve, DepthStack)
	}
	wider := float64(from.Hidden) / float64(to.Hidden)
	to.Norm.Epsilon = float32(float64(from.Norm.Epsilon) * wider)
	big, err := Initialise(b, to, seed, 0)
	if err != nil {
		return nil, err
	}
	g := grower{stream: b.NewStream(), wider: float32(math.Sqrt(wider)), offset: to.Norm.Offset}
	for _, w := range to.Weights() {
		name, copied := source(w.Name, from.Layers, to.Layers)
		old := small.parameters.Get(name)
		if old == nil {
			return nil, fmt.Errorf("weight %s: the smaller model has none; only sizes may differ", w.Name)
		}
		if old.Type != dtype.F32 {
			return nil, fmt.Errorf("weight %s is %v, expected F32", name, old.Type)
		}
		silent := copied && depth == DepthPreserve && (w.Kind == Residual || writesBias(w.Name))
		if err := g.grow(w, big.parameters.Get(w.Name), old, silent); err != nil {
			return nil, fmt.Errorf("weight %s: %w", w.Name, err)
		}
	}
	return big, g.stream.Err()
}

// growable says why one Spec cannot be grown into another.
func growable(from, to *Spec) error {
	a, b := &from.Attention, &to.Attention
	switch {
	case from.Each != nil || to.Each != nil:
		return fmt.Errorf("a model whose layers differ cannot grow")
	case to.Vocab != from.Vocab:
		return fmt.Errorf("the vocabulary is %d, expected the smaller model's %d; give it a tokenizer to extend that", to.Vocab, from.Vocab)
	case to.Hidden < from.Hidden || to.Layers < from.Layers || b.Heads < a.Heads || to.FeedForward.Hidden < from.FeedForward.Hidden:
		return fmt.Errorf("hidden size %d, %d layers, %d heads and feed-forward size %d, expected at least the smaller model's %d, %d, %d and %d",
			to.Hidden, to.Layers, b.Heads, to.FeedForward.Hidden, from.Hidden, from.Layers, a.Heads, from.FeedForward.Hidden)
	case b.HeadSize != a.HeadSize || b.Heads*a.KVHeads != a.Heads*b.KVHeads:
		return fmt.Errorf("%d heads of %d with %d kv heads, expected the head size %d and %d heads for each kv head", b.Heads, b.HeadSize, b.KVHeads, a.HeadSize, a.Heads/a.KVHeads)
	case to.Hidden > from.Hidden && (from.Norm.Kind != RMSNorm || from.Norm.NoGain || a.HeadNorm != NoHeadNorm || a.InnerNorm ||
		from.FeedForward.InnerNorm || a.Latent.Rank > 0 || from.EmbeddingWidth > 0):
		return fmt.Errorf("a wider stream needs RMSNorm with gains and no norm of heads; layers, heads and feed-forwards can grow")
	case from.FeedForward.Experts.Count > 0 && (to.Hidden != from.Hidden || to.FeedForward.Hidden != from.FeedForward.Hidden || to.FeedForward.Experts.Count != from.FeedForward.Experts.Count):
		return fmt.Errorf("of a mixture only layers and heads can grow")
	case (a.HeadNorm == EachOwnHead || a.HeadNorm == AllHeads || a.InnerNorm) && b.Heads != a.Heads || from.FeedForward.InnerNorm && to.FeedForward.Hidden != from.FeedForward.Hidden:
		return fmt.Errorf("a norm over what grows would change what the model computes")
	case a.ALiBi.Rule != NoALiBi && b.Heads != a.Heads:
		return fmt.Errorf("linear biases depend on the number of heads, which cannot grow then")
	case (from.NormAfter || from.NormedResidual) && to.Layers != from.Layers:
		return fmt.Errorf("a layer that norms the stream itself cannot begin as one that does nothing; layers cannot grow here")
	}
	return nil
}

// writesBias says whether a bias is added to the stream.
func writesBias(name string) bool {
	for _, end := range []string{"attention.o.bias", "down.bias", "_post_norm.bias"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}

// source is the smaller model's weight that a larger one's starts from, and whether it is in a layer that is a copy.
func source(name string, from, to int) (string, bool) {
	rest, ok := strings.CutPrefix(name, "layers.")
	if !ok {
		return name, false
	}
	number, rest, _ := strings.Cut(rest, ".")
	l, _ := strconv.Atoi(number)
	at := l * from / to
	copied := l > 0 && (l-1)*from/to == at
	return fmt.Sprintf("layers.%d.%s", at, rest), copied
}

type grower struct {
	stream        compute.Stream
	wider, offset float32
}

// grow lays the old values into the corner of the new ones. What is new of a matrix that writes into the stream, and new columns of an embedding, is
// zero; of other matrices it stays random.
func (g *grower) grow(w Weight, large, small *compute.Tensor, silent bool) error {
	if len(large.Shape) != len(small.Shape) {
		return fmt.Errorf("shape is %v in the smaller model, expected as many axes as in %v", small.Shape, large.Shape)
	}
	rows, columns := rectangle(large.Shape)
	oldRows, oldColumns := rectangle(small.Shape)
	values, old := make([]float32, large.Elements()), make([]float32, small.Elements())
	if err := g.stream.Read(large, compute.HostBytes(values)); err != nil {
		return err
	}
	if err := g.stream.Read(small, compute.HostBytes(old)); err != nil {
		return err
	}
	switch w.Kind {
	case Residual, Embedding, Bias:
		clear(values)
	}
	for r := range min(rows, oldRows) {
		copy(values[r*columns:r*columns+min(columns, oldColumns)], old[r*oldColumns:(r+1)*oldColumns])
	}
	if w.Kind == Gain && g.wider != 1 {
		for i := range values {
			values[i] = (values[i]+g.offset)*g.wider - g.offset
		}
	}
	if silent {
		clear(values)
	}
	g.stream.Write(large, compute.HostBytes(values))
	return nil
}

// rectangle is a shape as rows of its last axis.
func rectangle(shape []int) (rows, columns int) {
	rows, columns = 1, shape[len(shape)-1]
	for _, n := range shape[:len(shape)-1] {
		rows *= n
	}
	return rows, columns
}
