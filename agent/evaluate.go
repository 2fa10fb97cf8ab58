package agent

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"lian/chat"
)

// Question has a known answer.
type Question struct {
	ID       string         `json:"id"`
	Messages []chat.Message `json:"messages"` // ends with the user's turn
	Answer   string         `json:"answer"`
}

// Outcome is what became of one question.
type Outcome struct {
	ID         string     `json:"id"`
	Expected   string     `json:"expected"`
	Correct    bool       `json:"correct"`
	Failure    string     `json:"failure,omitempty"` // the solver's error, if it failed
	Transcript Transcript `json:"transcript"`
}

// Report is how a model did, with or without tools. Outcomes are in the order
// of the questions; intervals and tests are for whoever compares reports.
type Report struct {
	Tools     []string  `json:"tools"` // offered; none: the model answered alone
	Questions int       `json:"questions"`
	Correct   int       `json:"correct"`
	Answered  int       `json:"answered"` // ended with an answer, right or wrong
	Failed    int       `json:"failed"`   // ended by an error of the solver; counted as wrong
	Counts    Counts    `json:"counts"`   // over all questions
	Outcomes  []Outcome `json:"outcomes"`
}

// Rate is the share of questions answered rightly, 0 when there are none.
func (r Report) Rate() float64 {
	if r.Questions == 0 {
		return 0
	}
	return float64(r.Correct) / float64(r.Questions)
}

// WellFormed is the share of calls that could be run, 1 when there were none.
func (r Report) WellFormed() float64 {
	if r.Counts.Calls == 0 {
		return 1
	}
	return 1 - float64(r.Counts.Malformed)/float64(r.Counts.Calls)
}

// Evaluation says how [Evaluate] asks and judges.
type Evaluation struct {
	Options
	Parallel int                                // questions asked at once; 0 is 1
	Judge    func(answer, expected string) bool // nil: Same
	Progress func(done, total int)              // called after each question
}

// Evaluate asks every question and counts the right answers: with tools, or
// without when tools is empty. A question on which the solver fails counts as
// wrong and is listed; the error is returned only when ctx was cancelled.
func Evaluate(ctx context.Context, solver Solver, questions []Question, tools []Tool, e Evaluation) (Report, error) {
	if e.Judge == nil {
		e.Judge = Same
	}
	report := Report{Tools: []string{}, Questions: len(questions), Outcomes: make([]Outcome, len(questions))}
	for _, d := range Definitions(tools) {
		report.Tools = append(report.Tools, d.Name)
	}
	if _, err := newBox(tools); err != nil {
		return report, err
	}
	var (
		lock  sync.Mutex
		group sync.WaitGroup
		next  = make(chan int)
		done  int
	)
	for range min(max(e.Parallel, 1), max(len(questions), 1)) {
		group.Go(func() {
			for i := range next {
				q := questions[i]
				t, err := Run(ctx, solver, tools, q.Messages, e.Options)
				o := Outcome{ID: q.ID, Expected: q.Answer, Transcript: t}
				if err != nil {
					o.Failure = err.Error()
				}
				o.Correct = t.Finish == FinishAnswer && e.Judge(t.Answer, q.Answer)
				report.Outcomes[i] = o
				lock.Lock()
				done++
				if e.Progress != nil {
					e.Progress(done, len(questions))
				}
				lock.Unlock()
			}
		})
	}
	for i := range questions {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	group.Wait()
	if err := ctx.Err(); err != nil {
		return report, fmt.Errorf("after %d of %d questions: %w", done, len(questions), err)
	}
	for _, o := range report.Outcomes {
		report.Counts.add(o.Transcript.Counts)
		switch {
		case o.Correct:
			report.Correct++
			report.Answered++
		case o.Transcript.Finish == FinishAnswer:
			report.Answered++
		case o.Failure != "":
			report.Failed++
		}
	}
	return report, nil
}

// Same compares answers as a reader would: compatible characters (full width,
// ligatures) are one, runs of blanks are one, and blanks, quotes and full stops
// around the answer do not count. Capitals do.
func Same(answer, expected string) bool { return plain(answer) == plain(expected) }

func plain(s string) string {
	s = strings.Join(strings.Fields(norm.NFKC.String(s)), " ")
	return strings.TrimFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || strings.ContainsRune(`.。"'“”‘’「」`, r)
	})
}
