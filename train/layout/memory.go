package layout

// Memory is the bytes of each kind on one device: weights and gradients in bfloat16, master weights and two moments in float32, activations in bfloat16.
type Memory struct {
	Parameters  int64 `json:"parameters"` // whose weights the device keeps
	Weights     int64 `json:"weights"`
	Gathered    int64 `json:"gathered"` // layers whose weights are whole for the time of their products
	Gradients   int64 `json:"gradients"`
	Optimizer   int64 `json:"optimizer"` // master weights, moments, and the gradient of its share in float32
	Activations int64 `json:"activations"`
	Logits      int64 `json:"logits"`
	Total       int64 `json:"total"`
}

// optimizerBytes of a parameter: float32 master, mean, square and gradient.
const optimizerBytes = 16

// memory of a stage, from 0.
func (l Layout) memory(m Model, stage int) Memory {
	layers := int64((m.Layers - stage + l.Pipeline - 1) / l.Pipeline)
	parameters := layers * m.layerParameters()
	ends := int64(m.Vocab) * int64(m.Hidden)
	first, last := stage == 0, stage == l.Pipeline-1
	if first {
		parameters += ends
	}
	if last {
		parameters += int64(m.Hidden)
		if !m.Tied || l.Pipeline > 1 {
			parameters += ends
		}
	}
	var r Memory
	divided := parameters / int64(l.Tensor)
	if l.Mode == ISP {
		divided = parameters / int64(l.Weight)
	}
	r.Optimizer = optimizerBytes * divided / int64(l.shards())
	gathers := l.Mode == ISP && l.Weight > 1
	if l.Sharded {
		divided, gathers = divided/int64(l.shards()), true
	}
	if gathers { // the layer at work and the next one
		r.Gathered = 2 * 2 * max(m.layerParameters(), ends)
	}
	r.Parameters, r.Weights, r.Gradients = divided, 2*divided, 2*divided
	tokens := l.microTokens()
	kept, whole := m.activations(l, true), m.activations(l, false)
	again := int64(l.Recompute * float64(layers))
	perMicro := tokens * (kept*again + whole*(layers-again))
	r.Activations = perMicro * int64(l.inFlight(stage))
	if again > 0 {
		r.Activations += tokens * whole // the layer that is computed again
	}
	if last { // in bfloat16 and once more in float32
		r.Logits = tokens * int64(m.Vocab) * 6
		if l.Mode != ISP {
			r.Logits /= int64(l.Tensor)
		}
	}
	r.Total = r.Weights + r.Gathered + r.Gradients + r.Optimizer + r.Activations + r.Logits
	return r
}

// microTokens is the rows of a micro-batch that a device computes.
func (l Layout) microTokens() int64 {
	n := int64(l.MicroBatch) * int64(l.Sequence) / int64(l.Context)
	if l.Mode == ISP {
		n /= int64(l.Tensor)
	}
	return n
}

// inFlight is how many micro-batches a stage keeps activations of: 1F1B, a little more where stages are interleaved.
func (l Layout) inFlight(stage int) int {
	n := min(l.Pipeline-stage, l.MicroCount)
	if l.Chunks > 1 {
		n += (l.Pipeline - 1) / l.Chunks
	}
	return n
}

// activations is the bytes that a layer keeps of a token for the backward pass: of a layer that is computed again what enters it; otherwise the inputs of
// both norms and of all products, rotated queries and keys, values, and attention's output with its normaliser. Attention keeps no scores.
func (m Model) activations(l Layout, again bool) int64 {
	stream := 2 * int64(m.Hidden)
	t := int64(l.Tensor)
	if l.Mode == ISP { // tokens are divided already
		t = 1
	}
	divided := l.Mode == MSP || l.Mode == FSP
	if divided {
		stream /= t
	}
	if again {
		return stream
	}
	heads := 2*int64(m.HeadSize)*int64(2*m.Heads+2*m.KVHeads) + 4*int64(m.Heads)
	feedForward := 2 * 3 * int64(m.FeedForward) * int64(max(m.ChosenExperts, 1))
	return 4*stream + (heads+feedForward)/t
}
