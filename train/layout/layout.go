// Package layout says on paper what training over many devices needs: memory of
// each kind and traffic of each kind on the busiest device, for a model and a way
// to divide it, as InternEvo and Megatron divide (data, tensor, sequence, pipeline,
// ZeRO, sharded weights).
//
// It guarantees that the same numbers come out everywhere: nothing is measured.
// It refuses a layout whose parts do not divide its whole. What an allocator adds
// (caches, fragments, the buffers of collectives) is not in it: published peaks are
// up to twice as high; headline.yaml has them side by side.
package layout

import (
	"fmt"
	"slices"
	"strings"
)

// Model is the shape that a layout divides: a Llama-like decoder.
type Model struct {
	Layers        int  `yaml:"layers"`
	Hidden        int  `yaml:"hidden"`
	Heads         int  `yaml:"heads"`
	KVHeads       int  `yaml:"kv_heads"`
	HeadSize      int  `yaml:"head_size"`
	FeedForward   int  `yaml:"feed_forward"`
	Vocab         int  `yaml:"vocab"`
	Tied          bool `yaml:"tied"`
	Experts       int  `yaml:"experts"` // 0: dense
	ChosenExperts int  `yaml:"chosen_experts"`
}

// layerParameters is the number of parameters of a layer: those every token uses or may use.
func (m Model) layerParameters() int64 {
	feedForward := 3 * int64(m.Hidden) * int64(m.FeedForward) * int64(max(m.Experts, 1))
	return m.attentionParameters() + feedForward + int64(m.Hidden)*int64(m.Experts) + 2*int64(m.Hidden)
}

func (m Model) attentionParameters() int64 {
	return int64(m.Hidden) * int64(m.HeadSize) * int64(2*m.Heads+2*m.KVHeads)
}

// Parameters is the number of all parameters.
func (m Model) Parameters() int64 {
	ends := int64(m.Vocab) * int64(m.Hidden)
	if !m.Tied {
		ends *= 2
	}
	return int64(m.Layers)*m.layerParameters() + ends + int64(m.Hidden)
}

// active is the number of weights that multiply a token: no embedding look-up, and of a mixture the chosen experts.
func (m Model) active() int64 {
	feedForward := 3 * int64(m.Hidden) * int64(m.FeedForward) * int64(max(m.ChosenExperts, 1))
	return int64(m.Layers)*(m.attentionParameters()+feedForward+int64(m.Hidden)*int64(m.Experts)) + int64(m.Vocab)*int64(m.Hidden)
}

// Operations is the floating-point operations to learn from one token of a sequence: two for each weight forward, four backward, and causal attention
// over half the sequence on average.
func (m Model) Operations(sequence int) float64 {
	return 6*float64(m.active()) + 6*float64(m.Layers*m.Heads*m.HeadSize)*float64(sequence)
}

// InternEvoOperations is what InternEvo's get_megatron_flops counts for a token: all heads have keys of their own, attention sees the whole sequence, and
// recomputation counts as work. Published TFLOPS are of this formula.
func (m Model) InternEvoOperations(sequence int, recompute bool) float64 {
	factor := 3.0
	if recompute {
		factor = 4
	}
	h, ratio := float64(m.Hidden), float64(m.FeedForward)/float64(m.Hidden)
	return factor*((8+ratio*1.5*4)*h*h+4*float64(sequence)*h)*float64(m.Layers) + 6*h*float64(m.Vocab)
}

// Modes are the ways to divide a layer over Tensor devices; see docs of InternEvo, parallel.tensor.mode.
const (
	MTP = "mtp" // products are divided, the stream is whole everywhere (Megatron, arXiv 1909.08053)
	MSP = "msp" // and the stream is divided by tokens between products (arXiv 2205.05198)
	FSP = "fsp" // as msp, but gathered again in the backward pass
	ISP = "isp" // tokens are divided, weights are divided separately (Weight) and gathered layer by layer
)

// Layout is a way to divide training over devices.
type Layout struct {
	Devices    int     `yaml:"devices" help:"lay the run out over so many devices, on paper (with --plan); 0 is this machine only" default:"0" range:"0..1000000"`
	Tensor     int     `yaml:"tensor" help:"devices that share a layer's products (isp: a sequence's tokens)" default:"1" range:"1..4096"`
	Mode       string  `yaml:"mode" help:"how they share it: mtp, msp, fsp or isp" default:"mtp" range:"mtp|msp|fsp|isp"`
	Weight     int     `yaml:"weight" help:"isp: devices over which each weight is divided" default:"1" range:"1..4096"`
	Pipeline   int     `yaml:"pipeline" help:"stages of layers" default:"1" range:"1..4096"`
	Chunks     int     `yaml:"chunks" help:"pieces of the model on each stage (interleaved 1F1B)" default:"1" range:"1..64"`
	Context    int     `yaml:"context" help:"devices in a ring that share a sequence's attention" default:"1" range:"1..4096"`
	Zero       int     `yaml:"zero" help:"devices over which optimizer states are divided; -1 is all that hold the same weights, 1 none" default:"-1" range:"-1..1000000"`
	Sharded    bool    `yaml:"sharded" help:"weights and gradients are divided as well and gathered layer by layer (ZeRO 3, FSDP)"`
	MicroBatch int     `yaml:"micro_batch" help:"sequences in a micro-batch" default:"1" range:"1..100000"`
	MicroCount int     `yaml:"micro_count" help:"micro-batches in a step" default:"4" range:"1..100000"`
	Sequence   int     `yaml:"sequence" help:"tokens of a sequence; 0 is the model's context" default:"0" range:"0..100000000"`
	Recompute  float64 `yaml:"recompute" help:"share of the layers whose activations are computed again" default:"0" range:"0..1"`
}

