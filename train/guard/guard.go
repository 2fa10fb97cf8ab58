// Package guard judges steps: whether a batch's loss and gradient are what the steps before lead to expect.
//
// It guarantees that its judgement is a pure function of what was accepted before, which is small and part of every checkpoint, so that a
// run that goes on judges as one that was never interrupted. It refuses nothing by itself: what an outlier leads to is the trainer's
// option. The idea of a score over a window of steps is llm.c's (llmc/outlier_detector.h); the noise is taken from differences of
// neighbours (von Neumann 1941), so that a curve that falls is not taken for one that jumps.
package guard

import (
	"fmt"
	"math"
)

// Options say what is an outlier and what follows.
type Options struct {
	Answer     string  `yaml:"answer" help:"what a batch whose loss or gradient is out of line does: nothing is judged, it is told, passed over, or passed over with a return to the state before whatever else was in doubt" default:"rollback" range:"off|tell|skip|rollback"`
	Deviations float64 `yaml:"deviations" help:"standard deviations from the steps before at which a batch is out of line" default:"8" range:">0..1000000"`
	Window     int     `yaml:"window" help:"steps that a batch is compared with" default:"128" range:"16..100000"`
	Limit      int     `yaml:"limit" help:"batches passed over in a row, and returns, after which the run stops" default:"64" range:"1..1000000"`
}

// The answers.
const (
	Off      = "off"
	Tell     = "tell"
	Skip     = "skip"
	Rollback = "rollback"
)

// Active says whether steps are judged.
func (o Options) Active() bool { return o.Answer != "" && o.Answer != Off }

// State is what judging remembers.
type State struct {
	Losses  []float64 `json:"losses"`  // of the steps accepted, the newest last
	Norms   []float64 `json:"norms"`   // their gradients' norms
	Scores  []float64 `json:"scores"`  // deviations of their losses when they were judged
	Refused int       `json:"refused"` // batches refused in a row
	Returns int       `json:"returns"` // to an older state
}

// Verdict is a judgement.
type Verdict struct {
	Out        bool    `json:"-"`
	What       string  `json:"what,omitempty"` // "loss" or "gradient norm"
	Value      float64 `json:"value"`
	Expected   float64 `json:"expected"`
	Deviations float64 `json:"deviations"` // of the loss
	Reason     string  `json:"reason,omitempty"`
}

const (
	fresh    = 8   // newest steps whose mean is expected
	enough   = 16  // steps for a score
	few      = 4   // steps for a look at the jump alone
	jump     = 1.5 // of the largest loss so far, with few steps
	beyond   = 1.5 // times the largest deviation seen on that side: noise with long tails is not out of line
	normJump = 4.0 // times the expected norm, at least
	floor    = 0.005
)

// Judge says whether a batch is out of line.
func (s State) Judge(loss, norm float64, o Options) Verdict {
	for _, x := range []struct {
		what  string
		value float64
	}{{"loss", loss}, {"gradient norm", norm}} {
		if math.IsNaN(x.value) || math.IsInf(x.value, 0) {
			return Verdict{Out: true, What: x.what, Value: x.value, Reason: fmt.Sprintf("the %s is %v", x.what, x.value)}
		}
	}
	v := Verdict{What: "loss", Value: loss}
	n := len(s.Losses)
	if n < enough {
		largest := 0.0
		for _, l := range s.Losses {
			largest = max(largest, l)
		}
		if v.Expected = largest; n >= few && loss > jump*largest {
			v.Out, v.Reason = true, fmt.Sprintf("the loss jumped to %.4f; in the %d steps before it was at most %.4f", loss, n, largest)
		}
		return v
	}
	c := compare(s.Losses, loss)
	v.Expected, v.Deviations = c.center, c.score
	if c.score >= o.Deviations && c.past > beyond*c.up || n >= 2*enough && c.score <= -o.Deviations && c.past < beyond*c.down {
		v.Out, v.Reason = true, fmt.Sprintf("the loss is %.4f, %.1f deviations from the %.4f of the steps before", loss, c.score, c.center)
		return v
	}
	logs := make([]float64, len(s.Norms))
	for i, x := range s.Norms {
		logs[i] = logOf(x)
	}
	g := compare(logs, logOf(norm))
	if g.score >= o.Deviations && g.past > beyond*g.up && norm > normJump*math.Exp(g.center) {
		return Verdict{Out: true, What: "gradient norm", Value: norm, Expected: math.Exp(g.center), Deviations: v.Deviations,
			Reason: fmt.Sprintf("the gradient's norm is %.4g, %.1f deviations (of its logarithm) from the %.4g of the steps before", norm, g.score, math.Exp(g.center))}
	}
	return v
}

func logOf(x float64) float64 { return math.Log(max(x, 1e-30)) }

// comparison of a value with those before.
type comparison struct {
	center float64 // mean of the newest
	past   float64 // value − center
	score  float64 // in standard deviations
	up     float64 // largest such difference among those before
	down   float64 // smallest
}

func compare(before []float64, value float64) comparison {
	mean := func(x []float64) (m float64) {
		for _, v := range x {
			m += v / float64(len(x))
		}
		return m
	}
	n := len(before)
	c := comparison{center: mean(before[n-fresh:])}
	squares := 0.0
	for i := 1; i < n; i++ {
		d := before[i] - before[i-1]
		squares += d * d
	}
	for i := fresh; i < n; i++ {
		d := before[i] - mean(before[i-fresh:i])
		c.up, c.down = max(c.up, d), min(c.down, d)
	}
	sigma := max(math.Sqrt(squares/(2*float64(n-1))), floor*math.Abs(c.center), 1e-12)
	c.past = value - c.center
	c.score = c.past / (sigma * math.Sqrt(1+1.0/fresh))
	return c
}

// Accept is the state after a step that moved the weights.
func (s State) Accept(loss, norm float64, v Verdict, window int) State {
	add := func(list []float64, x float64) []float64 {
		list = append(append([]float64{}, list...), x)
		return list[max(0, len(list)-window):]
	}
	return State{add(s.Losses, loss), add(s.Norms, norm), add(s.Scores, v.Deviations), 0, s.Returns}
}

// LookBack is how many steps back doubt reaches.
const LookBack = 8

// Doubtful is the number of newest steps that were accepted although half of what refuses one was there: what came before an outlier may
// be part of it.
func (s State) Doubtful(o Options) int {
	n := 0
	for n < LookBack && n < len(s.Scores) && math.Abs(s.Scores[len(s.Scores)-1-n]) >= o.Deviations/2 {
		n++
	}
	return n
}
