package step

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"lian/config"
	"lian/model/family"
	"lian/model/nn"
)

//go:embed presets.yaml
var presetFile []byte

// Preset is a shape by name.
type Preset struct {
	About  string         `yaml:"about"`
	Source string         `yaml:"source"`
	Config map[string]any `yaml:"config"` // fields of config.json, less vocab_size
}

// Presets are the shapes that come with Lian.
func Presets() (map[string]Preset, error) {
	var all map[string]Preset
	d := yaml.NewDecoder(bytes.NewReader(presetFile))
	d.KnownFields(true)
	if err := d.Decode(&all); err != nil {
		return nil, fmt.Errorf("presets.yaml: %w", err)
	}
	return all, nil
}

// ModelOptions choose the shape of a new model: a preset's, with what is set by hand in place of it.
type ModelOptions struct {
	Preset        string  `yaml:"preset" help:"shape of a new model: nano (the default), stories15m, gpt2, smollm2-135m, tinyllama-1.1b, internlm2-1.8b, qwen3-0.6b, moe-nano …, or a config.json"`
	Hidden        int     `yaml:"hidden" help:"hidden size; this and the following: 0 takes the preset's" default:"0" range:"0..65536"`
	Layers        int     `yaml:"layers" help:"decoder layers" default:"0" range:"0..1000"`
	Heads         int     `yaml:"heads" help:"query heads" default:"0" range:"0..1024"`
	KVHeads       int     `yaml:"kv_heads" help:"key and value heads" default:"0" range:"0..1024"`
	HeadSize      int     `yaml:"head_size" help:"size of a head; 0 takes hidden / heads where one of them is set" default:"0" range:"0..1024"`
	FeedForward   int     `yaml:"feed_forward" help:"feed-forward size; 0 takes the preset's share of the hidden size" default:"0" range:"0..262144"`
	Context       int     `yaml:"context" help:"longest sequence in tokens" default:"0" range:"0..1048576"`
	Theta         float64 `yaml:"theta" help:"base of the rotary frequencies" default:"0" range:"0..1000000000"`
	Experts       int     `yaml:"experts" help:"feed-forwards of a mixture, of a preset that is one" default:"0" range:"0..4096"`
	ChosenExperts int     `yaml:"chosen_experts" help:"experts that a token goes through" default:"0" range:"0..256"`
	Untied        bool    `yaml:"untied" help:"give the head a matrix of its own where the preset shares the embedding's"`
	Deviation     float64 `yaml:"deviation" help:"standard deviation of the initial matrices; 0 is the scheme's" default:"0" range:"0..10"`
	Init          string  `yaml:"init" help:"initial matrices: normal, gpt2 (outputs by 1/√(2·layers)), small (arXiv 1910.05895 with outputs 2/(layers·√hidden), as GPT-NeoX) or fan-in (1/√inputs)" default:"gpt2" range:"normal|gpt2|small|fan-in"`
	BaseWidth     int     `yaml:"base_width" help:"hidden size for which lr and deviation were chosen: matrices start and move as μP has it for this width (arXiv 2203.03466); 0 is without" default:"0" range:"0..65536"`
}

// widths says whether any size was set by hand.
func (o ModelOptions) widths() bool {
	return o.Hidden != 0 || o.Layers != 0 || o.Heads != 0 || o.KVHeads != 0 || o.HeadSize != 0 || o.FeedForward != 0
}

// Spec is the shape as a model of so many tokens, and its family.
func (o ModelOptions) Spec(vocab int) (nn.Spec, *family.Family, error) {
	c, f, err := presetConfig(o.Preset, vocab)
	if err != nil {
		return nn.Spec{}, nil, err
	}
	s, err := f.Read(c)
	if err != nil {
		return s, nil, err
	}
	if s, err = o.apply(s); err != nil {
		return s, nil, err
	}
	if err := s.Check(); err != nil {
		return s, nil, fmt.Errorf("model: %w", err)
	}
	return s, f, nil
}

