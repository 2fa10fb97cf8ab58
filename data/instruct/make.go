package instruct

import (
	"maps"
	"math"
	"slices"
	"sort"

	"lian/chat"
	"lian/data/document"
)

// arithmeticShare of the examples are sums, unless there are few others.
const arithmeticShare = 0.2

// examples makes at most limit conversations of one side of the split. Their
// order is by hash, so that any beginning of the file is a fair sample.
func (b *builder) examples(split string, limit int) []Example {
	var out []Example
	add := func(list []filled) {
		for _, f := range list {
			out = append(out, f.example(b.Language))
			if split == document.Train {
				b.asked[f.template.Name+"\x00"+f.ask] = true
				b.report.Templates[f.template.Name]++
			}
		}
	}
	rest := float64(limit) * (1 - arithmeticShare)
	for _, p := range b.pools {
		documents, total := p.train, 0
		if split == document.HeldOut {
			documents = p.heldOut
		}
		for _, t := range p.templates.Templates {
			total += t.Weight
		}
		for k := range p.templates.Templates {
			t := &p.templates.Templates[k]
			quota := int(math.Ceil(rest * p.weight * float64(t.Weight) / float64(total)))
			add(b.draw(t, documents, quota, b.notTrained(split, t)))
		}
	}
	sums := int(min(float64(limit)*arithmeticShare, max(float64(len(out))/3, 200)))
	total := 0
	for _, t := range b.arithmet.Templates {
		total += t.Weight
	}
	for k := range b.arithmet.Templates {
		t := &b.arithmet.Templates[k]
		add(b.drawArithmetic(t, sums*t.Weight/total, split))
	}
	sort.Slice(out, func(i, j int) bool {
		x, y := mix(b.Seed, "order", out[i].ID), mix(b.Seed, "order", out[j].ID)
		return x < y || x == y && out[i].ID < out[j].ID
	})
	return out[:min(len(out), limit)]
}

// notTrained skips what the training examples ask already.
func (b *builder) notTrained(split string, t *Template) func(filled) bool {
	if split == document.Train {
		return nil
	}
	return func(f filled) bool {
		if b.asked[t.Name+"\x00"+f.ask] {
			b.report.Unused[unusedTrained]++
			return true
		}
		return false
	}
}

func (f filled) example(language string) Example {
	e := Example{ID: f.id("train"), Document: f.document, Template: f.template.Name, Task: f.template.Tasks[0], Messages: f.conversation(), Answer: f.answer}
	if len(f.template.Labels) > 0 && f.template.Call == "" {
		e.Choices = f.template.Labels
	}
	if f.template.Call != "" {
		e.Tools = Tools(language)
	}
	return e
}

// questions makes the three sets to measure with, each at most limit long.
func (b *builder) questions(limit int) []Question {
	var out []Question
	for _, task := range []string{TaskChoice, TaskExact, TaskTool} {
		list := b.task(task, limit)
		chance(list)
		b.count(task, list)
		out = append(out, list...)
	}
	return out
}

func (b *builder) agentQuestions(limit int) []Question {
	if limit == 0 {
		return nil
	}
	list := b.task(TaskAgent, limit)
	b.count(TaskAgent, list)
	return list
}

func (b *builder) count(task string, list []Question) {
	counts := map[string]int{}
	sum := 0.0
	for _, q := range list {
		counts[q.Template]++
		sum += q.Chance
	}
	b.report.Questions[task] = counts
	if len(list) > 0 {
		b.report.Chance[task] = math.Round(sum/float64(len(list))*1e4) / 1e4
	} else {
		b.note("no %s questions: no held-out document fits a template", task)
	}
}

// task makes the questions of one task from the held-out documents; a quarter
// of those that call tools are sums.
func (b *builder) task(task string, limit int) []Question {
	var out []Question
	rest := limit
	calls := task == TaskTool || task == TaskAgent
	if calls {
		rest = limit * 3 / 4
	}
	for _, p := range b.pools {
		want := task
		if task == TaskAgent && !b.any(p, TaskAgent) {
			want = TaskTool // no short answers here: whole sentences then
		}
		total := 0
		for _, t := range p.templates.Templates {
			if t.is(want) {
				total += t.Weight
			}
		}
		for k := range p.templates.Templates {
			t := &p.templates.Templates[k]
			if !t.is(want) {
				continue
			}
			quota := int(math.Round(float64(rest) * p.weight * float64(t.Weight) / float64(total)))
			for _, f := range even(t, b.draw(t, p.heldOut, quota, b.notTrained(document.HeldOut, t))) {
				if q, ok := b.question(f, task, p, len(out)); ok {
					out = append(out, q)
				}
			}
		}
	}
	if calls {
		sums, total := min(limit-limit*3/4, max(len(out), 20)), 0
		for _, t := range b.arithmet.Templates {
			if t.is(task) {
				total += t.Weight
			}
		}
		for k := range b.arithmet.Templates {
			if t := &b.arithmet.Templates[k]; t.is(task) {
				for _, f := range b.drawArithmetic(t, (sums*t.Weight+total-1)/total, document.HeldOut) {
					q, _ := b.question(f, task, nil, 0)
					out = append(out, q)
				}
			}
		}
		out = out[:min(len(out), limit)]
	}
	sort.Slice(out, func(i, j int) bool {
		x, y := mix(b.Seed, "order", out[i].ID), mix(b.Seed, "order", out[j].ID)
		return x < y || x == y && out[i].ID < out[j].ID
	})
	return out
}

