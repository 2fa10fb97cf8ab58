package family

import (
	"encoding/json"
	"maps"
	"math"
	"strconv"
	"strings"

	"lian/compute"
	"lian/model/nn"
)

// Fields are fields of a config.json.
type Fields map[string]any

// with is a copy of fields in which others take the place of those of the same name.
func (f Fields) with(others Fields) Fields {
	out := maps.Clone(f)
	maps.Copy(out, others)
	return out
}

// named gives fields other names: old, new, old, new …
func (f Fields) named(pairs ...string) Fields {
	out := maps.Clone(f)
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i+1]] = out[pairs[i]]
		delete(out, pairs[i])
	}
	return out
}

// without is a copy of fields less some.
func (f Fields) without(names ...string) Fields {
	out := maps.Clone(f)
	for _, n := range names {
		delete(out, n)
	}
	return out
}

// fractions are values in which floats are written as fractions even where they are whole, which transformers insists on.
func fractions(v any) any {
	switch v := v.(type) {
	case float32:
		return asFraction(strconv.FormatFloat(float64(v), 'g', -1, 32))
	case float64:
		return asFraction(strconv.FormatFloat(v, 'g', -1, 64))
	case []float64:
		list := make([]any, len(v))
		for i, x := range v {
			list[i] = fractions(x)
		}
		return list
	case Fields:
		if v == nil {
			return nil
		}
		out := Fields{}
		for name, x := range v {
			out[name] = fractions(x)
		}
		return out
	}
	return v
}

func asFraction(digits string) json.Number {
	if !strings.ContainsAny(digits, ".e") {
		digits += ".0"
	}
	return json.Number(digits)
}

// Typed are the fields of a configuration in which whole numbers are fractions where the family's own Config has fractions. They may
// come from metadata, where every number is a float.
func (f *Family) Typed(s *nn.Spec, fields map[string]any) Fields {
	out := maps.Clone(fields)
	if f.Config == nil {
		return out
	}
	return typed(out, f.Config(s))
}

func typed(fields, like Fields) Fields {
	for name, v := range fields {
		switch v := v.(type) {
		case float64:
			if n, ok := like[name].(json.Number); ok && strings.ContainsAny(n.String(), ".e") {
				fields[name] = fractions(v)
			}
		case json.Number:
			if n, ok := like[name].(json.Number); ok && strings.ContainsAny(n.String(), ".e") {
				fields[name] = asFraction(v.String())
			}
		case map[string]any:
			inner, _ := like[name].(Fields)
			fields[name] = typed(maps.Clone(v), inner)
		}
	}
	return fields
}

// written is what decoder and rms or layerNorm read.
func written(s *nn.Spec) Fields {
	a := turningLayer(s).Attention
	f := Fields{
		"vocab_size":              s.Vocab,
		"hidden_size":             s.Hidden,
		"intermediate_size":       s.FeedForward.Hidden,
		"num_hidden_layers":       s.Layers,
		"num_attention_heads":     a.Heads,
		"num_key_value_heads":     a.KVHeads,
		"head_dim":                a.HeadSize,
		"hidden_act":              activationNames[s.FeedForward.Function()],
		"max_position_embeddings": s.Context,
		"tie_word_embeddings":     s.TiedEmbedding,
	}
	if s.Norm.Kind == nn.RMSNorm {
		f["rms_norm_eps"] = s.Norm.Epsilon
	} else {
		f["layer_norm_eps"] = s.Norm.Epsilon
	}
	if a.RoPE.Rotary > 0 {
		f["rope_theta"], f["rope_scaling"] = a.RoPE.Theta, scalingFields(a.RoPE.Scaling)
	}
	if a.RoPE.Rotary < a.HeadSize {
		f["partial_rotary_factor"] = fraction(a)
	}
	return f
}

// turningLayer is the first layer with a rotary embedding, or the first.
func turningLayer(s *nn.Spec) *nn.Block {
	for l := range s.Layers {
		if b := s.Layer(l); b.Attention.RoPE.Rotary > 0 {
			return b
		}
	}
	return s.Layer(0)
}

// fraction is the part of a head that turns, such that rope finds the same number of elements.
func fraction(a nn.Attention) float64 {
	f := float64(a.RoPE.Rotary) / float64(a.HeadSize)
	if int(float64(a.HeadSize)*f) < a.RoPE.Rotary {
		f = math.Nextafter(f, 2)
	}
	return f
}

// activationNames are those that transformers knows.
var activationNames = map[compute.ActivationKind]string{
	compute.SiLU: "silu", compute.GELU: "gelu", compute.GELUTanh: "gelu_pytorch_tanh", compute.QuickGELU: "quick_gelu",
	compute.ReLU: "relu", compute.ReLU2: "relu2", compute.Sigmoid: "sigmoid", compute.Tanh: "tanh",
}

// scalingFields is what scaling reads: the rope_scaling of a config.json, nil for none.
func scalingFields(r compute.RoPEScaling) Fields {
	if r.Rule == "" || r.Rule == "default" {
		return nil
	}
	out := Fields{"rope_type": r.Rule}
	for name, v := range map[string]float64{"factor": r.Factor, "attention_factor": r.AttentionFactor, "beta_fast": r.BetaFast,
		"beta_slow": r.BetaSlow, "mscale": r.MScale, "mscale_all_dim": r.MScaleAllDim, "low_freq_factor": r.LowFreqFactor,
		"high_freq_factor": r.HighFreqFactor} {
		if v != 0 {
			out[name] = v
		}
	}
	if r.OriginalContext > 0 {
		out["original_max_position_embeddings"] = r.OriginalContext
	}
	if r.KeepFraction {
		out["truncate"] = false
	}
	if r.ShortFactor != nil {
		out["short_factor"], out["long_factor"] = r.ShortFactor, r.LongFactor
	}
	return out
}

// window is the longest window of a model's layers, nil for none.
func window(s *nn.Spec) any {
	most := 0
	for l := range s.Layers {
		most = max(most, s.Layer(l).Attention.Window)
	}
	if most == 0 {
		return nil
	}
	return most
}

// layerTypes are layer_types by whether a layer sees a window only.
func layerTypes(s *nn.Spec) []string {
	list := make([]string, s.Layers)
	for l := range list {
		if list[l] = "full_attention"; s.Layer(l).Attention.Window > 0 {
			list[l] = "sliding_attention"
		}
	}
	return list
}

// ropeByType are rope_parameters with a rotary embedding for each type of layer.
func ropeByType(s *nn.Spec) Fields {
	by := Fields{}
	for l, name := range layerTypes(s) {
		r := s.Layer(l).Attention.RoPE
		f := scalingFields(r.Scaling)
		if f == nil {
			f = Fields{"rope_type": "default"}
		}
		by[name] = f.with(Fields{"rope_theta": r.Theta})
	}
	return Fields{"rope_parameters": by}
}
