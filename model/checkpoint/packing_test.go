package checkpoint

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lian/compute"
	"lian/compute/cpu"
	"lian/compute/ref"
	"lian/dtype"
	"lian/format/safetensors"
	"lian/model"
)

// packed is a made-up quantised product: its tensors by ending, and what its weights are.
type packed struct {
	tensors []safetensors.Tensor
	values  []float32
}

func (p *packed) add(name string, t dtype.Type, data []byte, shape ...int) {
	p.tensors = append(p.tensors, safetensors.Tensor{Name: name, Type: t, Shape: shape, Data: data})
}

func half(t dtype.Type, values []float32) []byte {
	out := make([]byte, t.Bytes(len(values)))
	if err := dtype.Quantize(t, values, out); err != nil {
		panic(err)
	}
	if err := dtype.Dequantize(t, out, values); err != nil { // what was stored is what counts
		panic(err)
	}
	return out
}

func scales(r *rand.Rand, n int, by float64) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(by * (0.5 + r.Float64()))
	}
	return out
}

// wordsOf packs numbers of some bits into words of 32 from the low bits on.
func wordsOf(bits int, numbers []int) []byte {
	out := make([]byte, (len(numbers)*bits+31)/32*4)
	for i, v := range numbers {
		for b := range bits {
			at := i*bits + b
			out[at/32*4+at%32/8] |= byte(v>>b&1) << (at % 8)
		}
	}
	return out
}

// grouped are random values, zeros and scales of groups of inputs: weight [n, k].
func grouped(r *rand.Rand, n, k, bits, group int, order []int) (values, zeros []int, scale []float32, stored []byte, weights []float32) {
	groups := (k + group - 1) / group
	values, zeros, scale = make([]int, n*k), make([]int, groups*n), scales(r, groups*n, 0.5/float64(int(1)<<bits))
	stored = half(dtype.F16, scale)
	for i := range values {
		values[i] = r.IntN(1 << bits)
	}
	for i := range zeros {
		zeros[i] = 1 + r.IntN(1<<bits-1)
	}
	weights = make([]float32, n*k)
	for i := range weights {
		g := i % k / group
		if order != nil {
			g = order[i%k]
		}
		weights[i] = float32(values[i]-zeros[g*n+i/k]) * scale[g*n+i/k]
	}
	return values, zeros, scale, stored, weights
}

func awq(r *rand.Rand, n, k int) (p packed) {
	values, zeros, _, stored, weights := grouped(r, n, k, 4, 32, nil)
	place := [8]int{0, 4, 1, 5, 2, 6, 3, 7}
	pack := func(rows int, at func(row, output int) int) []byte {
		out := make([]byte, rows*n/2)
		for row := range rows {
			for o := range n {
				word := out[(row*n+o)/8*4:]
				binary.LittleEndian.PutUint32(word, binary.LittleEndian.Uint32(word)|uint32(at(row, o))<<(4*place[o%8]))
			}
		}
		return out
	}
	p.values = weights
	p.add("qweight", dtype.I32, pack(k, func(row, o int) int { return values[o*k+row] }), k, n/8)
	p.add("qzeros", dtype.I32, pack(k/32, func(row, o int) int { return zeros[row*n+o] }), k/32, n/8)
	p.add("scales", dtype.F16, stored, k/32, n)
	return p
}

func gptq(bits, version int, actOrder bool) func(r *rand.Rand, n, k int) packed {
	return func(r *rand.Rand, n, k int) (p packed) {
		order := make([]int, k)
		index := make([]byte, 4*k)
		for i := range order {
			if order[i] = i / 32; actOrder {
				order[i] = r.IntN(k / 32)
			}
			binary.LittleEndian.PutUint32(index[4*i:], uint32(order[i]))
		}
		values, zeros, _, stored, weights := grouped(r, n, k, bits, 32, order)
		p.values = weights
		columns := make([]byte, 0, n*k*bits/8)
		byOutput := make([][]byte, n)
		for o := range n {
			byOutput[o] = wordsOf(bits, values[o*k:(o+1)*k])
		}
		for word := range k * bits / 32 {
			for o := range n {
				columns = append(columns, byOutput[o][4*word:4*word+4]...)
			}
		}
		p.add("qweight", dtype.I32, columns, k*bits/32, n)
		shifted := make([]int, len(zeros))
		for i, z := range zeros {
			shifted[i] = z - (2 - version)
		}
		p.add("qzeros", dtype.I32, wordsOf(bits, shifted), k/32, n*bits/32)
		p.add("scales", dtype.F16, stored, k/32, n)
		p.add("g_idx", dtype.I32, index, k)
		return p
	}
}

