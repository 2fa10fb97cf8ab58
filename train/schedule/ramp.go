package schedule

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// Ramp is the number of tokens in a step as a function of the step: Start, then more every Every steps, until it is Full. With
// Increment so many tokens more, without twice as many. The zero value of all but Full is Full from the start. Small steps at first learn more from
// each token; large ones later waste less on noise. Source: InternEvo's rampup_batch_size, McCandlish et al., arXiv 1812.06162.
type Ramp struct {
	Start, Increment, Every int // tokens, tokens, steps
	Full                    int // tokens
}

// ParseRamp reads "START INCREMENT EVERY" or "START double EVERY"; an empty text is no ramp. Start and increment are tokens.
func ParseRamp(text string, full int) (Ramp, error) {
	r := Ramp{Full: full}
	fields := strings.Fields(text)
	if len(fields) == 0 {
		return r, r.Check()
	}
	wrong := fmt.Errorf("batch ramp is %q, expected START INCREMENT EVERY or START double EVERY: tokens, tokens, steps", text)
	if len(fields) != 3 {
		return r, wrong
	}
	for i, to := range []*int{&r.Start, &r.Increment, &r.Every} {
		if i == 1 && fields[i] == "double" {
			continue
		}
		n, err := strconv.Atoi(fields[i])
		if err != nil || n < 1 {
			return r, wrong
		}
		*to = n
	}
	return r, r.Check()
}

// Check says what is wrong with the ramp.
func (r Ramp) Check() error {
	switch {
	case r.Full < 1:
		return fmt.Errorf("tokens a step are %d, expected ≥ 1", r.Full)
	case r.Start < 0 || r.Start > r.Full:
		return fmt.Errorf("the batch ramp starts with %d tokens a step, expected at most the full %d", r.Start, r.Full)
	case r.Start > 0 && (r.Every < 1 || r.Increment < 0):
		return fmt.Errorf("the batch ramp grows by %d tokens every %d steps, expected an increment ≥ 0 and steps ≥ 1", r.Increment, r.Every)
	}
	return nil
}

// rungs is the number of stages below Full.
func (r Ramp) rungs() int {
	switch {
	case r.Start == 0 || r.Start >= r.Full:
		return 0
	case r.Increment == 0: // the smallest n with Start·2ⁿ ≥ Full
		return bits.Len(uint((r.Full - 1) / r.Start))
	}
	return (r.Full - r.Start + r.Increment - 1) / r.Increment
}

// tokens is what a step of a stage has.
func (r Ramp) tokens(rung int) int {
	switch {
	case rung >= r.rungs():
		return r.Full
	case r.Increment == 0:
		return r.Start << rung
	}
	return r.Start + rung*r.Increment
}

// At is the number of tokens in step s (from 0).
func (r Ramp) At(s int) int { return r.tokens(s / max(r.Every, 1)) }

// Before is the number of tokens in all steps before s: where step s starts in a stream.
func (r Ramp) Before(s int) int {
	every := max(r.Every, 1)
	rung := min(s/every, r.rungs())
	sum := r.Start * rung * every
	if r.Increment == 0 {
		sum = r.Start * (1<<rung - 1) * every
	} else {
		sum += r.Increment * rung * (rung - 1) / 2 * every
	}
	return sum + (s-rung*every)*r.tokens(rung)
}
