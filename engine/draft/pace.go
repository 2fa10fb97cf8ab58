package draft

import "math"

// Pace says how many drafts are worth computing. It learns what a step of so many rows takes and how often guesses of a class are
// right, forgets slowly, and now and then tries what did not pay. Its answers depend on time; the tokens that come of them do not.
//
// It is not safe for concurrent use.
type Pace struct {
	seconds [mostRows + 1]float64 // of a step of so many rows; 0: not measured
	when    [mostRows + 1]int     // the step that was measured last
	step    int
	right   [classes]rate
	per     float64 // seconds that a guess of OfModel takes, for each id
}

const (
	// mostRows is the largest step that is of interest: beyond, rows cost what they cost.
	mostRows = 64
	// MostTokens is the most that is guessed at a time.
	MostTokens = mostRows - 1
	// firstSlope is what a further row is thought to cost before one was measured, as a share of a step.
	firstSlope = 0.1
	// timeWeight is what a new time counts.
	timeWeight = 0.2
	// stale is after how many steps with drafts one without is measured again.
	stale = 128
	// memory is how many guesses are remembered.
	memory = 50.0
)

// rate is a share of successes that forgets.
type rate struct{ right, of float64 }

// first is what is thought of a class before anything is known of it, as if seen so often.
var first = [classes]rate{MatchOf1: {0.6, 3}, MatchOf2: {1.2, 3}, MatchOf4: {1.8, 3}, MatchOf8: {2.2, 3}, MatchOfMore: {2.5, 3}, OfModel: {2, 3}}

func (r rate) share(c Class) float64 { return (r.right + first[c].right) / (r.of + first[c].of) }

// Share is how often the ids of a class of guesses are right.
func (p *Pace) Share(c Class) float64 { return p.right[c].share(c) }

// Step notes what a step of rows took in which every row was a sequence's next token or a draft.
func (p *Pace) Step(rows int, seconds float64) {
	p.step++
	if rows < 1 || rows > mostRows || seconds <= 0 {
		return
	}
	p.when[rows] = p.step
	if was := p.seconds[rows]; was > 0 {
		// a step that something else held up says little
		seconds = was + timeWeight*(math.Min(seconds, 2*was)-was)
	}
	p.seconds[rows] = seconds
}

// Guessed notes what a model's guess took.
func (p *Pace) Guessed(ids int, seconds float64) {
	if ids < 1 {
		return
	}
	each := seconds / float64(ids)
	if p.per > 0 {
		each = p.per + timeWeight*(math.Min(each, 2*p.per)-p.per)
	}
	p.per = each
}

// Checked notes how many ids of a guess were right, of those that were computed: all before the first wrong one.
func (p *Pace) Checked(c Class, right, computed int) {
	if computed == 0 {
		return
	}
	r := &p.right[c]
	tried := right // and the first wrong one
	if right < computed {
		tried++
	}
	keep := math.Pow(1-1/memory, float64(tried))
	r.right, r.of = r.right*keep+float64(right), r.of*keep+float64(tried)
}

// forgetting is what a class that is not tried keeps of what is known of it, each step: after some hundred it is tried again.
const forgetting = 0.99

// cost is what a step of rows takes: measured, or between and beyond what was measured.
func (p *Pace) cost(rows int) float64 {
	below, above := 0, 0
	for n := min(rows, mostRows); n > 0 && below == 0; n-- {
		if p.seconds[n] > 0 {
			below = n
		}
	}
	for n := max(rows, 1); n <= mostRows && above == 0; n++ {
		if p.seconds[n] > 0 {
			above = n
		}
	}
	switch {
	case below == 0 && above == 0:
		return 1 + firstSlope*float64(rows-1)
	case below == 0:
		return p.seconds[above] * (1 + firstSlope*float64(rows-1)) / (1 + firstSlope*float64(above-1))
	case above == 0 || below == above:
		slope := firstSlope * p.seconds[below] / float64(below)
		for n := below - 1; n > 0; n-- {
			if p.seconds[n] > 0 {
				slope = math.Max(p.seconds[below]-p.seconds[n], 0) / float64(below-n)
				break
			}
		}
		return p.seconds[below] + slope*float64(rows-below)
	}
	return p.seconds[below] + (p.seconds[above]-p.seconds[below])*float64(rows-below)/float64(above-below)
}

// Choose says how many ids of each sequence's guess to compute in a step, given the class of each guess and how many ids it has: as
// many as make the most tokens a second.
func (p *Pace) Choose(guesses []Class, ids []int, most int) []int {
	n := len(guesses)
	chosen, best := make([]int, n), make([]int, n)
	if p.old(n) {
		return best
	}
	chance, share := make([]float64, n), make([]float64, n) // that the next id of a guess will count
	for i, c := range guesses {
		share[i] = p.Share(c)
		chance[i] = share[i]
	}
	gain, rows := float64(n), n
	top := gain / p.cost(rows)
	for rows < mostRows {
		next := -1
		for i := range guesses {
			if chosen[i] < min(ids[i], most) && (next < 0 || chance[i] > chance[next]) {
				next = i
			}
		}
		if next < 0 || chance[next] < leastChance {
			break
		}
		gain, rows = gain+chance[next], rows+1
		chosen[next]++
		chance[next] *= share[next]
		if rate := gain / p.cost(rows); rate > top {
			top = rate
			copy(best, chosen)
		}
	}
	for i, c := range guesses {
		if ids[i] > 0 && best[i] == 0 {
			r := &p.right[c]
			r.right, r.of = r.right*forgetting, r.of*forgetting
		}
	}
	return best
}

// old says whether a step of so many rows, which is one without drafts, should be measured.
func (p *Pace) old(rows int) bool {
	return rows >= 1 && rows <= mostRows && p.step >= p.when[rows]+stale
}

// leastChance is where looking further ends.
const leastChance = 0.02

// Worth says how many ids a model should guess for a sequence among so many others; 0: guessing takes longer than it saves.
func (p *Pace) Worth(sequences, most int) int {
	if p.old(sequences) {
		return 0
	}
	share := p.Share(OfModel)
	gain, chance, best := float64(sequences), share, 0
	top := gain / p.cost(sequences)
	for k := 1; k <= most; k++ {
		gain += chance
		chance *= share
		if rate := gain / (p.cost(sequences+k) + float64(k)*p.per); rate > top {
			top, best = rate, k
		}
	}
	if best == 0 {
		r := &p.right[OfModel]
		r.right, r.of = r.right*forgetting, r.of*forgetting
	}
	return best
}
