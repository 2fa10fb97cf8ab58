package family

import (
	"math"

	"lian/model/nn"
)

// gemmaGains are the usual names; GGUF stores gains as what they are, the authors' files what they are above 1.
var gemmaGains = func() Names {
	out := Names{}
	for _, key := range []string{"attention_norm", "attention.q_norm", "attention.k_norm", "attention_post_norm", "feed_forward_norm", "feed_forward_post_norm", "norm"} {
		out[key] = ggufNames[key].above(1)
	}
	return out
}()

var _ = stored("gemma", GGUF{Architecture: "gemma", Keys: keys(sizes, rmsEpsilon, evenHeads), Names: gemmaGains})

var _ = stored("gemma2", GGUF{
	Architecture: "gemma2",
	Keys: keys(sizes, rmsEpsilon, evenHeads, windows(2), gemmaScale(46),
		float("attn_logit_softcapping", "attn_logit_softcapping", func(s *nn.Spec) float64 { return float64(s.Attention.Softcap) }),
		float("final_logit_softcapping", "final_logit_softcapping", func(s *nn.Spec) float64 { return float64(s.LogitSoftcap) })),
	Names: gemmaGains,
})

// gemma3: layers that see a window turn with a base of their own, and are not stretched.
var _ = stored("gemma3_text", GGUF{
	Architecture: "gemma3",
	Keys: keys(sizes, rmsEpsilon, evenHeads, windows(6), gemmaScale(62), globally(ropeScaling), globally(ropeTheta),
		float("rope.freq_base_swa", "rope_local_base_freq", func(s *nn.Spec) float64 { return layerWith(s, true).Attention.RoPE.Theta }),
		float("final_logit_softcapping", "final_logit_softcapping", func(s *nn.Spec) float64 { return float64(s.LogitSoftcap) }).positive()),
	Names: gemmaGains,
})

// gemmaScale is the scale of scores, which readers of GGUF know: that of a head, but in the largest model, of so many layers, that
// of its share of the hidden size.
func gemmaScale(largest float64) Key {
	return Key{read: func(r *reading) {
		scalar := r.head()
		if layers, _ := r.number("block_count"); layers == largest {
			hidden, _ := r.number("embedding_length")
			heads, _ := r.number("attention.head_count")
			scalar = math.Floor(hidden / max(heads, 1))
		}
		r.fields["query_pre_attn_scalar"] = scalar
	}}
}

// windows are the layers that see a window: all but each n-th, unless a file lists them.
func windows(n int) Key {
	return Key{
		write: func(s *nn.Spec, put func(string, any)) {
			put("attention.sliding_window", uint32(widest(s)))
			usual, flags := true, windowFlags(s)
			for l, seesWindow := range flags {
				usual = usual && seesWindow == (l%n < n-1)
			}
			if !usual {
				put("attention.sliding_window_pattern", flags)
			}
		},
		read: func(r *reading) {
			r.copy("attention.sliding_window", "sliding_window")
			layers, _ := r.number("block_count")
			listed, _ := r.value("attention.sliding_window_pattern")
			each, ok := number(listed)
			if !ok {
				each = float64(n)
			}
			flags, _ := listed.([]bool)
			if flags != nil && len(flags) < int(layers) {
				r.fail("metadata %sattention.sliding_window_pattern has %d entries for %v layers", r.prefix, len(flags), layers)
				return
			}
			if layers > 1<<16 || each < 1 {
				return // refused elsewhere
			}
			var types []string
			for l := range int(layers) {
				seesWindow := l%int(each) < int(each)-1
				if flags != nil {
					seesWindow = flags[l]
				}
				types = append(types, map[bool]string{true: "sliding_attention", false: "full_attention"}[seesWindow])
			}
			r.fields["layer_types"] = types
		},
	}
}

// windowList is windows of files that always list them.
var windowList = Key{
	write: func(s *nn.Spec, put func(string, any)) {
		put("attention.sliding_window", uint32(widest(s)))
		put("attention.sliding_window_pattern", windowFlags(s))
	},
	read: windows(4).read,
}

// windowFlags says of each layer whether it sees a window.
func windowFlags(s *nn.Spec) []bool {
	flags := make([]bool, s.Layers)
	for l := range flags {
		flags[l] = s.Layer(l).Attention.Window > 0
	}
	return flags
}

// layerWith is a layer that sees a window, or one that does not; the first one's switches where there is none.
func layerWith(s *nn.Spec, window bool) *nn.Block {
	for l := range s.Layers {
		if b := s.Layer(l); (b.Attention.Window > 0) == window {
			return b
		}
	}
	return &s.Block
}

// globally is a key that is about the layers that see everything.
func globally(k Key) Key {
	write := k.write
	k.write = func(s *nn.Spec, put func(string, any)) {
		global := *s
		global.Block = *layerWith(s, false)
		write(&global, put)
	}
	return k
}
