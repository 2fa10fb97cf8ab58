package engine

import (
	"fmt"
	"io"
	"slices"
	"time"

	"lian/engine/draft"
	"lian/model"
	"lian/tokenizer"
)

// Drafting says how tokens are guessed ahead. The tokens of a reply do not depend on it.
type Drafting struct {
	Draft        string `yaml:"draft" help:"how to guess the next tokens, which are then checked in one step: none, lookup (what followed the last few tokens before), suffix (what followed the longest text that was there before), a smaller model, or auto: suffix; only where it pays" default:"auto"`
	DraftTokens  int    `yaml:"draft_tokens" help:"most tokens guessed ahead of each reply" default:"8" range:"1..63"`
	DraftHistory int    `yaml:"draft_history" help:"tokens of earlier replies that guesses may come from too; 0 looks at the reply's own text only" default:"0" range:"0..10000000"`
}

// Ways of drafting that need no model.
const (
	DraftNone   = "none"
	DraftAuto   = "auto"
	DraftLookup = "lookup"
	DraftSuffix = "suffix"
)

// NeedsModel says whether Draft names a model, which whoever makes the engine gives it with DraftWith.
func (d Drafting) NeedsModel() bool {
	return !slices.Contains([]string{"", DraftNone, DraftAuto, DraftLookup, DraftSuffix}, d.Draft)
}

// speculation guesses what running replies will say next.
type speculation struct {
	options Drafting
	pace    draft.Pace
	history *draft.History // nil: none
	model   *draft.Model   // nil: none
	owner   io.Closer      // of the model; nil: none
	// open begins to draft for a text; choose and worth are the pace's
	open   func() draft.Drafter
	worth  func(sequences, most int) int
	choose func(guesses []draft.Class, ids []int, most int) []int
}

func newSpeculation(o Drafting) (*speculation, error) {
	if o.DraftTokens == 0 {
		o.DraftTokens = 8
	}
	if o.DraftTokens < 1 || o.DraftTokens > draft.MostTokens {
		return nil, fmt.Errorf("draft_tokens is %d, expected 1 to %d", o.DraftTokens, draft.MostTokens)
	}
	s := &speculation{options: o}
	if o.DraftHistory > 0 {
		s.history = draft.NewHistory(o.DraftHistory)
	}
	s.choose, s.worth, s.open = s.pace.Choose, s.pace.Worth, func() draft.Drafter { return draft.NewSuffix(s.history) }
	if o.Draft == DraftLookup {
		s.open = func() draft.Drafter { return &draft.Lookup{} }
	}
	return s, nil
}

// DraftWith lets a smaller model guess, whose tokens may be others than the engine's. It must be called before the first request. owner,
// if it is not nil, is closed with the engine.
func (e *Engine) DraftWith(m model.Model, tok *tokenizer.Tokenizer, owner io.Closer) error {
	d, err := draft.NewModel(e.backend, m, tok, e.Tokenizer, e.Options.Context, e.Options.Precision)
	if err == nil {
		e.speculation.model, e.speculation.owner = d, owner
	}
	return err
}

// drafting is what a sequence's guesses need.
type drafting struct {
	text              draft.Drafter // nil until first asked
	model             *draft.Told   // likewise, and where there is none
	noModel           bool          // all places for texts in the model were taken
	class             draft.Class   // of the guess that is being checked
	drafted, accepted int
}

