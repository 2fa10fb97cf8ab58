package eval

import (
	"fmt"
	"slices"

	"lian/engine"
	"lian/eval/stats"
)

// Confidence of every interval in a report.
const Confidence = 0.95

// Score is a model's share of right answers to a task.
type Score struct {
	Model     string         `json:"model"`
	Task      string         `json:"task"`
	Questions int            `json:"questions"`
	Right     int            `json:"right"`
	Malformed int            `json:"malformed"`
	Skipped   int            `json:"skipped"`
	Value     float64        `json:"value"`
	Interval  stats.Interval `json:"interval"` // Wilson
	Chance    float64        `json:"chance"`   // mean over the questions
}

// BeatsChance says whether the whole interval lies above chance.
func (s Score) BeatsChance() bool { return s.Interval.Low > s.Chance }

// Scores are a model's scores by task, in the order in which tasks first come.
func Scores(model string, outcomes []Outcome) []Score {
	var out []Score
	for _, task := range tasks(outcomes) {
		s := Score{Model: model, Task: task}
		for _, o := range outcomes {
			if o.Question.Task != task {
				continue
			}
			s.Questions++
			s.Chance += o.Question.Chance
			s.Right += number(o.Right)
			s.Malformed += number(o.Malformed)
			s.Skipped += number(o.Skipped != "")
		}
		s.Chance /= float64(s.Questions)
		s.Value = float64(s.Right) / float64(s.Questions)
		s.Interval = stats.Wilson(s.Right, s.Questions, Confidence)
		out = append(out, s)
	}
	return out
}

func tasks(outcomes []Outcome) (names []string) {
	for _, o := range outcomes {
		if !slices.Contains(names, o.Question.Task) {
			names = append(names, o.Question.Task)
		}
	}
	return names
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Comparison is two models on the same questions or documents, B less A.
type Comparison struct {
	Task, A, B  string
	Difference  float64
	Interval    stats.Interval
	P           float64
	Significant bool
}

// Compare pairs two models' outcomes question by question.
func Compare(nameA, nameB string, a, b []Outcome) ([]Comparison, error) {
	if len(a) != len(b) {
		return nil, fmt.Errorf("%s answered %d questions, %s %d: they cannot be paired", nameA, len(a), nameB, len(b))
	}
	var out []Comparison
	for _, task := range tasks(a) {
		var both, onlyA, onlyB, neither int
		for i := range a {
			if a[i].Question.ID != b[i].Question.ID {
				return nil, fmt.Errorf("question %d is %s for %s and %s for %s: they cannot be paired", i, a[i].Question.ID, nameA, b[i].Question.ID, nameB)
			}
			switch {
			case a[i].Question.Task != task:
			case a[i].Right && b[i].Right:
				both++
			case a[i].Right:
				onlyA++
			case b[i].Right:
				onlyB++
			default:
				neither++
			}
		}
		c := Comparison{Task: task, A: nameA, B: nameB, P: stats.McNemar(onlyA, onlyB)}
		c.Difference, c.Interval = stats.PairedShare(both, onlyA, onlyB, neither, Confidence)
		c.Significant = c.P < 1-Confidence
		out = append(out, c)
	}
	return out, nil
}

const resamples = 1000

// BitsPerByte is a model's held-out figure with its interval over documents.
func BitsPerByte(p engine.Perplexity, seed uint64) (float64, stats.Interval) {
	return p.BitsPerByte(), stats.BootstrapRatio(ratios(p), Confidence, resamples, seed)
}

// CompareBits pairs two models' bits per byte document by document.
func CompareBits(nameA, nameB string, a, b engine.Perplexity, seed uint64) Comparison {
	c := Comparison{Task: "bits_per_byte", A: nameA, B: nameB}
	c.Difference, c.Interval, c.P = stats.PairedRatio(ratios(a), ratios(b), Confidence, resamples, seed)
	c.Significant = c.P < 1-Confidence
	return c
}

func ratios(p engine.Perplexity) []stats.Ratio {
	out := make([]stats.Ratio, len(p.PerDocument))
	for i, d := range p.PerDocument {
		out[i] = stats.Ratio{Over: d.Nats / ln2, Under: float64(d.Bytes)}
	}
	return out
}

const ln2 = 0.693147180559945309417232121458
