package guard

import (
	"math"
	"testing"

	"lian/random"
)

var usual = Options{Answer: Rollback, Deviations: 8, Window: 128, Limit: 64}

// curve is a loss that falls as training's does, with noise of a standard deviation.
func curve(r random.Key, step int, noise float64) float64 {
	return 3 + 5*math.Exp(-float64(step)/60) + noise*r.Normal(step)
}

// TestATrainingCurveIsNotOutOfLine: neither the fall at the beginning, nor noise, nor domains of other losses, nor (but in a few of 2000 steps)
// hard batches that are rare.
func TestATrainingCurveIsNotOutOfLine(t *testing.T) {
	for name, f := range map[string]func(r random.Key, s int) float64{
		"smooth": func(r random.Key, s int) float64 { return curve(r, s, 0.02) },
		"noisy":  func(r random.Key, s int) float64 { return curve(r, s, 0.3) },
		"domains in turn": func(r random.Key, s int) float64 {
			return curve(r, s, 0.05) - 1.5*float64(s%3%2)
		},
		"one hard batch in twenty": func(r random.Key, s int) float64 {
			if r.Float64(s) < 0.05 {
				return curve(r, s, 0.05) + 0.6*(1+0.3*r.Float64(s+1_000_000))
			}
			return curve(r, s, 0.05)
		},
		"almost nothing left to learn": func(r random.Key, s int) float64 { return 0.01 + 0.004*math.Abs(r.Normal(s)) },
	} {
		for seed := range uint64(5) {
			r := random.New(seed, "curve", name)
			var st State
			refused := 0
			for s := range 2000 {
				loss, norm := f(r, s), math.Exp(0.3*r.Normal(5_000_000+s))
				v := st.Judge(loss, norm, usual)
				if v.Out { // a window in which none of the hard batches came is once in a thousand
					if refused++; name != "one hard batch in twenty" || refused > 5 {
						t.Fatalf("%s, seed %d, step %d: %s", name, seed, s, v.Reason)
					}
					continue
				}
				st = st.Accept(loss, norm, v, usual.Window)
			}
			if len(st.Losses) != usual.Window || len(st.Norms) != usual.Window || len(st.Scores) != usual.Window {
				t.Fatalf("the window has %d, %d and %d steps", len(st.Losses), len(st.Norms), len(st.Scores))
			}
		}
	}
}

func TestOutliersAreSeen(t *testing.T) {
	for _, c := range []struct {
		why        string
		step       int
		loss, norm float64
		out        bool
	}{
		{"garbage late", 300, 6, 1, true}, {"garbage early", 40, 9, 1, true}, {"garbage at the very beginning", 6, 13, 1, true},
		{"moderate garbage", 300, 3.6, 1, true}, {"repeated text", 300, 1, 1, true}, {"a gradient of forty times the size", 300, 3.03, 40, true},
		{"not a number", 2, math.NaN(), 1, true}, {"an infinite gradient", 2, 8, math.Inf(1), true}, {"an ordinary batch", 300, 3.08, 1.2, false},
		{"a gradient of twice the size", 300, 3.03, 2, false},
	} {
		r := random.New(1, "curve")
		var st State
		for s := range c.step {
			loss, norm := curve(r, s, 0.03), math.Exp(0.1*r.Normal(5_000_000+s))
			st = st.Accept(loss, norm, st.Judge(loss, norm, usual), usual.Window)
		}
		if v := st.Judge(c.loss, c.norm, usual); v.Out != c.out {
			t.Errorf("%s: %+v, expected out of line: %v", c.why, v, c.out)
		}
	}
}

func TestStepsInDoubtAreCounted(t *testing.T) {
	s := State{Scores: []float64{9, 1, 4.5, -5, 6}}
	if n := s.Doubtful(usual); n != 3 {
		t.Errorf("%d steps are in doubt, expected 3", n)
	}
	if n := (State{}).Doubtful(usual); n != 0 {
		t.Errorf("%d steps of none are in doubt", n)
	}
}
