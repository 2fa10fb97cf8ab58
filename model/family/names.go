package family

import (
	"fmt"
	"maps"
	"strings"

	"lian/model"
	"lian/model/nn"
)

// Names say where a family's files hold its parameters, by the parameters' generic names (layers.3.attention.q is attention.q).
type Names map[string]Place

// Place is where a parameter lies: a tensor's name without .weight or .bias, in which {layer} and {expert} stand for numbers.
type Place struct {
	name       string
	full       bool // the name is the whole name, nothing is added
	transposed bool
	offset     float32
	view       func(v *model.View) // what else there is to say of it
	rows       func(s *nn.Spec, b *nn.Block) model.Rows
}

// Name is the tensor's name, without .weight or .bias.
func (p Place) Name() string { return p.name }

// at is a tensor that is the parameter.
func at(name string) Place { return Place{name: name} }

// full is a tensor whose name ends in neither .weight nor .bias.
func full(name string) Place { return Place{name: name, full: true} }

// turned is a place whose matrix is stored [in, out].
func (p Place) turned() Place {
	p.transposed = true
	return p
}

// above is a place whose stored values are by more than the parameter's.
func (p Place) above(by float32) Place {
	p.offset = by
	return p
}

// as is a place with something more to say of how the parameter lies there.
func (p Place) as(view func(v *model.View)) Place {
	p.view = view
	return p
}

// unit is a place whose rows are scaled to length 1 when they are read.
func (p Place) unit() Place {
	p.view = func(v *model.View) { v.Unit = true }
	return p
}

// with is a copy of names in which others take the place of those of the same key; a Place without a name takes one out.
func (n Names) with(others ...Names) Names {
	out := maps.Clone(n)
	for _, o := range others {
		for key, place := range o {
			if out[key] = place; place.name == "" {
				delete(out, key)
			}
		}
	}
	return out
}

// renamed is a copy of names in which another beginning takes the place of one.
func (n Names) renamed(from, to string) Names {
	out := Names{}
	for key, place := range n {
		if rest, ok := strings.CutPrefix(place.name, from); ok {
			place.name = to + rest
		}
		out[key] = place
	}
	return out
}

// stackedQKV are queries, keys and values one after the other in one tensor.
func stackedQKV(p Place) Names {
	part := func(which int) Place {
		p.rows = func(_ *nn.Spec, b *nn.Block) model.Rows {
			a := &b.Attention
			sizes := [3]int{a.Heads * a.HeadSize, a.KVHeads * a.HeadSize, a.KVHeads * a.Values()}
			r := model.Rows{Total: sizes[0] + sizes[1] + sizes[2], Count: sizes[which], Times: 1}
			for _, n := range sizes[:which] {
				r.From += n
			}
			return r
		}
		return p
	}
	return Names{"attention.q": part(0), "attention.k": part(1), "attention.v": part(2)}
}

// groupedQKV are the queries, the key and the value of one kv head after the other in one tensor.
func groupedQKV(p Place) Names {
	part := func(which int) Place {
		p.rows = func(_ *nn.Spec, b *nn.Block) model.Rows {
			a := &b.Attention
			sizes := [3]int{a.Heads / a.KVHeads * a.HeadSize, a.HeadSize, a.Values()}
			every := sizes[0] + sizes[1] + sizes[2]
			r := model.Rows{Total: every * a.KVHeads, Count: sizes[which], Every: every, Times: a.KVHeads}
			for _, n := range sizes[:which] {
				r.From += n
			}
			return r
		}
		return p
	}
	return Names{"attention.q": part(0), "attention.k": part(1), "attention.v": part(2)}
}

// stackedGateUp are gate and up one after the other in one tensor.
func stackedGateUp(p Place) Names {
	part := func(which int) Place {
		p.rows = func(_ *nn.Spec, b *nn.Block) model.Rows {
			n := b.FeedForward.Hidden
			return model.Rows{Total: 2 * n, From: which * n, Count: n, Times: 1}
		}
		return p
	}
	return Names{"feed_forward.gate": part(0), "feed_forward.up": part(1)}
}

// llamaNames are the names that most families took over from Llama.
var llamaNames = Names{
	"embedding":         at("model.embed_tokens"),
	"attention_norm":    at("model.layers.{layer}.input_layernorm"),
	"attention.q":       at("model.layers.{layer}.self_attn.q_proj"),
	"attention.k":       at("model.layers.{layer}.self_attn.k_proj"),
	"attention.v":       at("model.layers.{layer}.self_attn.v_proj"),
	"attention.q_norm":  at("model.layers.{layer}.self_attn.q_norm"),
	"attention.k_norm":  at("model.layers.{layer}.self_attn.k_norm"),
	"attention.o":       at("model.layers.{layer}.self_attn.o_proj"),
	"feed_forward_norm": at("model.layers.{layer}.post_attention_layernorm"),
	"feed_forward.gate": at("model.layers.{layer}.mlp.gate_proj"),
	"feed_forward.up":   at("model.layers.{layer}.mlp.up_proj"),
	"feed_forward.down": at("model.layers.{layer}.mlp.down_proj"),
	"norm":              at("model.norm"),
	"head":              at("lm_head"),
}

