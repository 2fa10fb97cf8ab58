package step

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"lian/config"
	"lian/engine"
	"lian/engine/sample"
	"lian/event"
)

// Search says how replies are looked for instead of drawn; the zero value draws.
type Search struct {
	Beams         int     `yaml:"beams" help:"look for the likeliest replies, following so many at one time (beam search), instead of drawing; the n best are given, 0 draws" default:"0" range:"0..1000"`
	LengthPenalty float64 `yaml:"length_penalty" help:"with beams: a reply's log-probability is divided by its length to the power of this; more favours long replies" default:"1" range:"-10..10"`
	EarlyStopping string  `yaml:"early_stopping" help:"with beams: end when the best open reply cannot be likely to become better, as soon as there are as many replies as beams (full), or when none can become better (never)" default:"unlikely" range:"unlikely|full|never"`
	Contrastive   float64 `yaml:"contrastive" help:"contrastive search instead of drawing: how much being unlike all tokens before counts, such as 0.6, among the top_k most likely (4 if not said); 0 draws" default:"0" range:"0..1"`
}

// contrastiveK is the number of candidates where top_k says none, that of the paper (arXiv 2202.06417).
const contrastiveK = 4

// on says whether replies are looked for.
func (s Search) on() bool { return s.Beams > 0 || s.Contrastive > 0 }

// checkSearch refuses what has no say in a search, or would say the opposite.
func (o GenerateOptions) checkSearch() error {
	s := o.Search
	if !s.on() {
		return nil
	}
	what := "--beams"
	allowed := map[string]bool{"temperature": true, "top_p": true, "max_tokens": true, "min_tokens": true, "seed": true}
	if s.Contrastive > 0 {
		what = "--contrastive"
		delete(allowed, "min_tokens")
		allowed["top_k"] = true
	}
	switch {
	case s.Beams > 0 && s.Contrastive > 0:
		return errors.New("--beams and --contrastive are two searches; give one")
	case s.Beams > 0 && o.N > s.Beams:
		return fmt.Errorf("--n %d: of %d beams at most as many replies are given; raise --beams", o.N, s.Beams)
	case s.Contrastive > 0 && o.N > 1:
		return fmt.Errorf("--n %d: contrastive search draws nothing, all replies would be the same", o.N)
	case !reflect.DeepEqual(o.Constraint, Constraint{}):
		return fmt.Errorf("%s: a search is not held to a schema, expression, grammar or choice", what)
	case o.Drafting.Draft != "" && o.Drafting.Draft != engine.DraftAuto && o.Drafting.Draft != engine.DraftNone:
		return fmt.Errorf("%s: --draft %s has no say in a search; leave it out", what, o.Drafting.Draft)
	case o.LogProbs >= 0 || o.PromptLogProbs:
		return fmt.Errorf("%s: a search gives the score of whole replies, no log-probabilities of tokens", what)
	}
	var usual sample.Params
	if err := config.Defaults(&usual); err != nil {
		return err
	}
	given, standard := reflect.ValueOf(o.Sample), reflect.ValueOf(usual)
	for i := range given.NumField() {
		name := given.Type().Field(i).Tag.Get("yaml")
		same := reflect.DeepEqual(given.Field(i).Interface(), standard.Field(i).Interface()) || given.Field(i).IsZero()
		if !allowed[name] && !same {
			return fmt.Errorf("%s: %s has no say in a search; leave it out", what, name)
		}
	}
	return nil
}

// tokensOfSearch is how many tokens a prompt's search may keep beside the prompt: each beam its own, and copies while they are sorted.
func (o GenerateOptions) tokensOfSearch(reply int) int {
	switch {
	case o.Beams > 0:
		return o.Beams * (reply + 2*engineSlack)
	case o.Contrastive > 0:
		return reply + (o.contrastiveK()+1)*engineSlack
	}
	return 0
}

func (o GenerateOptions) contrastiveK() int {
	if o.Sample.TopK > 0 {
		return o.Sample.TopK
	}
	return contrastiveK
}

// search makes the replies that are not there yet by a search, one prompt after the other.
func (g *generation) search(ctx context.Context, e *engine.Engine, most []int, done func(Generated) error) error {
	jobs := g.jobs[g.first:]
	for at := 0; at < len(jobs); {
		j, begun := jobs[at], time.Now()
		reply := most[at]
		if reply == 0 {
			reply = e.Options.Context - len(j.ids)
		}
		var first time.Duration
		told := func(n int) {
			if n == 1 {
				first = time.Since(begun)
			}
			if len(g.jobs) <= max(g.o.N, 1) {
				g.sink.Emit(event.KindProgress, event.Progress{Stage: "generate", Done: int64(n), Total: int64(reply), Unit: "tokens"})
			}
		}
		beams, err := g.beams(ctx, e, j, reply, told)
		if err != nil {
			return fmt.Errorf("%s: %w", g.prompts[j.prompt].Place, err)
		}
		for ; at < len(jobs) && jobs[at].prompt == j.prompt; at++ {
			if jobs[at].sample >= len(beams) {
				return fmt.Errorf("%s: only %d replies were found; ask for less than --n %d, or raise --beams", g.prompts[j.prompt].Place, len(beams), g.o.N)
			}
			b := beams[jobs[at].sample]
			p := g.prompts[j.prompt]
			out := Generated{Index: j.prompt, Sample: jobs[at].sample, ID: p.ID, Prompt: p.Text, Text: g.m.Tokenizer.DecodeText(b.IDs, true), IDs: b.IDs, Finish: b.Finish,
				PromptTokens: len(j.ids), Tokens: len(b.IDs), Score: &b.Score, Timings: timings(engine.Result{IDs: b.IDs, PromptTokens: len(j.ids), First: first, Total: time.Since(begun)})}
			if err := done(out); err != nil {
				return err
			}
		}
		if len(g.jobs) > max(g.o.N, 1) {
			g.sink.Emit(event.KindProgress, event.Progress{Stage: "generate", Done: int64(g.first + at), Total: int64(len(g.jobs)), Unit: "replies"})
		}
	}
	return nil
}

// beams are the replies that a search finds, the best first.
func (g *generation) beams(ctx context.Context, e *engine.Engine, j job, most int, told func(tokens int)) ([]engine.Beam, error) {
	o := g.o
	if o.Beams > 0 {
		early := map[string]engine.EarlyStopping{"full": engine.StopFull, "never": engine.StopNever}[o.EarlyStopping]
		return e.BeamSearch(ctx, j.ids, engine.BeamSearch{Beams: o.Beams, Return: max(o.N, 1), MaxTokens: most, MinTokens: o.Sample.MinTokens, StopIDs: j.stop,
			LengthPenalty: o.LengthPenalty, EarlyStopping: early, Told: told})
	}
	b, err := e.ContrastiveSearch(ctx, j.ids, engine.ContrastiveSearch{K: o.contrastiveK(), Alpha: o.Contrastive, MaxTokens: most, StopIDs: j.stop, Told: told})
	return []engine.Beam{b}, err
}
