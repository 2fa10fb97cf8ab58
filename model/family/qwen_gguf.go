package family

var (
	_ = stored("qwen2", GGUF{Architecture: "qwen2", Keys: keys(sizes, ropeScaling, ropeTheta, rmsEpsilon)})
	_ = stored("qwen3", GGUF{Architecture: "qwen3", Keys: keys(sizes, ropeScaling, ropeTheta, rmsEpsilon, evenHeads,
		present("attention_bias", "blk.0.attn_q.bias"))})
)
