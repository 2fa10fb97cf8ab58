package step

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lian/compute/cpu"
	"lian/config"
	"lian/dtype"
	"lian/model/checkpoint"
	"lian/model/nn"
)

func modelOptions(t *testing.T, change func(*ModelOptions)) ModelOptions {
	t.Helper()
	var o ModelOptions
	if err := config.Defaults(&o); err != nil {
		t.Fatal(err)
	}
	change(&o)
	return o
}

// TestPresetsAreThePublishedShapes: with the authors' vocabulary a preset has the parameters that its authors count.
func TestPresetsAreThePublishedShapes(t *testing.T) {
	published := map[string]struct{ vocabulary, parameters int }{
		"stories15m": {32000, 15191712}, "gpt2": {50257, 124439808}, "gpt2-medium": {50257, 354823168}, "smollm2-135m": {49152, 134515008},
		"smollm2-360m": {49152, 361821120}, "tinyllama-1.1b": {32000, 1100048384}, "internlm2-1.8b": {92544, 1889110016}, "qwen3-0.6b": {151936, 596049920},
		"nano": {4096, 5475584}, "moe-nano": {4096, 18758912}, // ours
	}
	all, err := Presets()
	if err != nil {
		t.Fatal(err)
	}
	for name := range all {
		s, f, err := modelOptions(t, func(o *ModelOptions) { o.Preset = name }).Spec(max(32, published[name].vocabulary))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := s.Count(); got != published[name].parameters {
			t.Errorf("%s has %d parameters, published %d", name, got, published[name].parameters)
		}
		if f.Config == nil {
			t.Errorf("%s: family %s cannot be saved", name, f.Name())
		}
	}
}

// TestANewModelOfAnyPresetOpensAgain: small ones of each family are saved and read back with their own switches.
func TestANewModelOfAnyPresetOpensAgain(t *testing.T) {
	b := cpu.New(1)
	for _, name := range []string{"nano", "gpt2", "internlm2-1.8b", "qwen3-0.6b", "moe-nano"} {
		o := modelOptions(t, func(o *ModelOptions) {
			o.Preset, o.Hidden, o.Layers, o.Heads, o.KVHeads, o.FeedForward, o.Context = name, 32, 2, 4, 4, 40, 16
		})
		s, f, err := o.Spec(64)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		m, err := nn.InitialiseBy(b, s, 1, nn.Scheme(o.Init), 0)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := checkpoint.SaveFolder(dir, b.NewStream(), f, m, checkpoint.FolderOptions{Type: dtype.F32}); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		c, err := checkpoint.Open(dir, b, checkpoint.Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, want := c.Model.Switches(), m.Switches(); got != want {
			t.Errorf("%s: opened with\n%s\nsaved with\n%s", name, got, want)
		}
		c.Close()
	}
}

func TestWidthsByHandAndFiles(t *testing.T) {
	s, _, err := modelOptions(t, func(o *ModelOptions) { o.Hidden, o.Heads = 384, 6 }).Spec(100)
	if err != nil || s.Hidden != 384 || s.Attention.Heads != 6 || s.Attention.KVHeads != 3 || s.Attention.HeadSize != 64 || s.FeedForward.Hidden != 1056 || s.Layers != 6 {
		t.Errorf("hidden 384, 6 heads: %+v, %v", s, err)
	}
	file := filepath.Join(t.TempDir(), "配置.json")
	data, err := json.Marshal(map[string]any{"model_type": "qwen2", "hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 96})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if s, f, err := modelOptions(t, func(o *ModelOptions) { o.Preset = file }).Spec(100); err != nil || f.Name() != "qwen2" || !s.Attention.Bias || s.Layers != 3 {
		t.Errorf("a config.json of qwen2: %+v, %v", s, err)
	}
	for says, change := range map[string]func(*ModelOptions){
		"did you mean smollm2-135m": func(o *ModelOptions) { o.Preset = "smollm-135m" },
		"multiple of the 5 heads":   func(o *ModelOptions) { o.Heads, o.Hidden = 5, 64 },
		"not a mixture":             func(o *ModelOptions) { o.Experts = 4 },
		"multiple of 3 kv heads":    func(o *ModelOptions) { o.KVHeads = 3 },
	} {
		if _, _, err := modelOptions(t, change).Spec(100); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("says %v, expected %q", err, says)
		}
	}
}
