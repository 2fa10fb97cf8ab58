package figure

import "time"

// movingSteps is how many steps the moving rate is over.
const movingSteps = 20

// Rates are tokens a second: of this step, since the beginning, over the last 20 steps. It is given what steps took and has no clock.
type Rates struct {
	rows, seconds float64
	last          [movingSteps]struct{ rows, seconds float64 }
	steps         int
}

// Add counts a step of so many rows.
func (r *Rates) Add(rows int, took time.Duration) (now, mean, moving float64) {
	x := struct{ rows, seconds float64 }{float64(rows), took.Seconds()}
	r.rows, r.seconds = r.rows+x.rows, r.seconds+x.seconds
	r.last[r.steps%movingSteps] = x
	r.steps++
	var recent struct{ rows, seconds float64 }
	for _, y := range r.last[:min(r.steps, movingSteps)] {
		recent.rows, recent.seconds = recent.rows+y.rows, recent.seconds+y.seconds
	}
	return over(x.rows, x.seconds), over(r.rows, r.seconds), over(recent.rows, recent.seconds)
}

// Left is how long so many more steps take at the mean of those so far.
func (r *Rates) Left(steps int) time.Duration {
	if r.steps == 0 {
		return 0
	}
	return time.Duration(r.seconds / float64(r.steps) * float64(steps) * float64(time.Second))
}

func over(a, b float64) float64 {
	if b <= 0 {
		return 0
	}
	return a / b
}