// guess drafts for the running sequences before a step is planned, if the step will hold nothing but their next tokens.
func (e *Engine) guess() {
	s := e.speculation
	if s.options.Draft == DraftNone {
		return
	}
	e.mu.Lock()
	ready := slices.Clone(e.scheduler.running)
	busy := len(e.scheduler.waiting) > 0 && len(ready) < e.scheduler.most // a prompt is about to begin
	e.mu.Unlock()
	for _, q := range ready { // only the caller changes them
		q.drafts = nil
		busy = busy || q.missing() != 1
	}
	if busy || len(ready) == 0 || len(ready) > mostDrafted {
		return
	}
	guesses, classes, lengths := make([]draft.Guess, len(ready)), make([]draft.Class, len(ready)), make([]int, len(ready))
	for i, q := range ready {
		guesses[i] = s.guess(q, len(ready), min(s.options.DraftTokens, q.room(e.Options.Context)))
		guesses[i].IDs = q.possible(guesses[i].IDs)
		classes[i], lengths[i] = guesses[i].Class, len(guesses[i].IDs)
	}
	for i, n := range s.choose(classes, lengths, s.options.DraftTokens) {
		ready[i].drafts, ready[i].drafting.class = guesses[i].IDs[:n], classes[i]
	}
}

// mostDrafted is how many sequences at a time drafts are thought of for: beyond, the rows that drafts would fill are others' tokens.
const mostDrafted = 16

// guess asks the drafters of a sequence: the model where it is likelier to be right than what the text says, and worth its time.
func (s *speculation) guess(q *sequence, sequences, most int) draft.Guess {
	if most <= 0 || len(q.reply()) == 0 { // the first token waits for nothing
		return draft.Guess{}
	}
	d := &q.drafting
	if d.text == nil {
		d.text = s.open()
	}
	g := d.text.Draft(q.ids, most)
	if s.model == nil || d.noModel || len(g.IDs) > 0 && s.pace.Share(g.Class) > s.pace.Share(draft.OfModel) {
		return g
	}
	if most = min(most, s.worth(sequences, most)); most == 0 {
		return g
	}
	if d.model == nil {
		told := s.model.Open(q.request.Sample)
		if d.noModel = told == nil; d.noModel {
			return g
		}
		d.model = told
	}
	begun := time.Now()
	guess := d.model.Draft(q.ids, most)
	s.pace.Guessed(len(guess.IDs), time.Since(begun).Seconds())
	return guess
}

// checked notes which drafts of a step were right.
func (s *speculation) checked(w work, accepted int, ended bool) {
	d := &w.sequence.drafting
	d.drafted += len(w.drafts)
	d.accepted += accepted
	computed := len(w.drafts)
	if ended { // what comes after the end says nothing
		computed = accepted
	}
	s.pace.Checked(d.class, accepted, computed)
}

// measure begins to time a step; what it returns ends that, and notes the time if the step held nothing but next tokens and drafts.
func (s *speculation) measure(plan []work) (end func()) {
	rows, begun := 0, time.Now()
	for _, w := range plan {
		if w.to-w.from != 1 || w.asks() == 0 {
			return func() {}
		}
		rows += w.rows()
	}
	return func() { s.pace.Step(rows, time.Since(begun).Seconds()) }
}

// close is called after the last step.
func (s *speculation) close() {
	if s.owner != nil {
		s.owner.Close() // it was only read
	}
}

// end forgets a sequence.
func (s *speculation) end(q *sequence) {
	if s.history != nil {
		s.history.Add(q.reply())
	}
	if q.drafting.model != nil {
		q.drafting.model.Close()
	}
	q.drafting.model, q.drafting.text = nil, nil
}

// room is how many drafts can all be accepted: the token after them is taken too.
func (q *sequence) room(context int) int {
	n := context - len(q.ids)
	if q.request.MaxTokens > 0 {
		n = min(n, q.request.MaxTokens-len(q.reply()))
	}
	return n - 1
}

// possible are the first drafts that may come: up to the end of the reply, or what the grammar refuses.
func (q *sequence) possible(drafts []int32) []int32 {
	if q.matcher == nil && len(q.request.StopIDs) == 0 {
		return drafts
	}
	var m interface{ Accept(id int32) error }
	if q.matcher != nil {
		m = q.matcher.Clone()
	}
	for i, id := range drafts {
		if slices.Contains(q.request.StopIDs, id) || m != nil && m.Accept(id) != nil {
			return drafts[:i]
		}
	}
	return drafts
}