// even leaves out answers that occur more often than the second most frequent
// label: where a few documents have many sentences and one heading each, saying
// "sentence" every time must not earn much.
func even(t *Template, list []filled) []filled {
	if len(t.Labels) == 0 {
		return list
	}
	counts := map[string]int{}
	for _, f := range list {
		counts[f.label]++
	}
	sizes := slices.Sorted(maps.Values(counts))
	if len(sizes) < 2 {
		return list
	}
	most := sizes[len(sizes)-2]
	var out []filled
	taken := map[string]int{}
	for _, f := range list {
		if taken[f.label]++; taken[f.label] <= most {
			out = append(out, f)
		}
	}
	return out
}

// any says whether some held-out document fits a template of the task.
func (b *builder) any(p *pool, task string) bool {
	for k := range p.templates.Templates {
		if t := &p.templates.Templates[k]; t.is(task) && len(b.draw(t, p.heldOut, 1, nil)) > 0 {
			return true
		}
	}
	return false
}

func (b *builder) question(f filled, task string, p *pool, place int) (Question, bool) {
	q := Question{ID: f.id(task), Document: f.document, Template: f.template.Name, Task: task, Messages: []chat.Message{chat.UserMessage(f.ask)}, Answer: f.answer}
	switch task {
	case TaskChoice:
		wrong := f.template.Labels
		if len(wrong) == 0 {
			wrong = b.others(p, f)
		}
		q.Choices, q.AnswerIndex = spread(f.answer, wrong, place)
		if len(q.Choices) < 2 {
			b.report.Unused[unusedChoices]++
			return q, false
		}
	case TaskTool, TaskAgent:
		call := f.call()
		q.Call = &call
		q.Tools = Tools(b.Language)
	}
	return q, true
}

// others are three values of the same fact in other documents.
func (b *builder) others(p *pool, f filled) []string {
	fact := f.template.Choices
	values, ok := b.values[fact]
	if !ok {
		seen := map[string]bool{}
		for _, list := range [][]int{p.heldOut, p.train} {
			for _, i := range list[:min(len(list), 2000)] {
				for _, view := range b.factsOf(i)[:min(1, len(b.factsOf(i)))] {
					if v := view[fact]; v != "" && !seen[v] {
						seen[v] = true
						values = append(values, v)
					}
				}
			}
		}
		b.values[fact] = values
	}
	var out []string
	start := mix(b.Seed, "choices", f.id(fact))
	for k := range values {
		v := values[(start+uint64(k)*7919)%uint64(len(values))]
		if v != f.answer && !contains(out, v) {
			if out = append(out, v); len(out) == 3 {
				break
			}
		}
	}
	return out
}

// spread puts the right answer at a position that goes round with the
// question's place, so that no position is right more often.
func spread(right string, all []string, place int) ([]string, int) {
	var wrong []string
	for _, s := range all {
		if s != right {
			wrong = append(wrong, s)
		}
	}
	at := place % (len(wrong) + 1)
	choices := append(append(append([]string{}, wrong[:at]...), right), wrong[at:]...)
	return choices, at
}

// chance says for each question what guessing earns: one in the number of
// choices, or always giving the most frequent answer (or call) of its template,
// whichever is more. An answer that occurs once earns nothing.
func chance(list []Question) {
	answer := func(q *Question) [2]string {
		if q.Task == TaskTool {
			return [2]string{q.Template, string(q.Call.Arguments)}
		}
		return [2]string{q.Template, q.Answer}
	}
	answers, sizes, most := map[[2]string]int{}, map[string]int{}, map[string]int{}
	for i := range list {
		k := answer(&list[i])
		answers[k]++
		sizes[k[0]]++
		most[k[0]] = max(most[k[0]], answers[k])
	}
	for i := range list {
		q := &list[i]
		if n := most[q.Template]; n > 1 {
			q.Chance = float64(n) / float64(sizes[q.Template])
		}
		if len(q.Choices) > 0 {
			q.Chance = max(q.Chance, 1/float64(len(q.Choices)))
		}
		q.Chance = math.Round(q.Chance*1e4) / 1e4
	}
}