// replicas is the number of devices that hold the same weights.
func (l Layout) replicas() int {
	if l.Mode == ISP {
		return l.Devices / (l.Weight * l.Pipeline)
	}
	return l.Devices / (l.Tensor * l.Pipeline)
}

// streams is the number of different micro-batches that are worked on at a time.
func (l Layout) streams() int { return l.Devices / (l.Tensor * l.Pipeline * l.Context) }

// shards is over how many devices optimizer states are divided.
func (l Layout) shards() int {
	if l.Zero == -1 || l.Sharded {
		return l.replicas()
	}
	return l.Zero
}

// Tokens is the tokens of a step.
func (l Layout) Tokens() int64 {
	return int64(l.streams()) * int64(l.MicroBatch) * int64(l.MicroCount) * int64(l.Sequence)
}

// Check says what does not divide.
func (l Layout) Check(m Model) error {
	group := l.Tensor * l.Pipeline * l.Context
	switch {
	case l.Devices < 1 || l.Tensor < 1 || l.Weight < 1 || l.Pipeline < 1 || l.Context < 1 || l.Chunks < 1 || l.MicroBatch < 1 || l.MicroCount < 1 || l.Sequence < 1:
		return fmt.Errorf("layout: devices, parts, micro-batches and sequence must be positive: %+v", l)
	case !slices.Contains([]string{MTP, MSP, FSP, ISP}, l.Mode):
		return fmt.Errorf("layout.mode is %q, expected mtp, msp, fsp or isp", l.Mode)
	case l.Devices%group != 0:
		return fmt.Errorf("layout.devices is %d, expected a multiple of tensor·pipeline·context = %d", l.Devices, group)
	case l.Mode == ISP && l.Devices%(l.Weight*l.Pipeline) != 0:
		return fmt.Errorf("layout.devices is %d, expected a multiple of weight·pipeline = %d", l.Devices, l.Weight*l.Pipeline)
	case l.Mode != ISP && l.Weight != 1:
		return fmt.Errorf("layout.weight is %d, expected 1: only isp divides weights apart from products", l.Weight)
	case m.Heads%l.Tensor != 0 || l.Mode != ISP && m.FeedForward%l.Tensor != 0:
		return fmt.Errorf("layout.tensor is %d, expected a divisor of %d heads and of the feed-forward size %d", l.Tensor, m.Heads, m.FeedForward)
	case m.Layers < l.Pipeline*l.Chunks:
		return fmt.Errorf("layout.pipeline · chunks is %d, expected at most the model's %d layers", l.Pipeline*l.Chunks, m.Layers)
	case l.Sequence%(l.Tensor*l.Context) != 0 && l.Mode != MTP:
		return fmt.Errorf("layout.sequence is %d, expected a multiple of tensor·context = %d", l.Sequence, l.Tensor*l.Context)
	case l.Chunks > 1 && l.MicroCount%l.Pipeline != 0:
		return fmt.Errorf("layout.micro_count is %d, expected a multiple of pipeline = %d for interleaved stages", l.MicroCount, l.Pipeline)
	case l.Sharded && (l.Tensor > 1 || l.Pipeline > 1):
		return fmt.Errorf("layout.sharded goes without tensor and pipeline parts, as InternEvo's FSDP does")
	case l.Zero == 0 || l.Zero < -1 || l.replicas()%l.shards() != 0:
		return fmt.Errorf("layout.zero is %d, expected -1 or a divisor of the %d devices that hold the same weights", l.Zero, l.replicas())
	case l.Recompute < 0 || l.Recompute > 1:
		return fmt.Errorf("layout.recompute is %v, expected 0 to 1", l.Recompute)
	}
	return nil
}

// String is the layout in a line.
func (l Layout) String() string {
	parts := []string{fmt.Sprintf("%d devices", l.Devices)}
	add := func(there bool, format string, args ...any) {
		if there {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(l.Tensor > 1, "tensor %d %s", l.Tensor, l.Mode)
	add(l.Weight > 1, "weight %d", l.Weight)
	add(l.Pipeline > 1, "pipeline %d", l.Pipeline)
	add(l.Chunks > 1, "chunks %d", l.Chunks)
	add(l.Context > 1, "context %d", l.Context)
	add(l.Sharded, "weights sharded")
	add(!l.Sharded, "zero %d", l.shards())
	add(true, "%d × %d sequences of %d", l.MicroCount, l.MicroBatch, l.Sequence)
	add(l.Recompute > 0, "recompute %g", l.Recompute)
	return strings.Join(parts, ", ")
}
