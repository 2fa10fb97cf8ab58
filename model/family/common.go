package family

import (
	"cmp"
	"strings"

	"lian/compute"
	"lian/model/nn"
)

// decoder reads what most config.json files have in common: sizes, attention, a feed-forward and the rotary embedding.
func decoder(c *Config) nn.Spec {
	s := nn.Spec{
		Vocab:         c.Need("vocab_size"),
		Hidden:        c.Need("hidden_size|n_embd|d_model"),
		Layers:        layers(c, "num_hidden_layers|n_layer|num_layers|n_layers"),
		Context:       c.Int("max_position_embeddings|n_positions|max_seq_len|seq_length", 2048),
		TiedEmbedding: c.Bool("tie_word_embeddings", false),
	}
	heads := c.Need("num_attention_heads|n_head|n_heads|attention_heads|num_heads")
	a := nn.Attention{Heads: heads, KVHeads: c.Int("num_key_value_heads", heads)}
	if heads > 0 {
		a.HeadSize = c.Int("head_dim", s.Hidden/heads)
	}
	a.RoPE = rope(c, a.HeadSize, s.Context)
	s.Attention = a
	s.FeedForward.Hidden = c.Int("intermediate_size|n_inner", 4*s.Hidden)
	s.FeedForward.Activation = activation(c, "hidden_act|hidden_activation|activation_function", "silu")
	return s
}

// mostLayers is more than any model has; a count beyond it is a mistake that would have to be walked through to be found.
const mostLayers = 1 << 14

// layers is how many layers a model has.
func layers(c *Config, names string) int {
	n := c.Need(names)
	if n > mostLayers {
		name, _ := c.find(names)
		c.Fail("%s is %d, expected at most %d", name, n, mostLayers)
		return 0
	}
	return n
}

// rope reads the rotary embedding of heads of a size: rope_parameters as transformers 5 writes it, or rope_theta and rope_scaling
// as everybody before. Sources: transformers, modeling_rope_utils.py, and the models' own code.
func rope(c *Config, head, context int) nn.RoPE {
	if p := c.Object("rope_parameters"); p != nil && p.Has("full_attention") {
		c.layered = true // the family reads it by type
		return nn.RoPE{Theta: 10000, Rotary: head}
	}
	return ropeOf(c, "", head, context)
}

// ropes are the rotary embeddings of layers that see all keys and of those with a window: of each type in rope_parameters, or that of
// rope for the first and a plain one with another base for the others.
func ropes(c *Config, s *nn.Spec, base float64) (full, sliding nn.RoPE) {
	head := s.Attention.HeadSize
	full = ropeOf(c, "full_attention", head, s.Context)
	sliding = nn.RoPE{Theta: base, Rotary: full.Rotary}
	if p := c.Object("rope_parameters"); p != nil && p.Has("sliding_attention") {
		sliding = ropeOf(c, "sliding_attention", head, s.Context)
	}
	c.layered = false
	return full, sliding
}

// ropeOf is rope where rope_parameters may hold one for each type of layer (full_attention, sliding_attention). Heads turn in part
// only in families that have a Default for the part, and where metadata say so.
func ropeOf(c *Config, layerType string, head, context int) nn.RoPE {
	r := nn.RoPE{Theta: c.Float("rope_theta|rotary_emb_base", 10000)}
	fraction := c.Float("partial_rotary_factor|rotary_pct", 1)
	partial := c.defaults["partial_rotary_factor"] != nil || c.defaults["rotary_pct"] != nil || c.metadata
	s := c.Object("rope_scaling")
	if parameters := c.Object("rope_parameters"); s == nil && parameters != nil {
		if s = parameters; parameters.Has("full_attention|sliding_attention") {
			s = parameters.Object(cmp.Or(layerType, "full_attention"))
		}
	}
	if s != nil {
		r.Theta = s.Float("rope_theta", r.Theta)
		fraction = s.Float("partial_rotary_factor", fraction)
		r.Scaling = scaling(s, c, context)
	}
	if !partial {
		fraction = 1 // the authors' code does not ask
	}
	r.Rotary = int(float64(head) * fraction) // nn.Spec.Check wants it even, of the models that turn at all
	return r
}

