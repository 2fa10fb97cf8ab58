package report

import (
	"html/template"
	"slices"
	"strings"

	"lian/chain"
)

// view is a card with what the page derives from it.
type view struct{ *Card }

// Headline is the one sentence that says what was made.
func (v view) Headline() template.HTML {
	p := v.Pretrain
	switch {
	case p == nil || v.Data == nil:
		return sayHTML("report.headline.begun")
	case !v.Run.Finished:
		return sayHTML("report.headline.growing", count(p.Parameters).html(), count(int64(v.Data.Train.Documents)).html())
	}
	return sayHTML("report.headline.done", count(p.Parameters).html(), count(int64(v.Data.Train.Documents)).html(), duration(v.Run.Seconds()).html())
}

// Right and Wrong are the judged cases to show: a few of each.
func (v view) Right() []Case { return v.cases(true, 3) }

// Wrong are cases that the fine-tuned model got wrong.
func (v view) Wrong() []Case { return v.cases(false, 2) }

// Free are cases without a right answer, such as poems.
func (v view) Free() []Case {
	if v.Eval == nil {
		return nil
	}
	var out []Case
	for _, c := range v.Eval.Cases {
		if !c.Judged && len(out) < 3 {
			out = append(out, c)
		}
	}
	return out
}

// cases takes one case per task in turn, so that not all are of the first task.
func (v view) cases(right bool, n int) []Case {
	if v.Eval == nil {
		return nil
	}
	var out []Case
	seen := map[string]int{}
	for round := 0; round < n && len(out) < n; round++ {
		for _, c := range v.Eval.Cases {
			if c.Judged && c.Right == right && len(out) < n && seen[c.Task] == round && !slices.Contains(out, c) {
				out = append(out, c)
				seen[c.Task]++
			}
		}
	}
	return out
}

// Best is the model that the first screen speaks of: the SFT one.
func (v view) Best() string {
	if v.Eval != nil && slices.Contains(v.Eval.Models, "sft") {
		return "sft"
	}
	return ""
}

// Gain is a task's score before and after fine-tuning.
type Gain struct {
	Task          Task
	Before, After Score
}

// Gains are the tasks for the first screen.
func (v view) Gains() []Gain {
	if v.Eval == nil {
		return nil
	}
	var out []Gain
	for _, t := range v.Eval.Tasks {
		before, ok1 := t.Of("base")
		after, ok2 := t.Of("sft")
		if ok1 && ok2 {
			out = append(out, Gain{t, before, after})
		}
	}
	return out
}

// Of is the task's score for a model.
func (t Task) Of(model string) (Score, bool) {
	for _, s := range t.Scores {
		if s.Model == model {
			return s, true
		}
	}
	return Score{}, false
}

// Cell is a score that may be absent, for the table.
type Cell struct {
	Score
	Has         bool
	AboveChance bool // the whole interval lies above chance
}

// Row is a task's scores in the order of the models.
func (v view) Row(t Task) []Cell {
	row := make([]Cell, len(v.Eval.Models))
	for i, m := range v.Eval.Models {
		if s, ok := t.Of(m); ok {
			row[i] = Cell{Score: s, Has: true, AboveChance: s.Low > t.Chance+1e-9}
		}
	}
	return row
}

// BitsRow is bits per byte in the order of the models.
func (v view) BitsRow() []Cell {
	row := make([]Cell, len(v.Eval.Models))
	for i, m := range v.Eval.Models {
		for _, s := range v.Eval.Bits {
			if s.Model == m {
				row[i] = Cell{Score: s, Has: true}
			}
		}
	}
	return row
}

// Lost is how many bits per byte a variant costs against the first.
func (v view) Lost(variant Variant) float64 {
	if len(v.Quantize.Variants) == 0 || v.Quantize.Variants[0].BitsPerByte == 0 {
		return 0
	}
	return variant.BitsPerByte - v.Quantize.Variants[0].BitsPerByte
}

// Smallest is the smallest quantised file.
func (v view) Smallest() *Variant {
	if v.Quantize == nil || len(v.Quantize.Variants) == 0 {
		return nil
	}
	best := &v.Quantize.Variants[0]
	for i := range v.Quantize.Variants {
		if v.Quantize.Variants[i].Bytes < best.Bytes {
			best = &v.Quantize.Variants[i]
		}
	}
	return best
}

// Limits are said plainly on the first screen; which apply follows from the card.
func (v view) Limits() []template.HTML {
	var out []template.HTML
	if v.Pretrain != nil {
		out = append(out, sayHTML("report.limit.size", count(v.Pretrain.Parameters).html()))
	}
	if v.Data != nil {
		out = append(out, sayHTML("report.limit.knows", v.Data.Source))
		if v.Data.TooSmall != "" {
			out = append(out, sayHTML("report.limit.small", size(v.Data.Train.Bytes).html()))
		}
	}
	out = append(out, sayHTML("report.limit.true"), sayHTML("report.limit.judge"))
	return out
}

// Ready says whether the parts of the first screen that need the evaluation are there.
func (v view) Ready() bool { return v.Eval != nil && len(v.Eval.Cases) > 0 }

// Done says whether a stage has ended.
func (s Stage) Done() bool { return s.State == string(chain.Done) || s.State == string(chain.Cached) }

// few are the first, a middle and the last answer.
func few(answers []Answer) []Answer {
	if n := len(answers); n > 3 {
		return []Answer{answers[0], answers[n/2], answers[n-1]}
	}
	return answers
}

// oneline shows line ends as a stroke, as poems are quoted.
func oneline(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, " / ")
}
