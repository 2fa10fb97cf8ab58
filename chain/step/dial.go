package step

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"lian/chain"
	"lian/compute"
	"lian/config"
	"lian/event"
	"lian/machine"
	"lian/model/nn"
	"lian/store"
	"lian/train/schedule"
)

// DialOptions are the one dial: from a number of parameters, or the minutes there are, everything else follows that was not set by hand.
type DialOptions struct {
	Parameters         string  `yaml:"params" help:"size of a new model, such as 5M or 1.2B: its widths follow"`
	Minutes            float64 `yaml:"minutes" help:"minutes that all may take, preparing, looks and saving too: tokens and steps follow from a measurement, and the size if it was not chosen; 0 is no limit" default:"0" range:"0..10000000"`
	TokensPerParameter float64 `yaml:"tokens_per_parameter" help:"tokens to learn from for each parameter outside the embedding, where neither --minutes nor steps say how many (arXiv 2203.15556 found 20)" default:"20" range:">0..100000"`
	MaxEpochs          float64 `yaml:"max_epochs" help:"most passes over the text that are chosen; more than 4 teach little (arXiv 2305.16264)" default:"4" range:">0..100000"`

	spent time.Duration // of the minutes, before the choice
}

// Spent takes what preparing took out of the minutes, half of them at most.
func (o *DialOptions) Spent(d time.Duration) { o.spent = d }

// Choice is a number that was chosen, and why.
type Choice struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Why   string `json:"why"`
}

// chooses says whether anything is left to choose.
func (o *PretrainOptions) chooses() bool {
	return o.Dial.Parameters != "" || o.Dial.Minutes > 0 || o.Train.Steps == 0 || o.StepTokens == 0 || o.Train.Schedule.LearningRate == 0 || o.Train.Optimizer.Rule == ""
}

// chosen is what the dial chose, kept with a run: one that goes on does not choose again, because another measurement might say something else.
type chosen struct {
	Asked      string       `json:"asked"` // hash of the settings that the choice was made for
	Model      ModelOptions `json:"model"`
	Steps      int          `json:"steps"`
	StepTokens int          `json:"step_tokens"`
	Rate       float64      `json:"lr"`
	Optimizer  string       `json:"optimizer"`
	Choices    []Choice     `json:"choices"`
}

// ChoicesFile is where a pretraining keeps what the dial chose.
const ChoicesFile = "choices.json"

// chooseOnce is choose, or what a run in dir chose before for the same settings. It tells what was chosen.
func (o *PretrainOptions) chooseOnce(ctx context.Context, dir string, b compute.Backend, text textFacts, events event.Sink) error {
	if !o.chooses() {
		return nil
	}
	asked := config.Hash(struct {
		Options    *PretrainOptions
		Vocabulary int
		Text       float64
	}{o, text.vocabulary, text.tokens})
	file := filepath.Join(dir, ChoicesFile)
	var c chosen
	if err := store.ReadJSON(file, &c); err == nil && c.Asked == asked {
		o.Model, o.Train.Steps, o.StepTokens, o.Train.Schedule.LearningRate, o.Train.Optimizer.Rule = c.Model, c.Steps, c.StepTokens, c.Rate, c.Optimizer
		return nil
	}
	_, choices, err := o.choose(ctx, b, text, dir, false, events)
	if err != nil {
		return err
	}
	for _, x := range choices {
		events.Emit(chain.KindNote, chain.Note{Text: x.Name + ": " + x.Value + " (" + x.Why + ")"})
	}
	return store.WriteJSON(file, chosen{asked, o.Model, o.Train.Steps, o.StepTokens, o.Train.Schedule.LearningRate, o.Train.Optimizer.Rule, choices})
}

// newModelRule moves new models: of AdamW, Muon and others on small models with their best rates it learnt most in the same time by far (docs/log.md).
const newModelRule = "muon"

