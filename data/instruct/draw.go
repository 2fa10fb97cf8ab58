package instruct

import (
	"encoding/json"
	"sort"
	"strconv"
	"strings"

	"lian/chat"
	"lian/data/document"
	"lian/index"
)

// filled is a template with a document's facts in it.
type filled struct {
	template  *Template
	document  string
	view      int
	ask       string
	answer    string
	label     string // which of the template's labels is right: the answer, or the argument
	arguments json.RawMessage
	result    string // of the tool
}

const (
	longestAsk    = 480 // bytes
	longestAnswer = 480
)

// fillIn makes one view of a document into a question and its answer.
func (b *builder) fillIn(t *Template, id string, view int, facts Facts) (filled, bool) {
	f := filled{template: t, document: id, view: view}
	var ok bool
	if f.ask, ok = fill(t.Ask, facts); !ok || len(f.ask) > longestAsk {
		return f, false
	}
	if t.Call != "" {
		arguments := map[string]string{}
		for name, text := range t.Arguments {
			if arguments[name], ok = fill(text, facts); !ok {
				return f, false
			}
			arguments[name] = t.label(arguments[name])
			f.label = arguments[name]
		}
		var err error
		if f.arguments, err = plainJSON(arguments); err != nil {
			return f, false
		}
		switch t.Call {
		case "search":
			f.result = index.Format(b.search.Search(arguments["query"], 1))
			found, _, _ := strings.Cut(f.result, "\n")
			if f.result == index.NoHits && b.Language == document.Chinese {
				found = "没有找到"
			}
			facts = with(facts, "found", found)
		case "calculate":
			f.result = facts["result"]
		}
	}
	if f.answer, ok = fill(t.Answer, facts); !ok || len(f.answer) > longestAnswer {
		return f, false
	}
	f.answer = t.label(f.answer)
	if t.Call == "" {
		f.label = f.answer
	}
	if len(t.Labels) > 0 && !contains(t.Labels, f.label) {
		return f, false
	}
	// Of a kind there may be nothing to find; that is then the answer.
	nothing := f.result == index.NoHits && len(t.Labels) > 0
	if t.Call != "" && !nothing && (!holds(f.result, f.answer) || f.result == index.NoHits) {
		b.report.Unused[unusedNotFound]++
		return f, false
	}
	return f, true
}

func plainJSON(v any) (json.RawMessage, error) {
	var buffer strings.Builder
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return json.RawMessage(strings.TrimSpace(buffer.String())), err
}

// holds: the answer stands in the result, but for blanks and line ends.
func holds(result, answer string) bool {
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	return strings.Contains(squeeze(result), squeeze(answer))
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// rounds of drawing: one view of each document a round.
const rounds = 8

// draw fills a template from documents in an order that the seed decides, one
// view of each before a second of any, labels in equal numbers, no question
// twice, until there are enough. skip says which questions not to take.
func (b *builder) draw(t *Template, documents []int, quota int, skip func(filled) bool) []filled {
	order := append([]int(nil), documents...)
	keys := make(map[int]uint64, len(order))
	for _, i := range order {
		keys[i] = mix(b.Seed, t.Name, b.documents[i].ID)
	}
	sort.Slice(order, func(x, y int) bool {
		return keys[order[x]] < keys[order[y]] || keys[order[x]] == keys[order[y]] && order[x] < order[y]
	})
	var out []filled
	seen := map[string]bool{}
	labels := map[string]int{}
	perLabel := quota
	if n := len(t.Labels); n > 0 {
		perLabel = (quota + n - 1) / n
	}
	for round := range rounds {
		for _, i := range order {
			if len(out) >= quota {
				return out
			}
			views := b.factsOf(i)
			if round >= len(views) {
				continue
			}
			view := round // the question is the same for all views: the first is told best
			if t.asksAbout("sentence", "couplet", "part", "opening", "line") {
				view = (int(keys[i]%uint64(len(views))) + round) % len(views)
			}
			f, ok := b.fillIn(t, b.documents[i].ID, view, views[view])
			heldOut := b.documents[i].Split == document.HeldOut
			again := seen[f.ask] && (!t.Sides || heldOut) // combinations are few, and learnt by repetition
			if !ok || t.Sides && heldOutSide(f.ask) != heldOut || again || len(t.Labels) > 0 && labels[f.label] >= perLabel || skip != nil && skip(f) {
				continue
			}
			seen[f.ask] = true
			labels[f.label]++
			out = append(out, f)
		}
	}
	return out
}

// heldOutSide says by a hash whether a combination belongs to the held-out side.
func heldOutSide(question string) bool { return mix(0, "side", question)%5 == 0 }

// drawArithmetic fills an arithmetic template.
func (b *builder) drawArithmetic(t *Template, quota int, split string) []filled {
	var out []filled
	for k, facts := range expressions(quota, mix(b.Seed, t.Name, split), split == document.HeldOut) {
		if f, ok := b.fillIn(t, "", k, facts); ok {
			out = append(out, f)
		}
	}
	return out
}

func (f filled) id(task string) string {
	name := f.template.Name + "/" + task
	if f.document == "" {
		return name + "/" + strconv.Itoa(f.view)
	}
	return name + "/" + f.document + "/" + strconv.Itoa(f.view)
}

// conversation is what the model is to learn: the question, for tools the call
// and its result, the answer.
func (f filled) conversation() []chat.Message {
	messages := []chat.Message{chat.UserMessage(f.ask)}
	if f.template.Call != "" {
		call := f.call()
		messages = append(messages,
			chat.Message{Role: chat.RoleAssistant, ToolCalls: []chat.ToolCall{call}},
			chat.ToolMessage(call, f.result))
	}
	return append(messages, chat.AssistantMessage(f.answer))
}

func (f filled) call() chat.ToolCall {
	return chat.ToolCall{ID: "call_1", Name: f.template.Call, Arguments: f.arguments}
}
