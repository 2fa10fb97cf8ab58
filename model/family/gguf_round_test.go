package family_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"lian/format"
	"lian/format/gguf"
	"lian/model/family"
)

// madeFile is a GGUF file of metadata and names of tensors.
type madeFile struct {
	values  map[string]any
	tensors map[string]format.Info
}

func (f madeFile) Keys() (keys []string) {
	for k := range f.values {
		keys = append(keys, k)
	}
	return keys
}
func (f madeFile) Value(key string) (any, bool) { v, ok := f.values[key]; return v, ok }
func (f madeFile) String(key string) (string, bool) {
	s, ok := f.values[key].(string)
	return s, ok
}
func (f madeFile) Length(string) (int, bool)              { return 0, false }
func (f madeFile) Info(tensor string) (format.Info, bool) { i, ok := f.tensors[tensor]; return i, ok }
func (f madeFile) Float32s(string) ([]float32, error)     { return nil, nil }
func (f madeFile) with(more ...gguf.KeyValue) madeFile {
	for _, kv := range more {
		f.values[kv.Key] = kv.Value
	}
	return f
}

const sizesOfTwo = `"hidden_size":32,"intermediate_size":56,"num_attention_heads":4,"num_key_value_heads":2,"num_hidden_layers":2,"head_dim":12,"vocab_size":50,"max_position_embeddings":256,`

// TestConfigurationsSurviveMetadata: a config.json made into metadata and back gives the same Spec.
func TestConfigurationsSurviveMetadata(t *testing.T) {
	for name, config := range map[string]string{
		"glm4moe":       `"model_type":"glm4_moe","n_routed_experts":8,"num_experts_per_tok":3,"n_shared_experts":2,"moe_intermediate_size":20,"first_k_dense_replace":1,"n_group":4,"topk_group":2,"routed_scaling_factor":1.5,"head_dim":16,"use_qk_norm":true,"attention_bias":true`,
		"dots1":         `"model_type":"dots1","sliding_window":null,"n_routed_experts":8,"num_experts_per_tok":3,"n_shared_experts":2,"moe_intermediate_size":20,"first_k_dense_replace":1,"norm_topk_prob":true`,
		"minimax-m2":    `"model_type":"minimax_m2","num_local_experts":8,"num_experts_per_tok":3,"rotary_dim":6`,
		"exaone4":       `"model_type":"exaone4","sliding_window":null,"tie_word_embeddings":true`,
		"hunyuan-dense": `"model_type":"hunyuan_v1_dense","attention_bias":true,"tie_word_embeddings":true`,
		"hunyuan-moe":   `"model_type":"hunyuan_v1_moe","num_experts":[8,8],"moe_topk":[3,3],"moe_intermediate_size":[56,56]`,
		"ernie4_5-moe":  `"model_type":"ernie4_5_moe","num_hidden_layers":7,"moe_num_experts":8,"moe_k":3,"moe_intermediate_size":20,"moe_layer_interval":2,"moe_layer_start_index":2,"moe_layer_end_index":4`,
		"mistral3":      `"model_type":"ministral3","rope_parameters":{"rope_type":"yarn","rope_theta":1000000,"factor":16,"beta_fast":32,"beta_slow":1,"mscale":1,"mscale_all_dim":1,"llama_4_scaling_beta":0.125,"original_max_position_embeddings":16}`,
		"bitnet":        `"model_type":"bitnet","hidden_act":"silu"`,
	} {
		t.Run(name, func(t *testing.T) {
			c, err := family.ParseConfig("config.json", []byte("{"+sizesOfTwo+config+"}"))
			if err != nil {
				t.Fatal(err)
			}
			var fields struct {
				ModelType string `json:"model_type"`
			}
			if err := json.Unmarshal([]byte("{"+config+"}"), &fields); err != nil {
				t.Fatal(err)
			}
			f, err := family.ByName(fields.ModelType)
			if err != nil {
				t.Fatal(err)
			}
			want, err := f.Read(c)
			if err != nil {
				t.Fatal(err)
			}
			file := madeFile{map[string]any{}, map[string]format.Info{}}
			bindings, err := f.Bindings(want)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range bindings {
				file.tensors[b.GGUF.Name] = format.Info{Name: b.GGUF.Name, Shape: b.GGUF.FileShape(b.Shape)}
			}
			metadata, err := f.ToGGUF(&want, nil)
			if err != nil {
				t.Fatal(err)
			}
			if file.with(metadata...).values["general.architecture"] != name {
				t.Errorf("architecture %v", file.values["general.architecture"])
			}
			now, read, err := family.FromGGUF("model.gguf", file)
			if err != nil {
				t.Fatal(err)
			}
			got, err := now.Read(read)
			if err != nil {
				t.Fatal(err)
			}
			if unread := read.Unread(); len(unread) > 0 || !reflect.DeepEqual(got, want) {
				t.Errorf("unread %v\n got %+v\nwant %+v", unread, got, want)
			}
		})
	}
}
