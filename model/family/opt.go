package family

import (
	"math"

	"lian/model/nn"
)

// opt: learned positions from row 2 on, LayerNorm before the branches (after them in OPT-350M, whose embeddings are also narrower),
// ReLU. Source: arXiv 2205.01068 and transformers, modeling_opt.py.
var _ = register(Family{
	ModelTypes:    []string{"opt"},
	Architectures: []string{"OPTForCausalLM"},
	Prefix:        "model.",
	Names:         optNames,
	Spec: func(c *Config) nn.Spec {
		c.Default("tie_word_embeddings", true)
		c.Default("activation_function", "relu")
		s := decoder(c)
		affine := c.Bool("layer_norm_elementwise_affine", true)
		s.Norm = nn.Norm{Kind: nn.LayerNorm, Epsilon: 1e-5, Bias: affine, NoGain: !affine}
		s.Positions, s.PositionOffset = s.Context+2, 2
		s.FeedForward.Hidden = c.Int("ffn_dim", 3072)
		bias := c.Bool("enable_bias", true)
		s.Attention.Bias, s.Attention.OutputBias, s.FeedForward.Bias = bias, bias, bias
		s.Attention.RoPE, s.FeedForward.Plain = nn.RoPE{}, true
		s.NormAfter = !c.Bool("do_layer_norm_before", true)
		s.NoFinalNorm = c.Bool("_remove_final_layer_norm", false) || s.NormAfter
		if width := c.Int("word_embed_proj_dim", s.Hidden); width != s.Hidden {
			s.EmbeddingWidth = width
		}
		c.Ignore("dropout", "layerdrop", "activation_dropout")
		return s
	},
	Config: func(s *nn.Spec) Fields {
		f := written(s).without("layer_norm_eps", "num_key_value_heads", "head_dim", "partial_rotary_factor").named("intermediate_size", "ffn_dim", "hidden_act", "activation_function").with(Fields{
			"layer_norm_elementwise_affine": !s.Norm.NoGain,
			"enable_bias":                   s.Attention.Bias,
			"do_layer_norm_before":          !s.NormAfter,
			"_remove_final_layer_norm":      s.NoFinalNorm && !s.NormAfter,
			"word_embed_proj_dim":           s.Hidden,
		})
		if s.EmbeddingWidth > 0 {
			f["word_embed_proj_dim"] = s.EmbeddingWidth
		}
		return f
	},
})

// optNames are those that OPT and its relatives have, but for a part.
var optNames = Names{
	"embedding":         at("model.decoder.embed_tokens"),
	"embedding_in":      at("model.decoder.project_in"),
	"embedding_out":     at("model.decoder.project_out"),
	"positions":         at("model.decoder.embed_positions"),
	"attention_norm":    at("model.decoder.layers.{layer}.self_attn_layer_norm"),
	"attention.q":       at("model.decoder.layers.{layer}.self_attn.q_proj"),
	"attention.k":       at("model.decoder.layers.{layer}.self_attn.k_proj"),
	"attention.v":       at("model.decoder.layers.{layer}.self_attn.v_proj"),
	"attention.o":       at("model.decoder.layers.{layer}.self_attn.out_proj"),
	"feed_forward_norm": at("model.decoder.layers.{layer}.final_layer_norm"),
	"feed_forward.up":   at("model.decoder.layers.{layer}.fc1"),
	"feed_forward.down": at("model.decoder.layers.{layer}.fc2"),
	"norm":              at("model.decoder.final_layer_norm"),
	"head":              at("lm_head"),
}

var xglmNames = optNames.renamed("model.decoder.", "model.").with(Names{"norm": at("model.layer_norm")})

// xglm: OPT with fixed positions and scaled embeddings. Source: arXiv 2112.10668 and transformers, modeling_xglm.py.
var _ = register(Family{
	ModelTypes:    []string{"xglm"},
	Architectures: []string{"XGLMForCausalLM"},
	Prefix:        "model.",
	Names:         xglmNames,
	Spec: func(c *Config) nn.Spec {
		c.Default("tie_word_embeddings", true)
		c.Default("activation_function", "gelu")
		s := decoder(c)
		s.Norm = nn.Norm{Kind: nn.LayerNorm, Epsilon: 1e-5, Bias: true}
		s.Positions, s.PositionOffset, s.FixedPositions = s.Context+2, 2, true
		if c.Bool("scale_embedding", true) {
			s.EmbeddingScale = float32(math.Sqrt(float64(s.Hidden)))
		}
		s.FeedForward.Hidden = c.Int("ffn_dim", 4096)
		s.Attention.Bias, s.Attention.OutputBias, s.FeedForward.Bias, s.FeedForward.Plain = true, true, true, true
		s.Attention.RoPE = nn.RoPE{}
		if c.Int("pad_token_id", 1) > 1 {
			c.Fail("pad_token_id is %d: the position of that number would be empty, which is not computed", c.Int("pad_token_id", 1))
		}
		c.Refuse("add_cross_attention", false)
		c.Ignore("dropout", "layerdrop", "activation_dropout")
		return s
	},
	Config: func(s *nn.Spec) Fields {
		return written(s).without("layer_norm_eps", "num_key_value_heads", "head_dim", "partial_rotary_factor").named("intermediate_size", "ffn_dim",
			"hidden_act", "activation_function", "hidden_size", "d_model", "num_hidden_layers", "num_layers", "num_attention_heads", "attention_heads").with(
			Fields{"scale_embedding": s.EmbeddingScale != 0})
	},
})

// biogpt: OPT with scaled embeddings. Source: transformers, modeling_biogpt.py.
var _ = register(Family{
	ModelTypes:    []string{"biogpt"},
	Architectures: []string{"BioGptForCausalLM"},
	Names:         optNames.renamed("model.decoder.", "biogpt.").with(Names{"norm": at("biogpt.layer_norm"), "head": at("output_projection")}),
	Spec: func(c *Config) nn.Spec {
		c.Default("tie_word_embeddings", true)
		c.Default("hidden_act", "gelu")
		s := decoder(c)
		s.Norm = nn.Norm{Kind: nn.LayerNorm, Epsilon: 1e-5, Bias: true} // layer_norm_eps is not read
		s.Positions, s.PositionOffset = s.Context+2, 2
		if c.Bool("scale_embedding", true) {
			s.EmbeddingScale = float32(math.Sqrt(float64(s.Hidden)))
		}
		s.Attention.Bias, s.Attention.OutputBias, s.FeedForward.Bias, s.FeedForward.Plain = true, true, true, true
		s.Attention.RoPE = nn.RoPE{}
		c.Ignore("layer_norm_eps", "layerdrop", "activation_dropout")
		return s
	},
	Config: func(s *nn.Spec) Fields {
		return written(s).without("num_key_value_heads", "head_dim", "partial_rotary_factor").with(Fields{"scale_embedding": s.EmbeddingScale != 0})
	},
})
