package family

import (
	"lian/compute"
	"lian/model"
	"lian/model/nn"
)

// mixtureNames are the names of mixtures of experts that most families took over from Qwen2-MoE and DeepSeek.
var mixtureNames = llamaNames.with(expertNames("model.layers.{layer}.mlp.experts.{expert}.", "gate_proj", "up_proj", "down_proj"),
	sharedNames("model.layers.{layer}.mlp.shared_experts."), Names{
		"feed_forward.router":            at("model.layers.{layer}.mlp.gate"),
		"feed_forward.router_correction": full("model.layers.{layer}.mlp.gate.e_score_correction_bias"),
	})

// expertNames are experts that are stored one by one.
func expertNames(at0, gate, up, down string) Names {
	return Names{"feed_forward.experts.gate": at(at0 + gate), "feed_forward.experts.up": at(at0 + up), "feed_forward.experts.down": at(at0 + down)}
}

// sharedNames are the names of the feed-forward that all tokens go through.
func sharedNames(at0 string) Names {
	return Names{"feed_forward.shared.gate": at(at0 + "gate_proj"), "feed_forward.shared.up": at(at0 + "up_proj"), "feed_forward.shared.down": at(at0 + "down_proj")}
}

// halves are two parameters of so many rows that lie one after the other in a tensor, or with mixed row by row.
func halves(p Place, mixed bool, rows func(f *nn.FeedForward) int) (first, second Place) {
	half := func(which int) Place {
		p.rows = func(_ *nn.Spec, b *nn.Block) model.Rows {
			n := rows(&b.FeedForward)
			if mixed {
				return model.Rows{Total: 2 * n, From: which, Count: 1, Every: 2, Times: n}
			}
			return model.Rows{Total: 2 * n, From: which * n, Count: n, Times: 1}
		}
		return p
	}
	return half(0), half(1)
}

func expertRows(f *nn.FeedForward) int { return f.Hidden }
func sharedRows(f *nn.FeedForward) int { return f.Experts.Shared }

// mixedLayers makes the feed-forwards of some layers mixtures of experts of a size, those of the others stay as they are.
func mixedLayers(s *nn.Spec, size int, e nn.Experts, mixed func(l int) bool) {
	some, all := false, true
	for l := range s.Layers {
		some, all = some || mixed(l), all && mixed(l)
	}
	switch {
	case !some:
		return
	case all && s.Each == nil:
		s.FeedForward.Hidden, s.FeedForward.Experts = size, e
		return
	}
	s.Vary(func(l int, b *nn.Block) {
		if mixed(l) {
			b.FeedForward.Hidden, b.FeedForward.Experts = size, e
		}
	})
}

// everyLayer is for models whose layers are all mixtures.
func everyLayer(int) bool { return true }

// mixture is the first mixture of a model, dense its first other feed-forward; either may be missing.
func mixture(s *nn.Spec) nn.FeedForward { return feedForward(s, true) }
func dense(s *nn.Spec) nn.FeedForward   { return feedForward(s, false) }

func feedForward(s *nn.Spec, mixed bool) nn.FeedForward {
	for l := range s.Layers {
		if f := s.Layer(l).FeedForward; f.Experts.Count > 0 == mixed {
			return f
		}
	}
	return nn.FeedForward{}
}

// denseLayers are the numbers of layers that are no mixtures.
func denseLayers(s *nn.Spec) []int {
	list := []int{}
	for l := range s.Layers {
		if s.Layer(l).FeedForward.Experts.Count == 0 {
			list = append(list, l)
		}
	}
	return list
}

// chosenExperts reads how many experts there are and how many a token goes through.
func chosenExperts(c *Config) nn.Experts {
	return nn.Experts{Count: c.Need("num_experts|num_local_experts|n_routed_experts"), Chosen: c.Need("num_experts_per_tok")}
}

// softmaxOfChosen is the softmax over the experts chosen.
var softmaxOfChosen = compute.RouteRule{Renormalise: true}