// presetConfig is a preset's config.json with a vocabulary.
func presetConfig(name string, vocab int) (*family.Config, *family.Family, error) {
	all, err := Presets()
	if err != nil {
		return nil, nil, err
	}
	name = cmp.Or(name, "nano")
	file, fields := "preset "+name, map[string]any{}
	if p, ok := all[name]; ok {
		maps.Copy(fields, p.Config)
	} else if data, err := os.ReadFile(name); err == nil {
		file = name
		if err := json.Unmarshal(data, &fields); err != nil {
			return nil, nil, fmt.Errorf("%s: not a config.json: %w", name, err)
		}
	} else {
		names := slices.Sorted(maps.Keys(all))
		hint := ""
		if near := config.Nearest(name, names); near != "" {
			hint = fmt.Sprintf("; did you mean %s?", near)
		}
		return nil, nil, fmt.Errorf("model.preset %q: neither a preset (%s) nor a readable config.json%s", name, strings.Join(names, ", "), hint)
	}
	fields["vocab_size"] = vocab
	data, err := json.Marshal(fields)
	if err != nil {
		return nil, nil, err
	}
	c, err := family.ParseConfig(file, data)
	if err != nil {
		return nil, nil, err
	}
	kind, _ := fields["model_type"].(string)
	f, err := family.ByName(kind)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	return c, f, nil
}

// apply puts what was set by hand in place of the preset's.
func (o ModelOptions) apply(s nn.Spec) (nn.Spec, error) {
	if s.Each != nil && (o.widths() || o.Experts != 0 || o.ChosenExperts != 0 || o.Theta != 0) {
		return s, fmt.Errorf("model.preset %s has layers that differ: change sizes in a config.json of your own", o.Preset)
	}
	a, f := &s.Attention, &s.FeedForward
	hidden, headed := s.Hidden, a.HeadSize
	set := func(to *int, value int) {
		if value != 0 {
			*to = value
		}
	}
	set(&s.Hidden, o.Hidden)
	set(&s.Layers, o.Layers)
	if o.Heads != 0 {
		a.KVHeads = max(1, a.KVHeads*o.Heads/a.Heads)
		a.Heads = o.Heads
	}
	set(&a.KVHeads, o.KVHeads)
	switch {
	case o.HeadSize != 0:
		a.HeadSize = o.HeadSize
	case o.Hidden != 0 || o.Heads != 0:
		if s.Hidden%a.Heads != 0 {
			return s, fmt.Errorf("model.hidden is %d, expected a multiple of the %d heads, or model.head_size", s.Hidden, a.Heads)
		}
		a.HeadSize = s.Hidden / a.Heads
	}
	a.RoPE.Rotary = a.RoPE.Rotary * a.HeadSize / headed
	if a.Scale == float32(1/math.Sqrt(float64(headed))) {
		a.Scale = float32(1 / math.Sqrt(float64(a.HeadSize)))
	}
	if o.Hidden != 0 { // in whole blocks of 32, so that every format can hold it
		f.Hidden = (f.Hidden*s.Hidden/hidden + 31) / 32 * 32
	}
	set(&f.Hidden, o.FeedForward)
	if o.Context != 0 {
		s.Context = o.Context
		if s.Positions > 0 {
			s.Positions = o.Context + s.PositionOffset
		}
	}
	if o.Theta != 0 {
		a.RoPE.Theta = o.Theta
	}
	if (o.Experts != 0 || o.ChosenExperts != 0) && f.Experts.Count == 0 {
		return s, fmt.Errorf("model.experts is %d, but preset %s is not a mixture; take moe-nano or a config.json of one", o.Experts, o.Preset)
	}
	set(&f.Experts.Count, o.Experts)
	set(&f.Experts.Chosen, o.ChosenExperts)
	if o.Untied {
		s.TiedEmbedding = false
	}
	return s, nil
}
