package family

import (
	"fmt"
	"strconv"

	"lian/model/nn"
)

// Keys are pieces of metadata that belong together.
type Keys []Key

// Key is a piece of metadata, or several that make one field of config.json.
type Key struct {
	write func(s *nn.Spec, put func(key string, value any)) // nil: not written
	read  func(r *reading)
}

// whole is a whole number.
func whole(key, field string, of func(s *nn.Spec) int) Key {
	return Key{
		write: func(s *nn.Spec, put func(string, any)) { put(key, uint32(of(s))) },
		read:  func(r *reading) { r.copy(key, field) },
	}
}

// float is a number.
func float(key, field string, of func(s *nn.Spec) float64) Key {
	return Key{
		write: func(s *nn.Spec, put func(string, any)) { put(key, float32(of(s))) },
		read:  func(r *reading) { r.copy(key, field) },
	}
}

// flag is a truth value.
func flag(key, field string, of func(s *nn.Spec) bool) Key {
	return Key{
		write: func(s *nn.Spec, put func(string, any)) { put(key, of(s)) },
		read:  func(r *reading) { r.copy(key, field) },
	}
}

// needed is a key without which a file is no model.
func (k Key) needed(key string) Key {
	read := k.read
	k.read = func(r *reading) {
		if _, ok := r.value(key); !ok {
			r.fail("metadata %s%s is missing", r.prefix, key)
		}
		read(r)
	}
	return k
}

// positive writes a key only where it is not zero.
func (k Key) positive() Key {
	write := k.write
	k.write = func(s *nn.Spec, put func(string, any)) {
		write(s, func(key string, value any) {
			if value != uint32(0) && value != float32(0) && value != false {
				put(key, value)
			}
		})
	}
	return k
}

// constant is a key that is the same in every file of an architecture and says nothing.
func constant(key string, value any) Key {
	return Key{
		write: func(_ *nn.Spec, put func(string, any)) { put(key, value) },
		read:  func(r *reading) { r.value(key) },
	}
}

// present is a field that says whether a tensor is there.
func present(field, tensor string) Key {
	return Key{read: func(r *reading) {
		_, ok := r.file.Info(tensor)
		r.fields[field] = ok
	}}
}

// always are read of every file, whatever its architecture.
var always = Keys{
	{read: func(r *reading) {
		if info, ok := r.file.Info("token_embd.weight"); ok && len(info.Shape) == 2 {
			r.fields["vocab_size"] = info.Shape[0]
		} else if n, ok := r.file.Length("tokenizer.ggml.tokens"); ok {
			r.fields["vocab_size"] = n
		}
		r.value("vocab_size")
		_, ok := r.file.Info("output.weight")
		r.fields["tie_word_embeddings"] = !ok
	}},
}

// sizes are what every decoder says of itself.
var sizes = Keys{
	whole("block_count", "num_hidden_layers", func(s *nn.Spec) int { return s.Layers }).needed("block_count"),
	whole("context_length", "max_position_embeddings", func(s *nn.Spec) int { return s.Context }),
	whole("embedding_length", "hidden_size", func(s *nn.Spec) int { return s.Hidden }).needed("embedding_length"),
	whole("feed_forward_length", "intermediate_size", func(s *nn.Spec) int {
		if n := dense(s).Hidden; n > 0 {
			return n
		}
		return mixture(s).Hidden
	}),
	whole("attention.head_count", "num_attention_heads", func(s *nn.Spec) int { return s.Attention.Heads }).needed("attention.head_count"),
	whole("attention.head_count_kv", "num_key_value_heads", func(s *nn.Spec) int { return s.Attention.KVHeads }),
	headSize.where(oddHeads),
}

var (
	vocabulary   = whole("vocab_size", "vocab_size", func(s *nn.Spec) int { return s.Vocab })
	rmsEpsilon   = float("attention.layer_norm_rms_epsilon", "rms_norm_eps", epsilon)
	layerEpsilon = float("attention.layer_norm_epsilon", "layer_norm_eps", epsilon)
	ropeTheta    = float("rope.freq_base", "rope_theta", func(s *nn.Spec) float64 { return s.Attention.RoPE.Theta })
	logitScale   = float("logit_scale", "logit_scale", func(s *nn.Spec) float64 { return float64(s.LogitScale) })
)

func epsilon(s *nn.Spec) float64 { return float64(s.Norm.Epsilon) }

// widest is the window of the layers that have one, 0 if none has.
func widest(s *nn.Spec) (window int) {
	for l := range s.Layers {
		window = max(window, s.Layer(l).Attention.Window)
	}
	return window
}

