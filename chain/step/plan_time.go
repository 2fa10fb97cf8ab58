package step

import (
	"fmt"
	"math"
	"sort"

	"lian/train/guard"
	"lian/train/schedule"
)

// TimePart is a part of the time of a run.
type TimePart struct {
	Part    string   `json:"part"`
	Seconds Duration `json:"seconds"`
	How     string   `json:"how"`
}

// The parts of the time.
const (
	PartPreparing = "preparing"
	PartTokenizer = "tokenizer"
	PartMeasuring = "measuring"
	PartTraining  = "training"
	PartLooks     = "looks"
	PartSaving    = "saving"
)

// runTime is what decides over the time of a run of any number of steps.
type runTime struct {
	pace  pace
	text  textFacts
	ramp  schedule.Ramp
	o     *PretrainOptions
	state float64 // bytes of a checkpoint
	model float64 // bytes of the model that is written at the end
	asked bool    // the run measures the machine to choose its steps
}

// tokens is what so many steps learn from.
func (t runTime) tokens(steps int) float64 { return float64(t.ramp.Before(steps)) }

// training is the seconds of so many steps.
func (t runTime) training(steps int) float64 {
	details := 0.0
	if every := t.o.Figures.FiguresEvery; every > 0 {
		details = float64(1 + steps/every)
	}
	return t.pace.first + t.pace.micro*t.tokens(steps)/float64(t.pace.rows) + t.pace.move*float64(steps) + t.pace.detail*details
}

// looked is how often held-out text is looked at on the way, and the tokens of one look and of the last.
func (t runTime) looked(steps int) (looks, tokens, last float64) {
	perByte := 1 / usualBytesPerToken(t.text.vocabulary)
	if t.text.perByte > 0 {
		perByte = t.text.perByte
	}
	return float64((steps - 1) / lookEvery(steps, t.o.Looks)), min(float64(t.o.HeldOutTokens), t.text.heldOut), min(HeldOutBytes*perByte, t.text.heldOut)
}

// lookEvery is how many steps are between looks.
func lookEvery(steps, looks int) int { return max(1, (steps+looks-1)/looks) }

// looks is the seconds of looking at held-out text and of answering prompts.
func (t runTime) looks(steps int) float64 {
	looks, tokens, last := t.looked(steps)
	return t.pace.look*(looks*tokens+last) + (looks+1)*t.pace.answer*float64(t.o.PromptTokens)
}

// saves is how many states are written while training goes on, and how many while it waits.
func (t runTime) saves(steps int) (along, waited int) {
	o := t.o.Train
	if o.SaveEvery > 0 {
		along += (steps - 1) / o.SaveEvery
	}
	if o.SaveMinutes > 0 {
		along = max(along, int(t.training(steps)/60/o.SaveMinutes))
	}
	if o.Guard.Answer == guard.Rollback && (o.SaveEvery > 0 || o.SaveMinutes > 0) {
		along++ // so that there is something to go back to
	}
	waited = 1
	if o.KeepBest {
		looks, _, _ := t.looked(steps)
		waited += int(looks)
	}
	if o.SaveInline {
		along, waited = 0, along+waited
	}
	return along, waited
}

// saving is the seconds that writing takes of a run: writing along takes one of the workers.
func (t runTime) saving(steps int) float64 {
	along, waited := t.saves(steps)
	return t.pace.save * (t.state*(float64(along)/float64(max(t.pace.workers, 1))+float64(waited)) + t.model)
}

// measuring is the seconds of a run's own look at the machine.
func (t runTime) measuring() float64 {
	if t.asked {
		return startSeconds + t.pace.spent
	}
	return startSeconds
}

// total is the seconds of all.
func (t runTime) total(steps int) float64 {
	return t.text.preparing.seconds() + t.measuring() + t.training(steps) + t.looks(steps) + t.saving(steps)
}

// within is the most steps that a time has room for, and no more than learn from so many tokens. Preparing takes at most half of the time away.
func (t runTime) within(seconds, most float64) int {
	seconds += max(0, t.text.preparing.seconds()-seconds/2)
	return sort.Search(1e8, func(n int) bool { return t.total(n+1) > seconds || t.tokens(n+1) > most })
}

// stepsFor is the most steps of a ramp that learn from no more than so many tokens.
func stepsFor(r schedule.Ramp, tokens float64) int {
	return sort.Search(1e8, func(n int) bool { return float64(r.Before(n+1)) > tokens })
}

// parts are the parts of the time with what they come from, those that take none left out.
func (t runTime) parts(steps int) (out []TimePart) {
	add := func(part string, seconds float64, how string, args ...any) {
		if seconds > 0 {
			out = append(out, TimePart{part, Duration(seconds), fmt.Sprintf(how, args...)})
		}
	}
	p := t.text.preparing
	add(PartPreparing, p.clean+p.encode, "%s of files read, cleaned, held against each other and written as tokens, by a sample", ByteSize(p.raw))
	add(PartTokenizer, p.tokenizer, "%d tokens learnt, by a sample and half of it", t.text.vocabulary)
	add(PartPreparing, p.spent, "as it took")
	how := "the machine's peak"
	if t.asked {
		how += ", and what steps take"
	}
	add(PartMeasuring, t.measuring(), "%s", how)
	mean := t.tokens(steps) / float64(max(steps, 1))
	add(PartTraining, t.training(steps), "%d steps of %.4g s: %.4g for each %d tokens, %.3g once a step", steps, t.pace.step(mean), t.pace.micro, t.pace.rows, t.pace.move)
	looks, tokens, last := t.looked(steps)
	add(PartLooks, t.looks(steps), "%.0f at %s held-out tokens and the last at %s, %s tokens/s", looks, count(tokens), count(last), count(1/max(t.pace.look, 1e-12)))
	along, waited := t.saves(steps)
	add(PartSaving, t.saving(steps), "%d states along the way, %d that are waited for, and the model, at %.0f MB/s", along, waited, 1e-6/max(t.pace.save, 1e-15))
	return out
}

// reserve says what of a time does not go to training.
func (t runTime) reserve(steps int) string {
	return fmt.Sprintf("%s for preparing, %s for measuring, %s for looks at held-out text and %s for saving", whole(t.text.preparing.seconds()), whole(t.measuring()), whole(t.looks(steps)), whole(t.saving(steps)))
}

func whole(seconds float64) string {
	if seconds >= 10 {
		seconds = math.Round(seconds)
	}
	return Duration(seconds).String()
}