// ggufNames are the names in GGUF, which are the same for nearly all families. Source: gguf-py, tensor_mapping.py.
var ggufNames = Names{
	"embedding":               at("token_embd"),
	"positions":               at("position_embd"),
	"embedding_norm":          at("token_embd_norm"),
	"attention_norm":          at("blk.{layer}.attn_norm"),
	"attention.q":             at("blk.{layer}.attn_q"),
	"attention.k":             at("blk.{layer}.attn_k"),
	"attention.v":             at("blk.{layer}.attn_v"),
	"attention.q_norm":        at("blk.{layer}.attn_q_norm"),
	"attention.k_norm":        at("blk.{layer}.attn_k_norm"),
	"attention.sinks":         at("blk.{layer}.attn_sinks"),
	"attention.inner_norm":    at("blk.{layer}.attn_sub_norm"),
	"attention.q_a":           at("blk.{layer}.attn_q_a"),
	"attention.q_a_norm":      at("blk.{layer}.attn_q_a_norm"),
	"attention.q_b":           at("blk.{layer}.attn_q_b"),
	"attention.kv_a":          at("blk.{layer}.attn_kv_a_mqa"),
	"attention.kv_a_norm":     at("blk.{layer}.attn_kv_a_norm"),
	"attention.k_b":           at("blk.{layer}.attn_k_b"),
	"attention.v_b":           at("blk.{layer}.attn_v_b"),
	"attention.o":             at("blk.{layer}.attn_output"),
	"attention_post_norm":     at("blk.{layer}.post_attention_norm"),
	"feed_forward_norm":       at("blk.{layer}.ffn_norm"),
	"feed_forward.gate":       at("blk.{layer}.ffn_gate"),
	"feed_forward.up":         at("blk.{layer}.ffn_up"),
	"feed_forward.inner_norm": at("blk.{layer}.ffn_sub_norm"),
	"feed_forward.down":       at("blk.{layer}.ffn_down"),
	"feed_forward_post_norm":  at("blk.{layer}.post_ffw_norm"),

	"feed_forward.router":            at("blk.{layer}.ffn_gate_inp"),
	"feed_forward.router_correction": full("blk.{layer}.exp_probs_b.bias"),
	"feed_forward.experts.gate":      at("blk.{layer}.ffn_gate_exps"),
	"feed_forward.experts.up":        at("blk.{layer}.ffn_up_exps"),
	"feed_forward.experts.down":      at("blk.{layer}.ffn_down_exps"),
	"feed_forward.shared.gate":       at("blk.{layer}.ffn_gate_shexp"),
	"feed_forward.shared.up":         at("blk.{layer}.ffn_up_shexp"),
	"feed_forward.shared.down":       at("blk.{layer}.ffn_down_shexp"),
	"feed_forward.shared_gate":       at("blk.{layer}.ffn_gate_inp_shexp"),

	"norm": at("output_norm"),
	"head": at("output"),
}

// viewOf is a place for one parameter: generic is its name without the layer's number.
func (p Place) viewOf(s *nn.Spec, w nn.Weight, layer int, bias bool) model.View {
	v := model.View{Name: strings.ReplaceAll(p.name, "{layer}", fmt.Sprint(layer)), Offset: p.offset}
	matrix := w.Kind == nn.Matrix || w.Kind == nn.Residual || w.Kind == nn.Embedding
	switch {
	case p.full:
	case bias:
		v.Name += ".bias"
	default:
		v.Name += ".weight"
	}
	if bias {
		v.Offset = 0
	}
	if p.rows != nil {
		v.Rows = p.rows(s, s.Layer(max(layer, 0)))
		if matrix {
			v.Rows.Axis = 1
		}
	}
	v.Transposed = p.transposed && matrix
	if strings.Contains(v.Name, "{expert}") {
		v.Experts = w.Shape[0]
	}
	if p.view != nil {
		p.view(&v)
	}
	return v
}

// adaptable says whether a weight is a product that LoRA and its relatives may change: one for all tokens, and not what chooses experts.
func adaptable(w nn.Weight) bool {
	return (w.Kind == nn.Matrix || w.Kind == nn.Residual) && len(w.Shape) == 2 && !strings.HasSuffix(w.Name, "feed_forward.router") && !strings.HasSuffix(w.Name, "feed_forward.shared_gate")
}

// Bindings say how a model's files hold its parameters, in the order of the parameters.
func (f *Family) Bindings(s nn.Spec) ([]model.Binding, error) {
	names := f.Names
	if f.NamesOf != nil {
		names = names.with(f.NamesOf(&s))
	}
	g := f.GGUF()
	places := Names{}
	if g != nil {
		places = ggufNames.with(g.Names)
		if g.NamesOf != nil {
			places = places.with(g.NamesOf(&s))
		}
	}
	var out []model.Binding
	for _, w := range s.Weights() {
		layer, generic := -1, w.Name
		if rest, ok := strings.CutPrefix(w.Name, "layers."); ok {
			number, after, _ := strings.Cut(rest, ".")
			generic = after
			fmt.Sscan(number, &layer)
		}
		base, bias := strings.CutSuffix(generic, ".bias")
		place, ok := names[generic] // a bias may have a place of its own
		if !ok {
			place, ok = names[base]
		}
		if !ok {
			return nil, fmt.Errorf("family %s has no name for %s", f.ModelTypes[0], w.Name)
		}
		b := model.Binding{Parameter: w.Name, Shape: w.Shape, Hub: place.viewOf(&s, w, layer, bias), Adaptable: adaptable(w)}
		place, ok = places[generic]
		if !ok {
			place, ok = places[base]
		}
		if ok {
			b.GGUF = place.viewOf(&s, w, layer, bias)
			if g.Interleaved && layer >= 0 {
				if a := s.Layer(layer).Attention; !a.RoPE.Interleaved {
					b.GGUF.Pairs = map[string]int{"attention.q": a.Heads, "attention.k": a.KVHeads}[base]
				}
			}
		}
		if g != nil {
			if place, ok := g.Older[base]; ok {
				b.OlderGGUF = place.viewOf(&s, w, layer, bias)
			}
		}
		out = append(out, b)
	}
	return out, nil
}