// headSize is the size of a head's keys and values. Where it is not a share of the hidden size it is always said (sizes),
// otherwise by some families only (evenHeads).
var headSize = Key{
	write: func(s *nn.Spec, put func(string, any)) {
		put("attention.key_length", uint32(s.Attention.HeadSize))
		put("attention.value_length", uint32(s.Attention.Values()))
	},
	read: func(r *reading) {
		if head := r.head(); head > 0 { // said or not: families have sizes of their own for config.json files that say none
			r.fields["head_dim"] = head
		}
		r.value("attention.value_length")
	},
}

var evenHeads = headSize.where(func(s *nn.Spec) bool { return !oddHeads(s) })

func oddHeads(s *nn.Spec) bool { return s.Attention.Heads*s.Attention.HeadSize != s.Hidden }

// where is a key that is written of some models only.
func (k Key) where(is func(s *nn.Spec) bool) Key {
	write := k.write
	k.write = func(s *nn.Spec, put func(string, any)) {
		if is(s) {
			write(s, put)
		}
	}
	return k
}

// rotary is how much of a head turns, which config.json tells as a share.
func rotary(field string) Key {
	return Key{
		write: func(s *nn.Spec, put func(string, any)) { put("rope.dimension_count", uint32(s.Attention.RoPE.Rotary)) },
		read: func(r *reading) {
			turns, ok := r.number("rope.dimension_count")
			head := r.head()
			if ok && head > 0 && turns != head {
				r.fields[field] = turns / head
			}
		},
	}
}

// reading is a file's metadata on its way to a config.json.
type reading struct {
	file   GGUFFile
	prefix string // the architecture's name and a point
	fields map[string]any
	known  map[string]bool // keys below prefix that somebody asked for
	err    error
}

func (r *reading) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// value is what a key below the architecture's name holds.
func (r *reading) value(key string) (any, bool) {
	r.known[key] = true
	return r.file.Value(r.prefix + key)
}

// copy makes a field of a key, if it is there. Numbers of 32 bits become the shortest decimal that means them.
func (r *reading) copy(key, field string) {
	v, ok := r.value(key)
	if !ok {
		return
	}
	switch x := v.(type) {
	case uint8, int8, uint16, int16, uint32, int32, uint64, int64, float64, bool, string:
		r.fields[field] = x
	case float32:
		r.fields[field] = decimal(x)
	default:
		r.fail("metadata %s%s is a list (%T); Lian expects one value for all layers", r.prefix, key, v)
	}
}

// number is a key that holds a number.
func (r *reading) number(key string) (float64, bool) {
	v, ok := r.value(key)
	if !ok {
		return 0, false
	}
	n, ok := number(v)
	if !ok {
		r.fail("metadata %s%s is %v (%T), expected a number", r.prefix, key, v, v)
	}
	return n, ok
}

// text is a key that holds a text, "" if it is not there.
func (r *reading) text(key string) string {
	v, ok := r.value(key)
	if !ok {
		return ""
	}
	s, ok := v.(string)
	if !ok {
		r.fail("metadata %s%s is %v (%T), expected a text", r.prefix, key, v, v)
	}
	return s
}

// head is the size of a head.
func (r *reading) head() float64 {
	if n, ok := r.number("attention.key_length"); ok {
		return n
	}
	hidden, _ := r.number("embedding_length")
	heads, _ := r.number("attention.head_count")
	if heads == 0 {
		return 0
	}
	return hidden / heads
}

func number(v any) (float64, bool) {
	switch x := v.(type) {
	case uint8:
		return float64(x), true
	case int8:
		return float64(x), true
	case uint16:
		return float64(x), true
	case int16:
		return float64(x), true
	case uint32:
		return float64(x), true
	case int32:
		return float64(x), true
	case uint64:
		return float64(x), true
	case int64:
		return float64(x), true
	case float32:
		return decimal(x), true
	case float64:
		return x, true
	}
	return 0, false
}

// decimal is the shortest decimal number that means x: 1e-6, not 9.99999997e-07.
func decimal(x float32) float64 {
	v, _ := strconv.ParseFloat(strconv.FormatFloat(float64(x), 'g', -1, 32), 64)
	return v
}

// keys joins groups of keys and single ones.
func keys(parts ...any) (out Keys) {
	for _, p := range parts {
		switch x := p.(type) {
		case Key:
			out = append(out, x)
		case Keys:
			out = append(out, x...)
		}
	}
	return out
}
