package family

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"lian/model/nn"
)

// read is the Spec of a config.json of usual sizes with some fields more.
func read(t *testing.T, more Fields) (nn.Spec, *Config, error) {
	t.Helper()
	fields := Fields{"vocab_size": 32, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 4, "num_attention_heads": 4}
	maps.Copy(fields, more)
	raw, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseConfig("config.json", raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Text(); err != nil {
		return nn.Spec{}, c, err
	}
	f, err := ByArchitecture(c.Strings("architectures"))
	if err != nil {
		return nn.Spec{}, c, err
	}
	s, err := f.Read(c)
	return s, c, err
}

// TestFieldsThatAreMissingMeanWhatTheAuthorsClassSays: each row is a config.json that leaves something out.
func TestFieldsThatAreMissingMeanWhatTheAuthorsClassSays(t *testing.T) {
	windows := func(s nn.Spec) (list []int) {
		for l := range s.Layers {
			list = append(list, s.Layer(l).Attention.Window)
		}
		return list
	}
	turning := func(s nn.Spec) (list []int) {
		for l := range s.Layers {
			list = append(list, s.Layer(l).Attention.RoPE.Rotary)
		}
		return list
	}
	for _, c := range []struct {
		architecture string
		more         Fields
		what         func(s nn.Spec) any
		want         string
	}{
		{"LlamaForCausalLM", nil, func(s nn.Spec) any {
			return []any{s.Attention.KVHeads, s.Attention.RoPE.Theta, s.Norm.Epsilon, s.TiedEmbedding}
		}, "[4 10000 1e-06 false]"},
		{"LlamaForCausalLM", Fields{"num_key_value_heads": nil, "head_dim": nil, "partial_rotary_factor": 0.5}, func(s nn.Spec) any { return []any{s.Attention.KVHeads, s.Attention.RoPE.Rotary} }, "[4 4]"},
		{"LlamaForCausalLM", Fields{"rope_theta": 7.0, "rope_parameters": Fields{"rope_type": "default", "rope_theta": 9.0}}, func(s nn.Spec) any { return s.Attention.RoPE.Theta }, "9"},
		{"LlamaForCausalLM", Fields{"rope_scaling": Fields{"type": "linear", "factor": 2.0}, "rope_theta": 7.0}, func(s nn.Spec) any { return s.Attention.RoPE.Scaling.Rule }, "linear"},
		{"MistralForCausalLM", Fields{"num_key_value_heads": 2}, func(s nn.Spec) any { return []any{s.Attention.Window, s.Context} }, "[4096 131072]"},
		{"MistralForCausalLM", Fields{"sliding_window": nil, "num_key_value_heads": 2}, func(s nn.Spec) any { return s.Attention.Window }, "0"},
		{"Qwen2ForCausalLM", Fields{"sliding_window": 8, "use_sliding_window": false}, func(s nn.Spec) any { return windows(s) }, "[0 0 0 0]"},
		{"Qwen2ForCausalLM", Fields{"sliding_window": 8, "use_sliding_window": true, "max_window_layers": 2}, func(s nn.Spec) any { return windows(s) }, "[0 0 8 8]"},
		{"Qwen3ForCausalLM", nil, func(s nn.Spec) any { return []any{s.Attention.HeadSize, s.Attention.HeadNorm} }, "[128 1]"},
		{"Gemma2ForCausalLM", nil, func(s nn.Spec) any {
			return []any{windows(s), s.LogitSoftcap, s.Attention.Softcap, s.TiedEmbedding, s.Attention.Scale}
		}, "[[4096 0 4096 0] 30 50 true 0.0625]"},
		{"Gemma3ForCausalLM", Fields{"sliding_window_pattern": 3}, func(s nn.Spec) any {
			return []any{windows(s), s.Layer(0).Attention.RoPE.Theta, s.Layer(2).Attention.RoPE.Theta}
		}, "[[4096 4096 0 4096] 10000 1e+06]"},
		{"Olmo3ForCausalLM", Fields{"rope_scaling": Fields{"rope_type": "yarn", "factor": 8.0}}, func(s nn.Spec) any {
			return []any{windows(s), s.Layer(0).Attention.RoPE.Scaling.Rule, s.Layer(3).Attention.RoPE.Scaling.Rule}
		}, "[[4096 4096 4096 0]  yarn]"},
		{"Cohere2ForCausalLM", nil, func(s nn.Spec) any { return []any{turning(s), s.LogitScale, s.TiedEmbedding} }, "[[4 4 4 0] 0.0625 true]"},
		{"SmolLM3ForCausalLM", nil, func(s nn.Spec) any { return []any{turning(s), s.Attention.RoPE.Theta} }, "[[4 4 4 0] 2e+06]"},
		{"Exaone4ForCausalLM", Fields{"sliding_window_pattern": "LG"}, func(s nn.Spec) any { return windows(s) }, "[4096 0 4096 0]"},
		{"PhiForCausalLM", nil, func(s nn.Spec) any { return []any{s.Attention.RoPE.Rotary, s.FeedForward.Activation, s.HeadBias} }, "[2 gelu_tanh true]"},
		{"Phi3ForCausalLM", Fields{"rope_scaling": Fields{"type": "su", "short_factor": []float64{1, 1}, "long_factor": []float64{2, 2}}, "max_position_embeddings": 8192}, func(s nn.Spec) any {
			return []any{s.Attention.RoPE.Scaling.Rule, s.Attention.RoPE.Scaling.OriginalContext}
		}, "[longrope 4096]"},
		{"StableLmForCausalLM", Fields{"head_dim": 8}, func(s nn.Spec) any { return []any{s.Attention.RoPE.Rotary, s.Parallel} }, "[2 false]"},
		{"GPTNeoXForCausalLM", Fields{"head_dim": 8}, func(s nn.Spec) any { return []any{s.Attention.RoPE.Rotary, s.Parallel, s.SharedNorm, s.Attention.Bias} }, "[2 true false true]"},
		{"GPT2LMHeadModel", Fields{"n_inner": nil, "intermediate_size": nil}, func(s nn.Spec) any { return []any{s.Positions, s.FeedForward.Hidden, s.TiedEmbedding} }, "[1024 64 true]"},
		{"FalconForCausalLM", nil, func(s nn.Spec) any { return []any{s.Attention.KVHeads, s.Parallel, s.SharedNorm, s.FeedForward.Hidden} }, "[1 true true 64]"},
		{"FalconForCausalLM", Fields{"new_decoder_architecture": true, "num_kv_heads": 2}, func(s nn.Spec) any { return []any{s.Attention.KVHeads, s.Parallel, s.SharedNorm} }, "[2 true false]"},
		{"RWForCausalLM", Fields{"model_type": "RefinedWeb", "n_head_kv": 2}, func(s nn.Spec) any { return []any{s.Attention.KVHeads, s.SharedNorm} }, "[2 false]"},
		{"FalconForCausalLM", Fields{"alibi": true, "transformers_version": "4.27.4"}, func(s nn.Spec) any { return s.Attention.ALiBi.Twice }, "false"},
		{"MixtralForCausalLM", Fields{"num_key_value_heads": 2}, func(s nn.Spec) any { return []any{s.Attention.RoPE.Theta, s.Norm.Epsilon} }, "[1e+06 1e-05]"},
		{"InternLM3ForCausalLM", nil, func(s nn.Spec) any { return []any{s.Attention.KVHeads, s.Attention.HeadSize, s.Norm.Epsilon} }, "[2 128 1e-05]"},
		{"GemmaForCausalLM", Fields{"hidden_act": "gelu", "hidden_activation": nil}, func(s nn.Spec) any { return s.FeedForward.Activation }, "gelu_tanh"},
		{"GemmaForCausalLM", Fields{"hidden_act": "relu"}, func(s nn.Spec) any { return s.FeedForward.Activation }, "relu"},
		{"GPT2LMHeadModel", Fields{"n_embd": 12, "hidden_size": nil}, func(s nn.Spec) any { return s.Attention.HeadSize }, "3"},
		{"SmolLM3ForCausalLM", Fields{"layer_types": []string{"full_attention", "sliding_attention", "full_attention", "sliding_attention"}, "sliding_window": 5}, func(s nn.Spec) any { return windows(s) }, "[0 5 0 5]"},
		{"Glm4MoeLiteForCausalLM", Fields{"n_routed_experts": 8, "mlp_layer_types": []string{"sparse", "dense", "sparse", "dense"}}, func(s nn.Spec) any { return denseLayers(&s) }, "[1 3]"},
		{"MptForCausalLM", Fields{"attn_config": Fields{"alibi_bias_max": 4}}, func(s nn.Spec) any { return s.Attention.ALiBi.Max }, "4"},
		{"MptForCausalLM", Fields{"attn_config": Fields{"alibi_bias_max": 4}, "transformers_version": "5.0.0"}, func(s nn.Spec) any { return s.Attention.ALiBi.Max }, "8"},
		{"BaichuanForCausalLM", Fields{"model_max_length": 4096}, func(s nn.Spec) any {
			return []any{s.Attention.RoPE.Rotary, s.Attention.ALiBi.Rule, s.UnitHead, s.Context}
		}, "[0 1 false 4096]"},
		{"BaichuanForCausalLM", Fields{"max_position_embeddings": 4096, "vocab_size": 125696}, func(s nn.Spec) any { return []any{s.Attention.RoPE.Rotary, s.Attention.ALiBi.Rule, s.UnitHead} }, "[4 0 true]"},
		{"Gemma3ForConditionalGeneration", Fields{"vision_config": Fields{}, "text_config": Fields{"model_type": "gemma3_text", "hidden_size": 16, "num_hidden_layers": 2, "intermediate_size": 8}},
			func(s nn.Spec) any { return []any{s.Family, s.Attention.Heads, s.Vocab} }, "[gemma3_text 8 262208]"},
		{"Qwen2_5_VLForConditionalGeneration", Fields{"model_type": "qwen2_5_vl", "vision_config": Fields{}, "rope_scaling": Fields{"type": "mrope", "mrope_section": []int{1, 1}}},
			func(s nn.Spec) any { return []any{s.Family, s.Attention.RoPE.Scaling.Rule} }, "[qwen2 ]"},
	} {
		t.Run(c.architecture, func(t *testing.T) {
			s, _, err := read(t, Fields{"architectures": []string{c.architecture}}.with(c.more))
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(c.what(s)); got != c.want {
				t.Errorf("with %v: %s, expected %s", c.more, got, c.want)
			}
		})
	}
}

// TestWhatWouldChangeTheResultIsRefused: each row is a field of which Lian knows that it cannot compute what it says.
func TestWhatWouldChangeTheResultIsRefused(t *testing.T) {
	for _, c := range []struct {
		architecture string
		more         Fields
		says         string
	}{
		{"GPT2LMHeadModel", Fields{"add_cross_attention": true}, "add_cross_attention is true"},
		{"MptForCausalLM", Fields{"logit_scale": 0.5}, "logit_scale is 0.5"},
		{"MptForCausalLM", Fields{"attn_config": Fields{"qk_ln": true}}, "qk_ln is true"},
		{"MptForCausalLM", Fields{"attn_config": Fields{"alibi": false}}, "alibi is false"},
		{"Gemma3ForCausalLM", Fields{"use_bidirectional_attention": true}, "use_bidirectional_attention"},
		{"MiniCPMForCausalLM", Fields{"num_experts": 8}, "num_experts is 8"},
		{"ChatGLMModel", Fields{"position_encoding_2d": true}, "ChatGLM2 and later"},
		{"ChatGLMModel", Fields{"padded_vocab_size": 32, "num_layers": 2, "ffn_hidden_size": 8, "pre_seq_len": 128}, "pre_seq_len is 128"},
		{"PhiForCausalLM", Fields{"n_embd": 16}, "phi-msft"},
		{"LlamaForCausalLM", Fields{"rope_parameters": Fields{"full_attention": Fields{"rope_type": "default"}}}, "by type of layer"},
		{"LlamaForCausalLM", Fields{"hidden_act": "xielu"}, "xielu"},
		{"Gemma2ForCausalLM", Fields{"layer_types": []string{"full_attention"}}, "layer_types has 1 entries"},
		{"StableLmForCausalLM", Fields{"partial_rotary_factor": 0.75}, "must be even"},
	} {
		_, _, err := read(t, Fields{"architectures": []string{c.architecture}}.with(c.more))
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.HasPrefix(err.Error(), "config.json") {
			t.Errorf("%s with %v: %v, expected an error of config.json with %q", c.architecture, c.more, err, c.says)
		}
	}
}

// TestEveryFamilyWritesAConfiguration: what Config writes of a Spec is complete and names the family.
func TestEveryFamilyWritesAConfiguration(t *testing.T) {
	for _, f := range All() {
		if f.Config == nil {
			t.Errorf("%s has no Config", f.Name())
		}
	}
}