func nf4(double bool) func(r *rand.Rand, n, k int) packed {
	return func(r *rand.Rand, n, k int) (p packed) {
		codes, bytes, blocks := make([]float32, 16), make([]byte, n*k/2), n*k/64
		for i := range codes {
			codes[i] = float32(i)/8 - 0.9
		}
		absmax := scales(r, blocks, 0.3)
		state := map[string]any{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": []int{n, k}}
		if double {
			table, nested, numbers := scales(r, 256, 0.2), scales(r, (blocks+255)/256, 1), make([]byte, blocks)
			for i := range numbers {
				numbers[i] = byte(r.IntN(256))
				absmax[i] = float32(table[numbers[i]]*nested[i/256]) + 0.125
			}
			p.add("weight.absmax", dtype.U8, numbers, blocks)
			p.add("weight.nested_absmax", dtype.F32, compute.HostBytes(nested), len(nested))
			p.add("weight.nested_quant_map", dtype.F32, compute.HostBytes(table), 256)
			state["nested_blocksize"], state["nested_dtype"], state["nested_offset"] = 256, "float32", 0.125
		} else {
			p.add("weight.absmax", dtype.F32, compute.HostBytes(absmax), blocks)
		}
		for i := range bytes {
			bytes[i] = byte(r.IntN(256))
		}
		p.values = make([]float32, n*k)
		for i := range p.values {
			code := bytes[i/2] >> 4
			if i%2 == 1 {
				code = bytes[i/2] & 15
			}
			p.values[i] = codes[code] * absmax[i/64]
		}
		text, _ := json.Marshal(state)
		p.add("weight", dtype.U8, bytes, n*k/2, 1)
		p.add("weight.quant_map", dtype.F32, compute.HostBytes(codes), 16)
		p.add("weight.quant_state.bitsandbytes__nf4", dtype.U8, text, len(text))
		return p
	}
}

func int8Rows(r *rand.Rand, n, k int) (p packed) {
	absmax, bytes := scales(r, n, 0.5), make([]byte, n*k)
	p.values = make([]float32, n*k)
	for i := range bytes {
		bytes[i] = byte(r.IntN(256))
		p.values[i] = float32(int8(bytes[i])) * (absmax[i/k] / 127)
	}
	p.add("weight", dtype.I8, bytes, n, k)
	p.add("SCB", dtype.F32, compute.HostBytes(absmax), n)
	p.add("weight_format", dtype.U8, []byte{0}, 1)
	return p
}

// float8 has scales of blocks, or, with block 0, one for each row, or, with −1, one.
func float8(block int, name string) func(r *rand.Rand, n, k int) packed {
	return func(r *rand.Rand, n, k int) (p packed) {
		bytes, rows, columns, shape := make([]byte, n*k), block, block, []int{(n + block - 1) / max(block, 1), (k + block - 1) / max(block, 1)}
		if block == 0 {
			rows, columns, shape = 1, k, []int{n, 1}
		} else if block < 0 {
			rows, columns, shape = n, k, nil
		}
		across := (k + columns - 1) / columns
		scale := scales(r, (n+rows-1)/rows*across, 0.05)
		p.values = make([]float32, n*k)
		for i := range bytes {
			bytes[i] = byte(r.IntN(126)) | byte(r.IntN(2))<<7
		}
		if err := dtype.Dequantize(dtype.F8E4M3, bytes, p.values); err != nil {
			panic(err)
		}
		for i := range p.values {
			p.values[i] *= scale[i/k/rows*across+i%k/columns] / 16
		}
		for i := range scale {
			scale[i] /= 16
		}
		p.add("weight", dtype.F8E4M3, bytes, n, k)
		p.add(name, dtype.F32, compute.HostBytes(scale), shape...)
		p.add("input_scale", dtype.F32, compute.HostBytes([]float32{1}))
		return p
	}
}

func compressed4(zeros bool) func(r *rand.Rand, n, k int) packed {
	return func(r *rand.Rand, n, k int) (p packed) {
		groups, values := k/32, make([]int, n*k)
		scale := scales(r, n*groups, 0.05)
		stored := half(dtype.BF16, scale)
		zero := make([]int, n*groups)
		p.values = make([]float32, n*k)
		for i := range zero {
			if zero[i] = 8; zeros {
				zero[i] = r.IntN(16)
			}
		}
		for i := range values {
			values[i] = r.IntN(16)
			at := i/k*groups + i%k/32
			p.values[i] = float32(values[i]-zero[at]) * scale[at]
		}
		p.add("weight_packed", dtype.I32, wordsOf(4, values), n, k/8)
		p.add("weight_scale", dtype.BF16, stored, n, groups)
		shape := make([]byte, 16)
		shape[0], shape[8] = byte(n), byte(k)
		p.add("weight_shape", dtype.I64, shape, 2)
		if zeros {
			words := make([]byte, n/8*groups*4)
			for o := range n {
				for g := range groups {
					at := words[(o/8*groups+g)*4:]
					binary.LittleEndian.PutUint32(at, binary.LittleEndian.Uint32(at)|uint32(zero[o*groups+g])<<(o%8*4))
				}
			}
			p.add("weight_zero_point", dtype.I32, words, n/8, groups)
		}
		return p
	}
}

func compressed8(r *rand.Rand, n, k int) (p packed) {
	p = int8Rows(r, n, k)
	p.tensors = p.tensors[:1]
	scale := scales(r, n, 0.01)
	for i := range p.values {
		p.values[i] = float32(int8(p.tensors[0].Data[i])) * scale[i/k]
	}
	p.add("weight_scale", dtype.F32, compute.HostBytes(scale), n, 1)
	return p
}

// base is a small model's config.json and its plain tensors; products are those that are quantised, [outputs, inputs].
func base(family string) (config map[string]any, plain map[string][]int, products map[string][2]int) {
	config = map[string]any{"vocab_size": 50, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 8, "num_key_value_heads": 4, "intermediate_size": 96,
		"rms_norm_eps": 1e-5, "bias": false}
	plain, products = map[string][]int{"model.norm.weight": {64}}, map[string][2]int{}
	switch family {
	case "llama":
		config["architectures"] = []string{"LlamaForCausalLM"}
		plain["model.embed_tokens.weight"], plain["lm_head.weight"] = []int{50, 64}, []int{50, 64}
		for l := range 2 {
			at := fmt.Sprintf("model.layers.%d.", l)
			plain[at+"input_layernorm.weight"], plain[at+"post_attention_layernorm.weight"] = []int{64}, []int{64}
			for name, n := range map[string]int{"q": 64, "k": 32, "v": 32, "o": 64} {
				products[at+"self_attn."+name+"_proj"] = [2]int{n, 64}
			}
			products[at+"mlp.gate_proj"], products[at+"mlp.up_proj"], products[at+"mlp.down_proj"] = [2]int{96, 64}, [2]int{96, 64}, [2]int{64, 96}
		}
	case "internlm2":
		config["architectures"] = []string{"InternLM2ForCausalLM"}
		plain["model.tok_embeddings.weight"], plain["output.weight"] = []int{50, 64}, []int{50, 64}
		for l := range 2 {
			at := fmt.Sprintf("model.layers.%d.", l)
			plain[at+"attention_norm.weight"], plain[at+"ffn_norm.weight"] = []int{64}, []int{64}
			products[at+"attention.wqkv"], products[at+"attention.wo"] = [2]int{128, 64}, [2]int{64, 64}
			products[at+"feed_forward.w1"], products[at+"feed_forward.w3"], products[at+"feed_forward.w2"] = [2]int{96, 64}, [2]int{96, 64}, [2]int{64, 96}
		}
	case "deepseek_v3": // a dense layer and one of experts, all of which are chosen: rounding must not choose others
		for name, value := range map[string]any{"architectures": []string{"DeepseekV3ForCausalLM"}, "q_lora_rank": 32, "kv_lora_rank": 32, "qk_nope_head_dim": 16,
			"qk_rope_head_dim": 32, "v_head_dim": 16, "n_routed_experts": 4, "n_shared_experts": 1, "num_experts_per_tok": 4, "moe_intermediate_size": 32,
			"first_k_dense_replace": 1, "n_group": 1, "topk_group": 1, "num_nextn_predict_layers": 1} {
			config[name] = value
		}
		plain["model.embed_tokens.weight"], plain["lm_head.weight"] = []int{50, 64}, []int{50, 64}
		for l := range 2 {
			at := fmt.Sprintf("model.layers.%d.", l)
			plain[at+"input_layernorm.weight"], plain[at+"post_attention_layernorm.weight"] = []int{64}, []int{64}
			plain[at+"self_attn.q_a_layernorm.weight"], plain[at+"self_attn.kv_a_layernorm.weight"] = []int{32}, []int{32}
			products[at+"self_attn.q_a_proj"], products[at+"self_attn.q_b_proj"] = [2]int{32, 64}, [2]int{384, 32}
			products[at+"self_attn.kv_a_proj_with_mqa"], products[at+"self_attn.kv_b_proj"], products[at+"self_attn.o_proj"] = [2]int{64, 64}, [2]int{256, 32}, [2]int{64, 128}
			feedForward := func(at string, n int) {
				products[at+"gate_proj"], products[at+"up_proj"], products[at+"down_proj"] = [2]int{n, 64}, [2]int{n, 64}, [2]int{64, n}
			}
			if l == 0 {
				feedForward(at+"mlp.", 96)
				continue
			}
			plain[at+"mlp.gate.weight"], plain[at+"mlp.gate.e_score_correction_bias"] = []int{4, 64}, []int{4}
			feedForward(at+"mlp.shared_experts.", 32)
			for e := range 4 {
				feedForward(fmt.Sprintf("%smlp.experts.%d.", at, e), 32)
			}
		}
		plain["model.layers.2.eh_proj.weight"] = []int{64, 128} // predicts further tokens: not needed
	}
	return config, plain, products
}

func writeModel(t *testing.T, config map[string]any, tensors []safetensors.Tensor) string {
	t.Helper()
	dir := t.TempDir()
	raw, err := json.Marshal(config)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "config.json"), raw, 0o600)
	}
	if err == nil {
		err = safetensors.Write(filepath.Join(dir, "model.safetensors"), tensors, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func compressedConfig(format string, bits int) map[string]any {
	return map[string]any{"quant_method": "compressed-tensors", "format": format,
		"config_groups": map[string]any{"group_0": map[string]any{"weights": map[string]any{"num_bits": bits, "symmetric": true}}}}
}

// TestQuantisedFoldersComputeWhatTheirWeightsMean opens folders of every method that Lian reads and compares the logits with those of
// the same model whose weights are float32.
func TestQuantisedFoldersComputeWhatTheirWeightsMean(t *testing.T) {
	for _, c := range []struct {
		name   string
		config map[string]any
		make   func(r *rand.Rand, n, k int) packed
	}{
		{"awq", map[string]any{"quant_method": "awq", "bits": 4, "group_size": 32, "version": "gemm", "zero_point": true}, awq},
		{"gptq4", map[string]any{"quant_method": "gptq", "bits": 4, "group_size": 32, "desc_act": false}, gptq(4, 1, false)},
		{"gptq4-order-v2", map[string]any{"quant_method": "gptq", "bits": 4, "group_size": 32, "desc_act": true, "checkpoint_format": "gptq_v2"}, gptq(4, 2, true)},
		{"gptq3", map[string]any{"quant_method": "gptq", "bits": 3, "group_size": 32}, gptq(3, 1, true)},
		{"gptq8", map[string]any{"quant_method": "gptq", "bits": 8, "group_size": 32}, gptq(8, 2, false)},
		{"nf4", map[string]any{"quant_method": "bitsandbytes", "load_in_4bit": true}, nf4(false)},
		{"nf4-double", map[string]any{"load_in_4bit": true, "bnb_4bit_use_double_quant": true}, nf4(true)},
		{"int8", map[string]any{"quant_method": "bitsandbytes", "load_in_8bit": true}, int8Rows},
		{"fp8-blocks", map[string]any{"quant_method": "fp8", "weight_block_size": []int{32, 32}, "activation_scheme": "dynamic"}, float8(32, "weight_scale_inv")},
		{"fp8-rows", map[string]any{"quant_method": "fbgemm_fp8"}, float8(0, "weight_scale")},
		{"compressed-fp8", compressedConfig("float-quantized", 8), float8(-1, "weight_scale")},
		{"compressed-int4", compressedConfig("pack-quantized", 4), compressed4(false)},
		{"compressed-int4-zeros", compressedConfig("pack-quantized", 4), compressed4(true)},
		{"compressed-int8", compressedConfig("int-quantized", 8), compressed8},
	} {
		if c.name == "gptq8" { // version 2 must be said
			c.config["checkpoint_format"] = "gptq_v2"
		}
		for _, family := range []string{"llama", "internlm2", "deepseek_v3"} {
			t.Run(c.name+"/"+family, func(t *testing.T) {
				r := rand.New(rand.NewPCG(7, uint64(len(c.name))))
				config, plain, products := base(family)
				var floats, quantised []safetensors.Tensor
				for _, name := range slices.Sorted(maps.Keys(plain)) { // weights are drawn in one order
					shape, n := plain[name], 1
					for _, s := range shape {
						n *= s
					}
					tensor := safetensors.Tensor{Name: name, Type: dtype.F32, Shape: shape, Data: compute.HostBytes(scales(r, n, 1))}
					floats, quantised = append(floats, tensor), append(quantised, tensor)
				}
				for _, module := range slices.Sorted(maps.Keys(products)) {
					shape := products[module]
					p := c.make(r, shape[0], shape[1])
					floats = append(floats, safetensors.Tensor{Name: module + ".weight", Type: dtype.F32, Shape: shape[:], Data: compute.HostBytes(p.values)})
					for _, tensor := range p.tensors {
						tensor.Name = module + "." + tensor.Name
						quantised = append(quantised, tensor)
					}
				}
				want := packedLogits(t, writeModel(t, config, floats), Options{}, model.Exact)
				config["quantization_config"] = c.config
				dir := writeModel(t, config, quantised)
				// parts that groups straddle take the precision of the method's own code
				for o, tolerance := range map[Options]float64{{}: 1e-2, {Float32: true}: 2e-5} {
					if family == "llama" {
						tolerance = 2e-5
					}
					got := packedLogits(t, dir, o, model.Exact)
					if d := farthest(got, want); !(d <= tolerance) {
						t.Errorf("%+v: logits are off by %.2g of the largest, allowed %.2g", o, d, tolerance)
					}
				}
				if d := farthest(packedLogits(t, dir, Options{}, model.Fast), want); !(d <= 0.2) {
					t.Errorf("fast logits are off by %.2g of the largest", d)
				}
				missing := slices.DeleteFunc(slices.Clone(quantised), func(x safetensors.Tensor) bool {
					return strings.HasSuffix(x.Name, "cale") || strings.HasSuffix(x.Name, "scales") || strings.HasSuffix(x.Name, "absmax") || strings.HasSuffix(x.Name, "SCB") || strings.HasSuffix(x.Name, "scale_inv")
				})
				if _, err := Open(writeModel(t, config, missing), ref.New(), Options{}); err == nil || !strings.Contains(err.Error(), "tensor ") {
					t.Errorf("without scales: %v, expected an error that names a tensor", err)
				}
			})
		}
	}
}

func packedLogits(t *testing.T, dir string, o Options, p model.Precision) []float32 {
	t.Helper()
	b := cpu.New(1)
	c, err := Open(dir, b, o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	m := tiny{Checkpoint: c, backend: b}
	batch := &model.Batch{}
	batch.Add([]int32{3, 1, 4, 1, 5, 9, 2, 6}, 0, nil)
	out := m.runAs(t, nil, batch, p)
	for _, v := range out {
		if math.IsNaN(float64(v)) {
			t.Fatal("a logit is not a number")
		}
	}
	return out
}

func TestUnknownQuantisationsAreRefusedByName(t *testing.T) {
	for _, c := range []struct{ config, want string }{
		{`{"quant_method": "aqlm"}`, "aqlm"},
		{`{"quant_method": "awq", "version": "gemv"}`, "gemv"},
		{`{"quant_method": "gptq", "checkpoint_format": "marlin"}`, "marlin"},
		{`{"quant_method": "compressed-tensors", "format": "nvfp4-pack-quantized"}`, "nvfp4"},
		{`{"quant_method": "compressed-tensors", "format": "int-quantized", "config_groups": {"g": {"weights": {"num_bits": 3}}}}`, "num_bits"},
		{`{"quant_method": 4}`, "quant_method"},
	} {
		config, _, _ := base("llama")
		config["quantization_config"] = json.RawMessage(c.config)
		_, err := Open(writeModel(t, config, nil), ref.New(), Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "config.json") {
			t.Errorf("%s: %v, expected an error that names config.json and %s", c.config, err, c.want)
		}
	}
}
