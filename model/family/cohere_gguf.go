package family

var noScaling = constant("rope.scaling.type", "none")

var _ = stored("cohere", GGUF{Architecture: "command-r", Keys: keys(sizes, ropeTheta, layerEpsilon, logitScale, noScaling,
	present("use_qk_norm", "blk.0.attn_q_norm.weight"), present("attention_bias", "blk.0.attn_q.bias"))})

var _ = stored("cohere2", GGUF{Architecture: "cohere2", Keys: keys(sizes, ropeTheta, layerEpsilon, logitScale, noScaling, vocabulary, windows(4),
	rotary("partial_rotary_factor"))})
