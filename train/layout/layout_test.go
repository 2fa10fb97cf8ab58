package layout

import (
	"math"
	"strings"
	"testing"
)

// TestPublishedFiguresFollowFromTheFormulas: InternEvo's TFLOPS are its tokens a second times its operations a token, within rounding and noise of the tables,
// and what was trained on 80 GB is planned into 80 GB.
func TestPublishedFiguresFollowFromTheFormulas(t *testing.T) {
	models, settings, err := Headlines()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range settings {
		m := models[s.Model]
		for i, devices := range s.Devices {
			l := s.At(i)
			r, err := Plan(m, l)
			if err != nil {
				t.Fatalf("%s: %v", s.Name, err)
			}
			if s.TFLOPS != nil {
				// rates and operations were averaged over different steps: the table itself is 3.7 % off in one place
				if got := s.Rates[i] * r.InternEvo / 1e12; math.Abs(got/s.TFLOPS[i]-1) > 0.04 {
					t.Errorf("%s on %d: %.1f TFLOPS from the rate, published %v", s.Name, devices, got, s.TFLOPS[i])
				}
			}
			if gigabytes := float64(r.Memory.Total) / 1e9; gigabytes > 80 || s.Gigabytes != nil && (gigabytes > s.Gigabytes[i] || gigabytes < s.Gigabytes[i]/2.2) {
				t.Errorf("%s on %d: %.1f GB planned, published %v", s.Name, devices, gigabytes, s.Gigabytes)
			}
			t.Logf("%s on %d: %s; %.1f GB a device, %.1f GB sent a step, %d tokens a step", s.Name, devices, r.Layout, float64(r.Memory.Total)/1e9, float64(r.Traffic.Total)/1e9, r.Tokens)
		}
	}
	if n := models["internlm-7b"].Parameters(); n != 7_321_423_872 {
		t.Errorf("InternLM-7B has %d parameters", n)
	}
}

// TestDividingSavesWhatItSays: what each kind of division does to memory and traffic, in proportions that follow from its definition.
func TestDividingSavesWhatItSays(t *testing.T) {
	m := Model{Layers: 32, Hidden: 4096, Heads: 32, KVHeads: 8, HeadSize: 128, FeedForward: 14336, Vocab: 92544}
	base := Layout{Devices: 64, Tensor: 1, Mode: MTP, Weight: 1, Pipeline: 1, Chunks: 1, Context: 1, Zero: 1, MicroBatch: 1, MicroCount: 8, Sequence: 4096}
	plan := func(change func(*Layout)) Report {
		t.Helper()
		l := base
		change(&l)
		r, err := Plan(m, l)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	whole := plan(func(*Layout) {})
	if r := plan(func(l *Layout) { l.Zero = 8 }); r.Memory.Optimizer != whole.Memory.Optimizer/8 || r.Memory.Weights != whole.Memory.Weights {
		t.Errorf("zero 8: %+v", r.Memory)
	}
	if r := plan(func(l *Layout) { l.Tensor, l.Mode = 8, MTP }); r.Memory.Weights != whole.Memory.Weights/8 || r.Memory.Activations <= whole.Memory.Activations/8 || r.Traffic.Products == 0 {
		t.Errorf("mtp 8: %+v", r)
	}
	msp := plan(func(l *Layout) { l.Tensor, l.Mode = 8, MSP })
	if msp.Memory.Activations != whole.Memory.Activations/8 {
		t.Errorf("msp 8: activations %d, expected an eighth of %d", msp.Memory.Activations, whole.Memory.Activations)
	}
	isp := plan(func(l *Layout) { l.Tensor, l.Mode, l.Weight = 8, ISP, 4 })
	if isp.Memory.Activations != whole.Memory.Activations/8 || isp.Memory.Weights != whole.Memory.Weights/4 || isp.Traffic.Products != 0 || isp.Traffic.Attention == 0 {
		t.Errorf("isp 8, weight 4: %+v", isp)
	}
	if isp.Traffic.Attention >= msp.Traffic.Products {
		t.Errorf("isp sends %d around attention, msp %d around products; expected less", isp.Traffic.Attention, msp.Traffic.Products)
	}
	piped := plan(func(l *Layout) { l.Pipeline = 4 })
	if piped.Memory.Activations != whole.Memory.Activations || math.Abs(piped.Bubble-3./11) > 1e-12 {
		t.Errorf("pipeline 4: the first stage keeps four micro-batches of a quarter of the layers: %+v", piped)
	}
	if r := plan(func(l *Layout) { l.Pipeline, l.Chunks = 4, 2 }); r.Bubble >= piped.Bubble || r.Traffic.Boundaries != 2*piped.Traffic.Boundaries {
		t.Errorf("interleaved: %+v", r)
	}
	if r := plan(func(l *Layout) { l.Recompute = 1 }); r.Memory.Activations > whole.Memory.Activations/4 || r.Operations != whole.Operations || r.InternEvo <= whole.InternEvo {
		t.Errorf("recomputation: %+v", r)
	}
	if r := plan(func(l *Layout) { l.Context = 4 }); r.Memory.Activations != whole.Memory.Activations/4 || r.Traffic.Attention == 0 {
		t.Errorf("context 4: %+v", r)
	}
	if r := plan(func(l *Layout) { l.Sharded = true }); r.Memory.Weights != whole.Memory.Weights/64 || r.Traffic.Weights <= whole.Traffic.Weights {
		t.Errorf("sharded: %+v", r)
	}
}

func TestLayoutsThatDoNotDivideAreRefused(t *testing.T) {
	m := Model{Layers: 4, Hidden: 64, Heads: 4, KVHeads: 2, HeadSize: 16, FeedForward: 96, Vocab: 100}
	base := Layout{Devices: 8, Tensor: 1, Mode: MTP, Weight: 1, Pipeline: 1, Chunks: 1, Context: 1, Zero: -1, MicroBatch: 1, MicroCount: 4, Sequence: 64}
	for says, change := range map[string]func(*Layout){
		"multiple of tensor":   func(l *Layout) { l.Tensor, l.Pipeline = 2, 3 },
		"expected mtp":         func(l *Layout) { l.Mode = "tp" },
		"only isp":             func(l *Layout) { l.Weight = 2 },
		"divisor of 4 heads":   func(l *Layout) { l.Tensor = 8 },
		"model's 4 layers":     func(l *Layout) { l.Pipeline = 8 },
		"hold the same weight": func(l *Layout) { l.Zero = 3 },
		"FSDP":                 func(l *Layout) { l.Sharded, l.Tensor = true, 2 },
		"interleaved":          func(l *Layout) { l.Pipeline, l.Chunks, l.MicroCount = 2, 2, 3 },
		"0 to 1":               func(l *Layout) { l.Recompute = 2 },
		"must be positive":     func(l *Layout) { l.Devices = 0 },
	} {
		l := base
		change(&l)
		if _, err := Plan(m, l); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v says %v, expected %q", l, err, says)
		}
	}
}