// choose fills in what was left open: widths by --params, or by --minutes and a measurement; then tokens, tokens a step, steps and learning rate. What a run
// takes is measured where that decides or is asked for (timed); folder is the run's, which need not be there yet.
func (o *PretrainOptions) choose(ctx context.Context, b compute.Backend, text textFacts, folder string, timed bool, events event.Sink) (t runTime, made []Choice, err error) {
	note := func(name, value, why string, args ...any) {
		made = append(made, Choice{name, value, fmt.Sprintf(why, args...)})
	}
	d := o.Dial
	if d.Parameters != "" && (o.Model.widths() || o.From.Model != "") {
		return t, nil, fmt.Errorf("params is %s, but sizes were set by hand or by --from as well; give one of them", d.Parameters)
	}
	if o.Train.Steps > 0 && d.Minutes > 0 {
		return t, nil, fmt.Errorf("train.steps is %d and minutes %g: give one of them", o.Train.Steps, d.Minutes)
	}
	if o.Train.Optimizer.Rule == "" {
		o.Train.Optimizer.Rule = "adamw"
		if o.From.Model == "" && o.Model.BaseWidth == 0 {
			o.Train.Optimizer.Rule = newModelRule
			note("optimizer", newModelRule, "a new model learns far more in the same time than with adamw")
		}
	}
	limit := math.Inf(1)
	if text.tokens > 0 {
		limit = d.MaxEpochs * text.tokens
	}
	rows := embeddingRows(text.vocabulary)
	sizing := 0.0
	switch {
	case d.Parameters != "":
		wanted, err := parseCount(d.Parameters)
		if err != nil {
			return t, nil, err
		}
		size, err := sizeFor(wanted, rows, o.Model.Context)
		if err != nil {
			return t, nil, err
		}
		o.Model.take(size)
		note("size", size.words(), "%s parameters with a vocabulary of %d, asked for %s", count(float64(size.Spec(rows).Count())), rows, d.Parameters)
	case d.Minutes > 0 && !o.Model.widths() && o.From.Model == "" && o.Model.Preset == "":
		began := time.Now()
		budget := timeBudget{seconds: d.Minutes * 60, ratio: d.TokensPerParameter, most: limit, vocabulary: rows, context: o.context(), dtype: o.Train.DType}
		size, gflops, err := budget.measured(ctx, b, events)
		if err != nil {
			return t, nil, err
		}
		o.Model.take(size)
		sizing = time.Since(began).Seconds()
		note("size", size.words(), "the largest that reads %g tokens a parameter in %g minutes at the measured %.0f GFLOP/s", d.TokensPerParameter, d.Minutes, gflops)
	}
	s, err := o.shape(text.vocabulary)
	if err != nil {
		return t, nil, err
	}
	operations := operationsOf(&s, s.Context)
	measured := func(rows int) error {
		if timed || d.Minutes > 0 {
			t, err = o.runTime(ctx, b, &s, text, rows, folder)
			t.pace.spent += sizing
		}
		return err
	}
	tokens := float64(o.Train.Steps) * float64(o.StepTokens)
	switch {
	case o.Train.Steps > 0:
		if o.StepTokens == 0 {
			o.StepTokens = 8192
			tokens = float64(o.Train.Steps) * float64(o.StepTokens)
			note("step_tokens", strconv.Itoa(o.StepTokens), "where only steps are set by hand")
		}
	case d.Minutes > 0:
		if err := measured(o.lookRows(s.Context)); err != nil {
			return t, nil, err
		}
		seconds := d.Minutes * 60
		if o.StepTokens == 0 {
			o.StepTokens = stepTokens(min(seconds*8192/t.pace.step(8192), limit), operations)
			note("step_tokens", strconv.Itoa(o.StepTokens), "many small steps learn more from so few tokens; larger budgets follow arXiv 2401.02954")
			if rows := o.lookRows(s.Context); rows < t.pace.rows { // smaller micro-batches than were measured
				sizing = t.pace.spent
				if err := measured(rows); err != nil {
					return t, nil, err
				}
			}
		}
		if t.ramp, err = schedule.ParseRamp(o.Mixture.BatchRamp, o.StepTokens); err != nil {
			return t, nil, err
		}
		o.Train.Steps = max(20, t.within(seconds, limit))
		tokens = t.tokens(o.Train.Steps)
		if tokens+float64(o.StepTokens) > limit {
			note("tokens", count(tokens), "%g passes over %s tokens of text, the most that max_epochs allows", d.MaxEpochs, count(text.tokens))
		} else {
			note("tokens", count(tokens), "%g minutes less %s, at the measured %s tokens/s", d.Minutes, t.reserve(o.Train.Steps), count(tokens/t.training(o.Train.Steps)))
		}
		note("steps", strconv.Itoa(o.Train.Steps), "%s", stepsReason(o.Mixture.BatchRamp))
	default:
		inner := float64(s.Count() - s.Vocab*s.Hidden)
		tokens = min(d.TokensPerParameter*inner, limit)
		why := fmt.Sprintf("%g for each of %s parameters outside the embedding", d.TokensPerParameter, count(inner))
		if tokens == limit {
			why = fmt.Sprintf("%g passes over %s tokens of text, the most that max_epochs allows", d.MaxEpochs, count(text.tokens))
		}
		note("tokens", count(tokens), "%s", why)
		if o.StepTokens == 0 {
			o.StepTokens = stepTokens(tokens, operations)
			note("step_tokens", strconv.Itoa(o.StepTokens), "many small steps learn more from so few tokens; larger budgets follow arXiv 2401.02954")
		}
		ramp, err := schedule.ParseRamp(o.Mixture.BatchRamp, o.StepTokens)
		if err != nil {
			return t, nil, err
		}
		o.Train.Steps = max(20, stepsFor(ramp, tokens))
		note("steps", strconv.Itoa(o.Train.Steps), "%s", stepsReason(o.Mixture.BatchRamp))
	}
	if o.Train.Schedule.LearningRate == 0 {
		o.Train.Schedule.LearningRate = learningRate(s.Hidden, operations*tokens)
		why := "the lower of 0.007·√(256/hidden) and 1.4·0.3118·operations^−0.125 (arXiv 2401.02954)"
		if o.From.Model != "" { // at the rate of a new model it forgets what it knows
			o.Train.Schedule.LearningRate = roundTo(o.Train.Schedule.LearningRate/10, 2)
			why = "a tenth of a new model's"
		}
		note("lr", strconv.FormatFloat(o.Train.Schedule.LearningRate, 'g', -1, 64), "%s", why)
	}
	if t.o == nil {
		if err := measured(o.lookRows(s.Context)); err != nil {
			return t, nil, err
		}
	}
	return t, made, nil
}

