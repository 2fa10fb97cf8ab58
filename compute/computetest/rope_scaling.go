package computetest

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"lian/compute"
	"lian/dtype"
	"lian/verify/shared"
)

// ropeParameters is rope_parameters of a config.json.
type ropeParameters struct {
	Rule            string    `json:"rope_type"`
	Theta           float64   `json:"rope_theta"`
	Factor          float64   `json:"factor"`
	Original        int       `json:"original_max_position_embeddings"`
	AttentionFactor float64   `json:"attention_factor"`
	BetaFast        float64   `json:"beta_fast"`
	BetaSlow        float64   `json:"beta_slow"`
	MScale          float64   `json:"mscale"`
	MScaleAllDim    float64   `json:"mscale_all_dim"`
	Truncate        *bool     `json:"truncate"`
	Low             float64   `json:"low_freq_factor"`
	High            float64   `json:"high_freq_factor"`
	Short           []float64 `json:"short_factor"`
	Long            []float64 `json:"long_factor"`
}

func (p ropeParameters) scaling(rotary, context int) compute.RoPEScaling {
	return compute.RoPEScaling{Rule: p.Rule, Theta: p.Theta, Rotary: rotary, Factor: p.Factor, Context: context, OriginalContext: p.Original,
		AttentionFactor: p.AttentionFactor, BetaFast: p.BetaFast, BetaSlow: p.BetaSlow, MScale: p.MScale, MScaleAllDim: p.MScaleAllDim,
		KeepFraction: p.Truncate != nil && !*p.Truncate, LowFreqFactor: p.Low, HighFreqFactor: p.High, ShortFactor: p.Short, LongFactor: p.Long}
}

func readJSON(t *testing.T, to any, path ...string) {
	t.Helper()
	raw, err := os.ReadFile(shared.Path(t, path...))
	if err == nil {
		err = json.Unmarshal(raw, to)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// RoPEScaling holds every scaling rule, and a backend's rotation with it, against the tables of transformers.
func RoPEScaling(t *testing.T, backend compute.Backend, open func(path string) (Vectors, error)) {
	var file struct {
		Cases map[string]struct {
			Parameters ropeParameters `json:"rope_parameters"`
			Head       int            `json:"head_dim"`
			Context    int            `json:"max_position_embeddings"`
			Length     int            `json:"seq_len"`
			Attention  float64        `json:"attention_factor"`
			Positions  []int32        `json:"positions"`
		}
	}
	readJSON(t, &file, "testdata", "golden", "infer", "rope", "rope.json")
	tables, err := open(shared.Path(t, "testdata", "golden", "infer", "rope", "rope.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer tables.Close()
	for name, c := range file.Cases {
		t.Run(name, func(t *testing.T) {
			frequencies, scale, err := c.Parameters.scaling(c.Head, c.Context).Frequencies(c.Length)
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(float64(scale)-c.Attention) > 1e-6 {
				t.Errorf("the attention factor is %v, expected %v", scale, c.Attention)
			}
			want, err := tables.Floats(name + ".inv_freq")
			if err != nil {
				t.Fatal(err)
			}
			relative(t, "frequency", frequencies, want, 1e-6)
			turn(t, backend, tables, name, c.Positions, want, scale)
		})
	}
	var rules []struct {
		Params    ropeParameters `json:"params"`
		Theta     float64        `json:"rope_theta"`
		Head      int            `json:"head_dim"`
		Context   int            `json:"max_position_embeddings"`
		Length    int            `json:"seq_len"`
		Want      []float32      `json:"inv_freq"`
		Attention float64        `json:"attention_factor"`
	}
	readJSON(t, &rules, "testdata", "golden", "train", "ops", "rope_scaling.json")
	for i, c := range rules {
		c.Params.Theta = c.Theta
		frequencies, scale, err := c.Params.scaling(c.Head, c.Context).Frequencies(c.Length)
		if err != nil {
			t.Fatalf("case %d (%s): %v", i, c.Params.Rule, err)
		}
		if math.Abs(float64(scale)-c.Attention) > 1e-6 {
			t.Errorf("case %d (%s, length %d): the attention factor is %v, expected %v", i, c.Params.Rule, c.Length, scale, c.Attention)
		}
		relative(t, c.Params.Rule, frequencies, c.Want, 1e-6)
	}
}

// relative compares values one by one.
func relative(t *testing.T, what string, got, want []float32, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, expected %d", what, len(got), len(want))
	}
	for i, w := range want {
		if math.Abs(float64(got[i]-w)) > tolerance*math.Abs(float64(w)) {
			t.Fatalf("%s %d is %v, expected %v", what, i, got[i], w)
		}
	}
}

// turn rotates (1, 0): what comes out is the cosine and the sine of each pair.
func turn(t *testing.T, backend compute.Backend, tables Vectors, name string, positions []int32, frequencies []float32, scale float32) {
	t.Helper()
	half, rows := len(frequencies), len(positions)
	for _, interleaved := range []bool{false, true} {
		b := NewBuild(backend, 1)
		x := make([]float32, rows*2*half)
		at := func(row, pair, member int) int { // where a member of a pair lies
			if interleaved {
				return row*2*half + 2*pair + member
			}
			return row*2*half + pair + member*half
		}
		for r := range rows {
			for p := range half {
				x[at(r, p, 0)] = 1
			}
		}
		o := &compute.RoPE{X: b.Set(b.Zero(dtype.F32, rows, 1, 2*half), x), Positions: b.Ints(positions), Frequencies: b.Set(b.Zero(dtype.F32, half), frequencies), Interleaved: interleaved, Scale: scale}
		b.stream.Launch(o)
		got, err := b.Floats(o.X)
		if err != nil {
			t.Fatal(err)
		}
		for member, table := range []string{".cos", ".sin"} {
			want, err := tables.Floats(name + table)
			if err != nil {
				t.Fatal(err)
			}
			for r, position := range positions {
				tolerance := 2e-6 + 8e-8*float64(position) // their angles are rounded to float32, ours are not
				for p := range half {
					if g, w := got[at(r, p, member)], want[r*half+p]; math.Abs(float64(g-w)) > tolerance {
						t.Fatalf("%s of position %d, pair %d (interleaved %v) is %v, expected %v", table[1:], position, p, interleaved, g, w)
					}
				}
			}
		}
	}
}
