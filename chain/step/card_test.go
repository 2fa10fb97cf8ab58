package step

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"lian/chain/report"
	"lian/chat"
	"lian/data/instruct"
	"lian/eval"
	"lian/train/figure"
)

func TestAResumedCurveHasNoStepTwice(t *testing.T) {
	p := &pretrainCard{clock: time.Now(), written: time.Now().Add(time.Hour)} // writes nothing
	step := func(n int) {
		p.Emit(figure.KindStep, figure.Step{Step: n, Steps: 10, Tokens: int64(n) * 100, BitsPerByte: float64(10 - n)})
	}
	prompts := func(progress float64, answer string) {
		p.Emit(figure.KindPrompts, figure.Prompts{Progress: progress, Prompts: []string{"春"}, Answers: []string{answer}})
	}
	for n := 1; n <= 6; n++ {
		step(n)
	}
	p.Emit(figure.KindHeldOut, figure.HeldOut{Tokens: 500, BitsPerByte: 3})
	prompts(0.5, "a")
	for n := 4; n <= 10; n++ { // the last checkpoint was of step 3
		step(n)
	}
	p.Emit(figure.KindHeldOut, figure.HeldOut{Tokens: 500, BitsPerByte: 3})
	prompts(0.5, "b")
	prompts(1, "c")
	var tokens []int64
	for _, q := range p.card.Train {
		tokens = append(tokens, q.Tokens)
	}
	if !slices.Equal(tokens, []int64{100, 200, 300, 400, 500, 600, 700, 800, 900, 1000}) || len(p.card.HeldOut) != 1 {
		t.Errorf("curve at %v, held out %v", tokens, p.card.HeldOut)
	}
	if want := []report.Answer{{Progress: 0.5, Text: "b"}, {Progress: 1, Text: "c"}}; !slices.Equal(p.card.Prompts[0].Answers, want) {
		t.Errorf("answers %v", p.card.Prompts[0].Answers)
	}
}

func TestCasesShowRightAndWrongOfEachTask(t *testing.T) {
	var before, after []eval.Outcome
	add := func(task, template string, right bool) {
		q := instruct.Question{ID: string(rune('a' + len(after))), Task: task, Template: template, Answer: "x", Messages: []chat.Message{chat.UserMessage("问")}}
		before = append(before, eval.Outcome{Question: q, Reply: "before"})
		after = append(after, eval.Outcome{Question: q, Reply: "after", Right: right})
	}
	for range 5 {
		add("exact", "one", true)
		add("exact", "two", false)
		add("choice", "one", true)
	}
	seen := map[string]int{}
	for _, c := range cases(before, after) {
		key := c.Task
		if c.Right {
			key += " right"
		}
		seen[key]++
		if c.Prompt != "问" || c.Before != "before" || c.After != "after" || c.Expected != "x" || !c.Judged {
			t.Errorf("%+v", c)
		}
	}
	if seen["exact right"] != 3 || seen["exact"] != 3 || seen["choice right"] != 3 {
		t.Errorf("%v", seen)
	}
}

func TestACallIsShownAsACall(t *testing.T) {
	o := eval.Outcome{Question: instruct.Question{Task: instruct.TaskTool}, Reply: "…", Call: &chat.ToolCall{Name: "search", Arguments: json.RawMessage(`{"query": "孤帆"}`)}}
	if got := said(o); got != `search {"query": "孤帆"}` {
		t.Errorf("said = %q", got)
	}
	o = eval.Outcome{Question: instruct.Question{Choices: []string{"甲", "乙"}}, LogProbs: []float64{-3, -1}}
	if got := said(o); got != "乙" {
		t.Errorf("said = %q", got)
	}
}
