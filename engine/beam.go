package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"lian/engine/sample"
)

// BeamSearch says how the most likely replies are looked for. The rules are those of Hugging Face transformers 5.
type BeamSearch struct {
	Beams     int // replies that are followed at one time
	Return    int // replies that are given; 0 is 1
	MaxTokens int
	MinTokens int     // StopIDs are not taken before
	StopIDs   []int32 // tokens that end a reply and are not part of it
	// LengthPenalty: a reply's score is Σ ln p / length^LengthPenalty, its stop token counted; more than 0 favours long replies. The
	// usual value is 1.
	LengthPenalty float64
	EarlyStopping EarlyStopping
	Adapter       string
	Told          func(tokens int) // hears of the length that the beams have reached; may be nil
}

// EarlyStopping is when a beam search ends, once it has as many replies as beams.
type EarlyStopping string

// The rules of stopping.
const (
	StopUnlikely EarlyStopping = ""      // when the best open beam, were it to end now, is no better than the worst reply
	StopFull     EarlyStopping = "full"  // at once
	StopNever    EarlyStopping = "never" // when no open beam can become better, however long it gets
)

// Beam is a reply that a beam search found.
type Beam struct {
	IDs    []int32
	Score  float64 // Σ ln p / length^LengthPenalty
	Finish string
}

// Check says which setting is wrong.
func (s BeamSearch) Check() error {
	switch {
	case s.Beams < 1:
		return fmt.Errorf("beams is %d, expected 1 or more", s.Beams)
	case s.Return < 0 || s.Return > s.Beams:
		return fmt.Errorf("%d replies are asked for of %d beams", s.Return, s.Beams)
	case s.MaxTokens < 1 || s.MinTokens < 0 || s.MinTokens > s.MaxTokens:
		return fmt.Errorf("%d to %d tokens are asked for, expected at most one or more", s.MinTokens, s.MaxTokens)
	case math.IsNaN(s.LengthPenalty) || math.IsInf(s.LengthPenalty, 0):
		return fmt.Errorf("length penalty is %v, expected a number", s.LengthPenalty)
	case !slices.Contains([]EarlyStopping{StopUnlikely, StopFull, StopNever}, s.EarlyStopping):
		return fmt.Errorf("early stopping is %q, expected nothing, %s or %s", s.EarlyStopping, StopFull, StopNever)
	}
	return nil
}

// BeamSearch looks for the most likely replies to a prompt, the best first. All beams are computed in one batch; what they have in
// common is in the cache once.
func (e *Engine) BeamSearch(ctx context.Context, prompt []int32, s BeamSearch) ([]Beam, error) {
	if err := errors.Join(s.Check(), e.checkPrompt(prompt, s.MaxTokens)); err != nil {
		return nil, err
	}
	b, err := e.OpenBranch(prompt, s.Adapter)
	if err != nil {
		return nil, err
	}
	search := beamSearch{BeamSearch: s, prompt: len(prompt), open: []openBeam{{branch: b}}, improvable: true}
	defer func() {
		for _, o := range search.open {
			o.branch.Close()
		}
	}()
	for done := false; !done; {
		if done, err = search.step(ctx, e); err != nil {
			return nil, err
		}
		if s.Told != nil && len(search.open) > 0 {
			s.Told(len(search.open[0].branch.ids) - search.prompt)
		}
	}
	return search.found[:min(max(s.Return, 1), len(search.found))], nil
}

type beamSearch struct {
	BeamSearch
	prompt     int
	open       []openBeam // the best first
	found      []Beam     // the best first
	improvable bool
	look       sample.LogProbs
}

type openBeam struct {
	branch *Branch
	score  float32
}

// extension is a beam with one more token.
type extension struct {
	beam  int
	id    int32
	score float32
	ends  bool
}

// step extends all beams by a token; true when the search is over.
func (s *beamSearch) step(ctx context.Context, e *Engine) (done bool, err error) {
	list, err := s.extensions(ctx, e)
	if err != nil {
		return true, err
	}
	full, ending := len(s.found) == s.Beams, true
	length := len(s.open[0].branch.ids) - s.prompt + 1
	for i, x := range list {
		ending = ending && x.ends
		// Only the best as many as beams can be replies; the others are there so that enough beams go on.
		if x.ends && i < s.Beams && s.improvable && !(full && s.EarlyStopping == StopFull) {
			s.add(x, length)
		}
	}
	if ending || len(list) == 0 {
		return true, nil
	}
	if err := s.goOn(list); err != nil {
		return true, err
	}
	if full = len(s.found) == s.Beams; full {
		if s.EarlyStopping == StopNever && s.LengthPenalty > 0 {
			length = s.MaxTokens
		}
		best := float64(s.open[0].score) / math.Pow(float64(length), s.LengthPenalty)
		s.improvable = s.improvable && best > s.found[len(s.found)-1].Score
	}
	return !s.improvable || full && s.EarlyStopping == StopFull, nil
}

// extensions are the best continuations of all beams, the best first: enough that some go on even if many end.
func (s *beamSearch) extensions(ctx context.Context, e *Engine) ([]extension, error) {
	branches := make([]*Branch, len(s.open))
	for i, o := range s.open {
		branches[i] = o.branch
	}
	rows, err := e.Logits(ctx, branches...)
	if err != nil {
		return nil, err
	}
	keep := max(2, 1+len(s.StopIDs)) * s.Beams
	var list []extension
	for i, row := range rows {
		length := len(branches[i].ids) - s.prompt + 1
		_, _, best := s.look.Of(row[:e.Tokenizer.VocabSize()], 0, keep+len(s.StopIDs), nil)
		for _, t := range best {
			stops := slices.Contains(s.StopIDs, t.ID)
			if stops && length <= s.MinTokens {
				continue
			}
			list = append(list, extension{i, t.ID, s.open[i].score + t.LogProb, stops || length >= s.MaxTokens})
		}
	}
	slices.SortStableFunc(list, func(a, b extension) int { return cmp.Compare(b.score, a.score) })
	return list[:min(keep, len(list))], nil
}

// add puts a finished reply among those found.
func (s *beamSearch) add(x extension, length int) {
	ids := slices.Clone(s.open[x.beam].branch.ids[s.prompt:])
	r := Beam{IDs: ids, Score: float64(x.score) / math.Pow(float64(length), s.LengthPenalty), Finish: FinishStop}
	if !slices.Contains(s.StopIDs, x.id) {
		r.IDs, r.Finish = append(ids, x.id), FinishLength
	}
	at := len(s.found)
	for at > 0 && s.found[at-1].Score < r.Score {
		at--
	}
	s.found = slices.Insert(s.found, at, r)
	s.found = s.found[:min(len(s.found), s.Beams)]
}

// goOn makes the best extensions that do not end the open beams. A beam with several is forked, one with none is closed.
func (s *beamSearch) goOn(list []extension) (err error) {
	var next []openBeam
	used := make([]bool, len(s.open))
	for _, x := range list {
		if x.ends || len(next) == s.Beams {
			continue
		}
		b := s.open[x.beam].branch
		if used[x.beam] {
			if b, err = b.Fork(); err != nil {
				break
			}
			b.ids = b.ids[:len(b.ids)-1] // what the first has appended already
		}
		used[x.beam] = true
		b.Append(x.id)
		next = append(next, openBeam{b, x.score})
	}
	for i, o := range s.open {
		if !used[i] {
			o.branch.Close()
		}
	}
	s.open = next
	return err
}