// scaling reads how a rotary embedding is stretched. outer is the whole configuration, where some models keep parts of it.
func scaling(s, outer *Config, context int) compute.RoPEScaling {
	r := compute.RoPEScaling{
		Rule:            s.String("rope_type|type", "default"),
		Factor:          s.Float("factor", 0),
		Context:         context,
		OriginalContext: s.Int("original_max_position_embeddings", outer.Int("original_max_position_embeddings", 0)),
		AttentionFactor: s.Float("attention_factor", 0),
		BetaFast:        s.Float("beta_fast", 0),
		BetaSlow:        s.Float("beta_slow", 0),
		MScale:          s.Float("mscale", 0),
		MScaleAllDim:    s.Float("mscale_all_dim", 0),
		KeepFraction:    !s.Bool("truncate", true),
		LowFreqFactor:   s.Float("low_freq_factor", 0),
		HighFreqFactor:  s.Float("high_freq_factor", 0),
		ShortFactor:     s.Floats("short_factor"),
		LongFactor:      s.Floats("long_factor"),
	}
	if short, long := s.Float("short_mscale", 0), s.Float("long_mscale", 0); short != long { // of Phi-3.5-MoE
		s.Fail("short_mscale is %v and long_mscale %v, expected the same", short, long)
	} else if short != 0 {
		r.AttentionFactor = short
	}
	switch r.Rule {
	case "mrope": // Qwen2-VL: of text, its three axes are one
		r.Rule = "default"
	case "su": // the name that Phi-3 first had for it
		r.Rule = "longrope"
	case "default", "linear", "dynamic", "yarn", "llama3", "longrope":
	default:
		s.Fail("rope_type is %q, expected default, linear, dynamic, yarn, llama3 or longrope", r.Rule)
	}
	s.Ignore("finetuned", "max_position_embeddings", "mrope_section", "mrope_interleaved")
	for _, name := range s.Unread() {
		s.Fail("%s is not known in a rotary embedding", name)
	}
	if r.Rule == "default" {
		return compute.RoPEScaling{}
	}
	return r
}

// activations are the names that config.json files use.
var activations = map[string]compute.ActivationKind{
	"silu": compute.SiLU, "swish": compute.SiLU, "gelu": compute.GELU, "gelu_python": compute.GELU,
	"gelu_new": compute.GELUTanh, "gelu_pytorch_tanh": compute.GELUTanh, "gelu_fast": compute.GELUTanh, "gelu_accurate": compute.GELUTanh,
	"gelu_python_tanh": compute.GELUTanh, "gelu_tanh": compute.GELUTanh,
	"quick_gelu": compute.QuickGELU, "relu": compute.ReLU, "relu2": compute.ReLU2, "sigmoid": compute.Sigmoid, "tanh": compute.Tanh,
}

// activation reads the name of an activation.
func activation(c *Config, names, missing string) compute.ActivationKind {
	name := c.String(names, missing)
	kind, ok := activations[strings.ToLower(name)]
	if !ok {
		field, _ := c.find(names)
		c.Fail("%s is %q, which Lian does not compute yet", field, name)
	}
	return kind
}

// rms is an RMSNorm with the usual name of its epsilon.
func rms(c *Config, missing float64) nn.Norm {
	return nn.Norm{Kind: nn.RMSNorm, Epsilon: c.Float32("rms_norm_eps", missing)}
}

// layerNorm is a LayerNorm with the usual names of its epsilon.
func layerNorm(c *Config, missing float64, bias bool) nn.Norm {
	return nn.Norm{Kind: nn.LayerNorm, Epsilon: c.Float32("layer_norm_eps|layer_norm_epsilon|norm_epsilon|norm_eps", missing), Bias: bias}
}

// windowed says whether a layer's queries see a window only: by layer_types, or otherwise.
func windowed(c *Config, types []string, l int, otherwise bool) bool {
	if types == nil {
		return otherwise
	}
	if l >= len(types) {
		c.Fail("layer_types has %d entries, expected one for each layer", len(types))
		return false
	}
	switch types[l] {
	case "sliding_attention":
		return true
	case "full_attention":
		return false
	}
	c.Fail("layer_types[%d] is %q, expected sliding_attention or full_attention", l, types[l])
	return false
}

// windowedLayers gives layers a window of sliding_window keys: those of layer_types, or otherwise, and changes what else depends on it.
func windowedLayers(c *Config, s *nn.Spec, otherwise func(l int) bool, change func(l int, sliding bool, b *nn.Block)) {
	size, types := c.Int("sliding_window", 0), c.Strings("layer_types")
	s.Vary(func(l int, b *nn.Block) {
		sliding := windowed(c, types, l, otherwise(l))
		if sliding {
			b.Attention.Window = size
		}
		if change != nil {
			change(l, sliding, b)
		}
	})
}

// every says of layers that come in groups of n whether one is not the last of its group.
func every(n int) func(l int) bool {
	return func(l int) bool { return n <= 0 || (l+1)%n != 0 }
}

// savedByTransformers5 says whether transformers 5 wrote a model. Where its class computes other things than its authors' code, such a
// model was trained and saved as that class computes it.
func savedByTransformers5(c *Config) bool {
	return strings.HasPrefix(c.String("transformers_version", ""), "5.")
}
