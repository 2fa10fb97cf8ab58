package family

import "lian/model/nn"

// llamaGGUF is how Llama lies in GGUF: rows of q and k of each head as interleaved pairs, because the first files were made of
// Meta's own weights.
var llamaGGUF = GGUF{
	Architecture: "llama",
	Keys: keys(sizes, ropeScaling, ropeTheta, rmsEpsilon, evenHeads, vocabulary, rotary("partial_rotary_factor"),
		present("attention_bias", "blk.0.attn_q.bias"), present("mlp_bias", "blk.0.ffn_down.bias")),
	Interleaved: true,
	Extra:       ropeFactors,
	Reads:       func(f GGUFFile) bool { return !hasExperts(f) },
}

var _ = stored("llama", llamaGGUF)

// Llama by other names.
var (
	_ = stored("mistral", llamaGGUF.writeOnly())
	_ = stored("internlm", llamaGGUF.writeOnly())
	_ = stored("internlm3", llamaGGUF.writeOnly())
)

var _ = stored("internlm2", GGUF{
	Architecture: "internlm2",
	Keys:         keys(sizes, ropeScaling, ropeTheta, rmsEpsilon, present("bias", "blk.0.attn_q.bias")),
	Interleaved:  true,
})

// smollm3: every fourth layer does not turn, which GGUF leaves unsaid.
var _ = stored("smollm3", llamaGGUF.as("smollm3", Key{read: func(r *reading) {
	r.fields["no_rope_layer_interval"] = 4
	r.fields["use_sliding_window"] = false
}}))

// granite: Llama with four multipliers.
var graniteGGUF = llamaGGUF.as("granite",
	float("attention.scale", "attention_multiplier", func(s *nn.Spec) float64 { return float64(s.Attention.Scale) }).positive(),
	float("embedding_scale", "embedding_multiplier", func(s *nn.Spec) float64 { return float64(s.EmbeddingScale) }).positive(),
	float("residual_scale", "residual_multiplier", func(s *nn.Spec) float64 { return float64(s.ResidualScale) }).positive(),
	float("logit_scale", "logits_scaling", dividedLogits),
)

var _ = stored("granite", graniteGGUF)

// dividedLogits is what logits are divided by.
func dividedLogits(s *nn.Spec) float64 {
	if s.LogitScale == 0 {
		return 1
	}
	return float64(1 / s.LogitScale)
}

// as is a declaration under another architecture's name, with more keys.
func (g GGUF) as(architecture string, more ...any) GGUF {
	g.Architecture, g.Reads = architecture, nil
	g.Keys = append(keys(more...), g.Keys...)
	return g
}

// when is a declaration that reads the files of which something is true.
func (g GGUF) when(is func(f GGUFFile) bool) GGUF {
	g.Reads = is
	return g
}

// writeOnly is a declaration whose files are opened as those of the family it was made for.
func (g GGUF) writeOnly() GGUF {
	g.WriteOnly = true
	return g
}
