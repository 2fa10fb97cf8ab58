package layout

// Traffic is the bytes that one device sends in a step, by what for. Collectives are rings: reducing n bytes to all of g devices sends
// 2n(g−1)/g, gathering or scattering them n(g−1)/g.
type Traffic struct {
	Gradients  int64 `json:"gradients"`  // between those that hold the same weights
	Weights    int64 `json:"weights"`    // updated weights to those that hold them, and weights gathered layer by layer
	Products   int64 `json:"products"`   // the stream, between those that share products
	Attention  int64 `json:"attention"`  // heads against tokens (isp), keys and values in the ring (context)
	Boundaries int64 `json:"boundaries"` // between stages
	Total      int64 `json:"total"`
}

func ring(bytes int64, devices int) int64 {
	return bytes * int64(devices-1) / int64(devices)
}

// traffic of a stage, from 0.
func (l Layout) traffic(m Model, stage int) Traffic {
	var r Traffic
	memory := l.memory(m, stage)
	layers := int64((m.Layers - stage + l.Pipeline - 1) / l.Pipeline)
	micro, tokens := int64(l.MicroCount), l.microTokens()
	forwards := 1 + l.Recompute // passes forward through a layer, of a step
	replicas, shards := l.replicas(), l.shards()

	layer := 2 * m.layerParameters() // bytes of a layer's weights
	switch {
	case l.Sharded: // gathered forward and backward, gradients scattered, for each micro-batch
		r.Weights = micro * ring(int64((forwards+1)*float64(layers*layer)), shards)
		r.Gradients = micro * ring(layers*layer, shards)
	default:
		gradients := memory.Gradients // within a share group scattered, then reduced across groups
		r.Gradients = ring(gradients, shards) + 2*ring(gradients/int64(shards), replicas/shards)
		r.Weights = ring(memory.Weights, shards)
	}
	if l.Mode == ISP && l.Weight > 1 {
		r.Weights += micro * ring(int64((forwards+1)*float64(layers*layer)), l.Weight)
		r.Gradients += micro * ring(layers*layer, l.Weight)
	}

	stream := tokens * 2 * int64(m.Hidden)
	switch l.Mode {
	case MTP, MSP: // two sums forward and two backward of each layer; msp sends as much as scatter and gather
		r.Products = micro * layers * int64((forwards+1)*2) * 2 * ring(stream, l.Tensor)
	case FSP: // and what a product read is gathered again before its weight's gradient
		r.Products = micro * layers * (int64((forwards+1)*2)*2 + 2) * ring(stream, l.Tensor)
	case ISP: // queries, keys, values there and outputs back
		heads := tokens * 2 * int64(m.HeadSize) * int64(2*m.Heads+2*m.KVHeads)
		r.Attention = int64(float64(micro*layers) * (forwards + 1) * float64(ring(heads, l.Tensor)))
	}
	if l.Context > 1 { // forward, and backward with the gradients coming along
		keys := tokens * 2 * 2 * int64(m.HeadSize) * int64(m.KVHeads)
		r.Attention += int64(float64(micro*layers) * (forwards + 2) * float64(keys*int64(l.Context-1)))
	}
	if l.Pipeline > 1 {
		if l.Mode == MSP || l.Mode == FSP {
			stream /= int64(l.Tensor)
		}
		ends := int64(2)
		if stage == 0 || stage == l.Pipeline-1 {
			ends = 1 // forward or backward only
		}
		r.Boundaries = micro * ends * stream * int64(l.Chunks)
	}
	r.Total = r.Gradients + r.Weights + r.Products + r.Attention + r.Boundaries
	return r
}

// Report is what a layout needs.
type Report struct {
	Layout     string  `json:"layout"`
	Parameters int64   `json:"parameters"`
	Tokens     int64   `json:"tokens_per_step"`
	Replicas   int     `json:"replicas"`   // devices that hold the same weights
	Memory     Memory  `json:"memory"`     // of the device that needs most
	Stage      int     `json:"stage"`      // its stage, from 0
	Traffic    Traffic `json:"traffic"`    // of the device that sends most
	Bubble     float64 `json:"bubble"`     // share of the time in which a stage waits
	Operations float64 `json:"operations"` // floating-point, of one token
	InternEvo  float64 `json:"internevo_operations"`
}

// Plan computes what a layout needs.
func Plan(m Model, l Layout) (Report, error) {
	if err := l.Check(m); err != nil {
		return Report{}, err
	}
	r := Report{Layout: l.String(), Parameters: m.Parameters(), Tokens: l.Tokens(), Replicas: l.replicas(), Operations: m.Operations(l.Sequence),
		InternEvo: m.InternEvoOperations(l.Sequence, l.Recompute == 1)}
	for stage := range l.Pipeline {
		if memory := l.memory(m, stage); memory.Total > r.Memory.Total {
			r.Memory, r.Stage = memory, stage
		}
		if traffic := l.traffic(m, stage); traffic.Total > r.Traffic.Total {
			r.Traffic = traffic
		}
	}
	if l.Pipeline > 1 {
		r.Bubble = float64(l.Pipeline-1) / float64(l.MicroCount*l.Chunks+l.Pipeline-1)
	}
	return r, nil
}
