package quant

import (
	"fmt"
	"strings"
	"testing"

	"lian/dtype"
	"lian/format"
)

// matrices are the tensors of a model of so many layers with rows of cols values.
func matrices(layers, cols int, tied bool) (infos []format.Info) {
	add := func(name string, shape ...int) {
		infos = append(infos, format.Info{Name: name, Type: dtype.F32, Shape: shape})
	}
	add("token_embd.weight", 9, cols)
	if !tied {
		add("output.weight", 9, cols)
	}
	for l := range layers {
		for _, name := range []string{"attn_q", "attn_k", "attn_v", "attn_output", "ffn_up", "ffn_down"} {
			add(fmt.Sprintf("blk.%d.%s.weight", l, name), 4, cols)
		}
		add(fmt.Sprintf("blk.%d.attn_norm.weight", l), cols)
		add(fmt.Sprintf("blk.%d.ffn_gate_inp.weight", l), 4, cols)
		add(fmt.Sprintf("blk.%d.ffn_gate_exps.weight", l), 4, 4, cols)
	}
	return infos
}

func TestMixesChooseAsLlamaQuantize(t *testing.T) {
	plain := Model{Architecture: "llama", Layers: 16, Heads: 8, KeyHeads: 8}
	grouped, mixture, large, falcon := plain, plain, plain, plain
	grouped.KeyHeads, mixture.Experts, large.Layers, large.KeyHeads, falcon.Architecture = 2, 8, 80, 4, "falcon"
	cases := []struct {
		mix, name string
		model     Model
		cols      int
		tied      bool
		set       Settings
		want      dtype.Type
		why       string
	}{
		{"q4_k_m", "blk.0.attn_q.weight", plain, 512, false, Settings{}, dtype.Q4_K, "whole blocks"},
		{"q4_k_m", "blk.0.attn_q.weight", plain, 96, false, Settings{}, dtype.Q5_0, "blocks of 32 only"},
		{"q4_k_m", "blk.0.attn_q.weight", plain, 100, false, Settings{}, dtype.F16, "no blocks"},
		{"q4_k_m", "blk.15.attn_v.weight", plain, 512, false, Settings{}, dtype.Q6_K, "last eighth"},
		{"q4_k_m", "blk.15.attn_v.weight", plain, 96, false, Settings{}, dtype.Q8_0, "last eighth, blocks of 32"},
		{"q4_k_m", "blk.4.ffn_down.weight", plain, 512, false, Settings{}, dtype.Q6_K, "every third of the rest"},
		{"q4_k_m", "blk.5.ffn_down.weight", plain, 512, false, Settings{}, dtype.Q4_K, "the others"},
		{"q4_k_m", "blk.3.attn_k.weight", mixture, 512, false, Settings{}, dtype.Q8_0, "eight experts"},
		{"q4_k_m", "output.weight", plain, 512, false, Settings{}, dtype.Q6_K, "head"},
		{"q4_k_m", "output.weight", falcon, 512, false, Settings{}, dtype.Q8_0, "a Falcon's head"},
		{"q4_k_m", "token_embd.weight", plain, 512, false, Settings{}, dtype.Q4_K, "embedding with a head of its own"},
		{"q4_k_m", "token_embd.weight", plain, 512, true, Settings{}, dtype.Q6_K, "embedding that is the head"},
		{"q4_k_m", "blk.0.attn_norm.weight", plain, 512, false, Settings{}, dtype.F32, "vector"},
		{"q4_k_m", "blk.0.ffn_gate_inp.weight", plain, 512, false, Settings{}, dtype.F32, "router"},
		{"q3_k", "blk.1.attn_v.weight", plain, 512, false, Settings{}, dtype.Q5_K, "one of the first two"},
		{"q3_k_m", "blk.7.attn_v.weight", large, 512, false, Settings{}, dtype.Q5_K, "70B"},
		{"q2_k", "blk.7.attn_v.weight", grouped, 512, false, Settings{}, dtype.Q4_K, "four heads share a key head"},
		{"q2_k", "blk.7.attn_v.weight", plain, 512, false, Settings{}, dtype.Q3_K, "none share"},
		{"q4_0", "blk.0.ffn_down.weight", plain, 512, false, Settings{Imatrix: true}, dtype.Q4_1, "early layer with importance"},
		{"q4_0", "blk.0.ffn_down.weight", plain, 512, false, Settings{}, dtype.Q4_0, "early layer without"},
		{"iq2_xxs", "token_embd.weight", plain, 512, false, Settings{}, dtype.Q2_K, "embedding of the smallest"},
		{"mxfp4_moe", "blk.0.ffn_gate_exps.weight", mixture, 512, false, Settings{}, dtype.MXFP4, "stack of experts"},
		{"mxfp4_moe", "blk.0.attn_q.weight", mixture, 512, false, Settings{}, dtype.Q8_0, "no stack"},
		{"q4_k_m", "output.weight", plain, 512, false, Settings{Pure: true}, dtype.Q4_K, "pure"},
		{"q4_k_m", "output.weight", plain, 512, false, Settings{Head: dtype.Q8_0}, dtype.Q8_0, "asked for"},
		{"q4_k_m", "blk.9.ffn_up.weight", plain, 512, false, Settings{Given: map[string]dtype.Type{"blk.9.ffn_up.weight": dtype.Q2_K}}, dtype.Q2_K, "given"},
	}
	for _, c := range cases {
		mix, err := Parse(c.mix)
		if err != nil {
			t.Fatal(err)
		}
		for _, got := range mix.Plan(matrices(c.model.Layers, c.cols, c.tied), c.model, c.set) {
			if got.Name == c.name && (got.To != c.want || got.FellBack != strings.Contains(got.Reason, "whole blocks")) {
				t.Errorf("%s, %s of %d columns (%s): %+v, want %v", c.mix, c.name, c.cols, c.why, got, c.want)
			}
		}
	}
	if _, err := Parse("q9"); err == nil || !strings.Contains(err.Error(), "q4_k_m") {
		t.Errorf("an unknown mix: %v", err)
	}
}