// runTime measures what a run on a text takes in micro-batches of so many rows, if there is memory for them.
func (o *PretrainOptions) runTime(ctx context.Context, b compute.Backend, s *nn.Spec, text textFacts, rows int, folder string) (t runTime, err error) {
	total, _ := machine.Memory()
	if err := o.fits(*s, text.tokens, total); err != nil {
		return t, err
	}
	m, err := o.memory(*s, text.tokens)
	if err != nil {
		return t, err
	}
	t = runTime{text: text, o: o, state: float64(m.Weights + m.Optimizer), model: float64(m.Weights), asked: o.Dial.Minutes > 0}
	if o.StepTokens > 0 { // otherwise it is to be chosen
		if t.ramp, err = schedule.ParseRamp(o.Mixture.BatchRamp, o.StepTokens); err != nil {
			return t, err
		}
	}
	t.pace, err = o.measurePace(ctx, b, s, text, rows, folder)
	return t, err
}

// stepsReason is why there are so many steps.
func stepsReason(ramp string) string {
	if ramp != "" {
		return "tokens / step_tokens, more for the smaller ones that batch_ramp begins with"
	}
	return "tokens / step_tokens"
}

// context is the sequence length that is asked for, or the preset's.
func (o *PretrainOptions) context() int {
	if s, _, err := o.Model.Spec(32); err == nil {
		return s.Context
	}
	return 256
}

// stepTokens is a step's tokens for a budget: at least a thousand steps where that leaves 256 tokens (docs/log.md), and never more than the law of arXiv 2401.02954
// (0.2920·C^0.3271 tokens for C operations) or 16384, the larger of the two.
func stepTokens(tokens, operations float64) int {
	most := math.Max(16384, 0.2920*math.Pow(operations*tokens, 0.3271))
	n := 256
	for float64(2*n) <= most && tokens/float64(2*n) >= 1000 {
		n *= 2
	}
	return n
}

// learningRate is a peak for a width and a budget of operations: what was found for small models here (docs/log.md), which is 1.4 times what the law of arXiv
// 2401.02954 says for them; lower where 1.4 times that law is.
func learningRate(hidden int, budget float64) float64 {
	return roundTo(min(0.01, 0.007*math.Sqrt(256/float64(hidden)), 1.4*0.3118*math.Pow(budget, -0.125)), 2)
}

// take sets widths.
func (o *ModelOptions) take(s Size) {
	o.Hidden, o.Layers, o.Heads, o.KVHeads, o.FeedForward = s.Hidden, s.Layers, s.Heads, s.KVHeads, s.FeedForward
}

// parseCount reads 5M, 1.2B, 300k or a plain number.
func parseCount(text string) (float64, error) {
	number, scale := strings.TrimSpace(text), 1.0
	for suffix, by := range map[string]float64{"k": 1e3, "K": 1e3, "m": 1e6, "M": 1e6, "b": 1e9, "B": 1e9, "g": 1e9, "G": 1e9} {
		if rest, ok := strings.CutSuffix(number, suffix); ok {
			number, scale = rest, by
			break
		}
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || !(n*scale >= 1000 && n*scale <= 1e12) {
		return 0, fmt.Errorf("params is %q, expected a number of parameters such as 300k, 5M or 1.2B", text)
	}
	return n * scale, nil
}

// count is a number as people write it: 5.38M.
func count(n float64) string {
	for _, unit := range []struct {
		scale float64
		name  string
	}{{1e12, "T"}, {1e9, "B"}, {1e6, "M"}, {1e3, "k"}} {
		if n >= unit.scale {
			return strconv.FormatFloat(roundTo(n/unit.scale, 3), 'g', -1, 64) + unit.name
		}
	}
	return strconv.FormatFloat(math.Round(n), 'g', -1, 64)
}
