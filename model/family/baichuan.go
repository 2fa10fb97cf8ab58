package family

import "lian/model/nn"

// baichuan: Baichuan 1 and 2: Llama with q, k and v stacked. The 13B models have linear biases by distance instead of the rotary
// embedding: their config.json has no max_position_embeddings. Baichuan 2 divides the rows of its head by their length. Sources:
// arXiv 2309.10305 and the published modeling_baichuan.py of both sizes.
var _ = register(Family{
	ModelTypes:    []string{"baichuan"},
	Architectures: []string{"BaichuanForCausalLM", "BaiChuanForCausalLM"},
	Names:         llamaNames.with(stackedQKV(at("model.layers.{layer}.self_attn.W_pack"))),
	NamesOf: func(s *nn.Spec) Names {
		if s.UnitHead {
			return Names{"head": at("lm_head").unit()}
		}
		return nil
	},
	Spec: func(c *Config) nn.Spec {
		rotates := c.Has("max_position_embeddings")
		if !rotates {
			c.Default("max_position_embeddings", c.Int("model_max_length", 4096))
		}
		s := decoder(c)
		s.Norm = rms(c, 1e-6)
		s.Attention.KVHeads = s.Attention.Heads
		if !rotates {
			s.Attention.RoPE, s.Attention.ALiBi.Rule = nn.RoPE{}, nn.ALiBiPress
		}
		// The second kind is known by its larger vocabulary, or by a field that the first does not have.
		s.UnitHead = c.Has("z_loss_weight") || s.Vocab == 125696
		c.Ignore("model_max_length", "gradient_checkpointing", "_from_model_config")
		return s
	},
	Config: func(s *nn.Spec) Fields {
		f := written(s).without("num_key_value_heads", "head_dim", "partial_rotary_factor", "rope_theta", "rope_scaling").with(Fields{"model_max_length": s.Context})
		if s.Attention.RoPE.Rotary == 0 {
			f = f.without("max_position_embeddings")
		}
		if s.UnitHead {
			f["z_loss_weight"] = 0
		}
		return f
	},
})