func TestOverridesWinAndDoNotCount(t *testing.T) {
	mix, _ := Parse("q4_k_s") // attn_v of the first four that it is asked about
	o, err := ParseOverride(`blk\.[01]\.attn_v=Q8_0`)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range mix.Plan(matrices(8, 256, true), Model{Architecture: "llama", Layers: 8, Heads: 4, KeyHeads: 4}, Settings{Overrides: []Override{o}}) {
		if strings.Contains(c.Name, "attn_v") {
			got = append(got, c.To.String())
		}
	}
	if want := "q8_0 q8_0 q5_k q5_k q5_k q5_k q4_k q4_k"; strings.Join(got, " ") != want {
		t.Errorf("attn_v: %v, want %s as llama-quantize counts", got, want)
	}
	for text, says := range map[string]string{"x": "NAME=TYPE", "(=q8_0": "missing", "x=q9": "q9", "x=i8": "not stored so", "x=q8_k": "not stored so"} {
		if _, err := ParseOverride(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestWhatIsUselessWithoutImportanceSaysSo(t *testing.T) {
	for mix, want := range map[string]bool{"iq2_xs": true, "q2_k_s": true, "q2_k": false, "q4_k_m": false, "iq3_s": false, "iq4_xs": false} {
		m, _ := Parse(mix)
		any := false
		for _, c := range m.Plan(matrices(8, 256, false), Model{Architecture: "llama", Layers: 8, Heads: 4, KeyHeads: 4}, Settings{}) {
			any = any || c.NeedsImatrix
		}
		if any != want {
			t.Errorf("%s: needs importance: %v, want %v", mix, any, want)
		}
	}
}
