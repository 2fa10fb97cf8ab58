package schedule

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"lian/verify/shared"
)

// TestSchedulesAreTheReferences: the learning rates of transformers.get_scheduler, each step of 50 and three past the end.
func TestSchedulesAreTheReferences(t *testing.T) {
	raw, err := os.ReadFile(shared.Path(t, "testdata", "golden", "train", "optim", "schedules.json"))
	if err != nil {
		t.Fatal(err)
	}
	var golden map[string]struct {
		Base  float64   `json:"base_lr"`
		Warm  int       `json:"num_warmup_steps"`
		Steps int       `json:"num_training_steps"`
		Rates []float64 `json:"lr_used_by_step_0_to_52"`
	}
	if err := json.Unmarshal(raw, &golden); err != nil {
		t.Fatal(err)
	}
	as := map[string]Options{
		"constant":                   {Shape: "constant"},
		"constant_with_warmup":       {Shape: "constant"},
		"linear":                     {Shape: "linear"},
		"cosine":                     {Shape: "cosine"},
		"cosine_half_cycle_1":        {Shape: "cosine", Cycles: 1},
		"cosine_with_restarts":       {Shape: "restarts", Cycles: 3},
		"polynomial":                 {Shape: "polynomial", Power: 2, FinalRate: 1e-3 / 0.5},
		"polynomial_linear":          {Shape: "polynomial", FinalRate: 1e-7 / 0.5},
		"inverse_sqrt":               {Shape: "inverse_sqrt"},
		"inverse_sqrt_timescale":     {Shape: "inverse_sqrt", Timescale: 10},
		"cosine_with_min_lr":         {Shape: "cosine", FinalRate: 0.1},
		"cosine_warmup_with_min_lr":  {Shape: "cosine", FinalRate: 0.1, WarmupFrom: 0.2},
		"warmup_stable_decay":        {Shape: "wsd", DecaySteps: 15, DecayShape: "cosine", FinalRate: 0.1, WarmupFrom: 0.1},
		"warmup_stable_decay_linear": {Shape: "wsd", DecaySteps: 15, DecayShape: "linear", WarmupShape: "cosine"},
		"warmup_stable_decay_1-sqrt": {Shape: "wsd", DecaySteps: 15, DecayShape: "1-sqrt"},
	}
	for name, g := range golden {
		o, ok := as[name]
		if !ok {
			t.Errorf("%s has no settings here", name)
			continue
		}
		steps := g.Steps
		o.LearningRate, o.WarmupSteps, o.ZeroStart = g.Base, g.Warm, true
		switch name {
		case "constant":
			o.WarmupSteps = 0
		case "cosine_warmup_with_min_lr": // its warm-up reaches the peak with its last step, and its wave starts there
			o.WarmupSteps, steps = g.Warm-1, g.Steps-1
		}
		if err := o.Check(steps); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for s, want := range g.Rates {
			if got := o.Rate(s, steps); math.Abs(got-want) > 1e-12 {
				t.Errorf("%s: step %d has rate %v, expected %v", name, s, got, want)
				break
			}
		}
	}
}

func TestIdleStepsDoNotMoveAndShiftTheRest(t *testing.T) {
	plain := Options{LearningRate: 1, Shape: "wsd", WarmupSteps: 4, DecaySteps: 10}
	idle := plain
	idle.IdleSteps = 7
	for s := range 50 {
		want := 0.0
		if s >= 7 {
			want = plain.Rate(s-7, 50)
		}
		if got := idle.Rate(s, 57); got != want {
			t.Fatalf("step %d has rate %v, expected %v", s, got, want)
		}
	}
	if first := plain.Rate(0, 50); first != 0.25 {
		t.Errorf("the first step has rate %v, expected a quarter of the peak", first)
	}
}

func TestSchedulesThatDoNotFitTheRunAreRefused(t *testing.T) {
	for _, c := range []struct {
		o     Options
		steps int
		says  string
	}{
		{Options{LearningRate: math.NaN()}, 10, "lr is NaN"},
		{Options{Warmup: 2}, 10, "warmup is 2"},
		{Options{WarmupSteps: 8, IdleSteps: 3}, 10, "more than the 10 steps"},
		{Options{Shape: "wsd", DecaySteps: 8, WarmupSteps: 3}, 10, "decay_steps"},
		{Options{FinalRate: -1}, 10, "final_rate"},
	} {
		if err := c.o.Check(c.steps); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: error %v, expected one about %q", c.o, err, c.says)
		}
	}
}

func TestBeta2RisesToOne(t *testing.T) {
	for _, c := range []struct {
		base, power float64
		k           int
		want        float64
	}{{0.95, 0, 1, 0.95}, {0, 0.8, 1, 0}, {0, 0.8, 1000, 1 - math.Pow(1000, -0.8)}, {0.95, 0.8, 10, 0.95}, {0.95, 0.8, 1 << 20, 1 - math.Pow(1<<20, -0.8)}} {
		if got := Beta2(c.base, c.power, c.k); got != c.want {
			t.Errorf("β₂ of step %d from %v with power %v is %v, expected %v", c.k, c.base, c.power, got, c.want)
		}
	}
}

// TestRampPositionsAreSums: a step starts in the stream where the steps before it end.
func TestRampPositionsAreSums(t *testing.T) {
	for _, text := range []string{"", "64 64 3", "100 150 1", "512 double 5", "1 double 2", "1024 1 1", "1000 double 7"} {
		r, err := ParseRamp(text, 1024)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		sum := 0
		for s := range 200 {
			if got := r.Before(s); got != sum {
				t.Fatalf("%q: step %d starts at %d, the steps before it have %d tokens", text, s, got, sum)
			}
			n := r.At(s)
			if n < 1 || n > 1024 {
				t.Fatalf("%q: step %d has %d tokens", text, s, n)
			}
			sum += n
		}
		if r.At(5000) != 1024 {
			t.Errorf("%q ends at %d tokens, expected 1024", text, r.At(5000))
		}
	}
	r, _ := ParseRamp("4 4 2", 14)
	for s, want := range []int{4, 4, 8, 8, 12, 12, 14, 14} {
		if got := r.At(s); got != want {
			t.Errorf("step %d has %d tokens, expected %d", s, got, want)
		}
	}
}

func TestWrongRampsAreRefused(t *testing.T) {
	for _, text := range []string{"1", "1 2", "1 2 3 4", "0 1 1", "a b c", "4 4 0", "2000 1 1", "-1 double 2", "4 twice 1"} {
		if _, err := ParseRamp(text, 1024); err == nil {
			t.Errorf("the ramp %q was taken", text)
		}
	}
}
