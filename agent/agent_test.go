package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"lian/agent"
	"lian/agent/tools"
	"lian/chat"
	"lian/event"
	"lian/index"
)

// script is a model whose replies, in the default dialect, are known.
type script struct {
	replies []string
	asked   [][]chat.Message
	tools   []chat.Tool
	fail    error
}

func (s *script) Reply(ctx context.Context, messages []chat.Message, offered []chat.Tool, constrained bool) (chat.Message, error) {
	s.asked = append(s.asked, append([]chat.Message(nil), messages...))
	s.tools = offered
	if len(s.asked) > len(s.replies) {
		return chat.Message{}, s.fail
	}
	return chat.DialectOf("").Parse(s.replies[len(s.asked)-1], chat.ParserOptions{})
}

func call(name, arguments string) string {
	return fmt.Sprintf("<tool_call>\n{\"name\": %q, \"arguments\": %s}\n</tool_call>", name, arguments)
}

func definition(name, argument string) chat.Tool {
	return chat.Tool{Name: name, Description: "查找", Parameters: json.RawMessage(fmt.Sprintf(
		`{"type":"object","properties":{%q:{"type":"string"}},"required":[%q],"additionalProperties":false}`, argument, argument))}
}

func both(t *testing.T) []agent.Tool {
	t.Helper()
	x := index.New([]index.Document{
		{ID: "1", Title: "静夜思", Text: "静夜思\n李白\n床前明月光，疑是地上霜。"},
		{ID: "2", Title: "春晓", Text: "春晓\n孟浩然\n春眠不觉晓。", Source: "诗.txt"},
	})
	list, err := tools.New([]chat.Tool{definition("search", "query"), definition("calculate", "expression")}, x)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func ask(text string) []chat.Message { return []chat.Message{chat.UserMessage(text)} }

func TestTheModelUsesToolsUntilItAnswers(t *testing.T) {
	var kinds []string
	model := &script{replies: []string{
		"我来查。\n" + call("search", `{"query": "春晓"}`) + "\n" + call("calculate", `{"expression": "1/3+1"}`),
		"孟浩然",
	}}
	got, err := agent.Run(context.Background(), model, both(t), ask("谁写了春晓？"), agent.Options{Constrained: true,
		Events: event.Func(func(kind string, payload any) { kinds = append(kinds, kind) })})
	if err != nil {
		t.Fatal(err)
	}
	if got.Answer != "孟浩然" || got.Finish != agent.FinishAnswer || got.Counts != (agent.Counts{Replies: 2, Calls: 2}) {
		t.Errorf("answer %q, finish %s, counts %+v", got.Answer, got.Finish, got.Counts)
	}
	second := model.asked[1]
	if len(second) != 4 || second[2].Content != "诗.txt\n春晓\n孟浩然\n春眠不觉晓。" || second[3].Content != "4/3 (about 1.333333333333)" ||
		second[2].ToolCallID != second[1].ToolCalls[0].ID || second[2].ToolCallID == second[3].ToolCallID {
		t.Errorf("the model was shown %+v", second)
	}
	if want := "agent.reply agent.result agent.result agent.reply agent.end"; strings.Join(kinds, " ") != want {
		t.Errorf("events %v, expected %s", kinds, want)
	}
	if text := got.Text("zh"); !strings.Contains(text, "调用: search {\"query\": \"春晓\"}") || !strings.Contains(text, "回答: 孟浩然") {
		t.Errorf("transcript:\n%s", text)
	}
	data, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var again agent.Transcript
	if err := json.Unmarshal(data, &again); err != nil || again.Text("en") != got.Text("en") || len(again.Messages) != len(got.Messages) {
		t.Errorf("transcript does not survive JSON: %v\n%s", err, data)
	}
}

func TestWrongCallsGoBackToTheModel(t *testing.T) {
	for _, c := range []struct{ why, reply, told string }{
		{"broken JSON", "<tool_call>{'name'}</tool_call>", "not a JSON object"},
		{"no such tool", call("天气", `{}`), "there is no tool \"天气\"; the tools are: search, calculate"},
		{"missing argument", call("search", `{}`), "query"},
		{"argument of the wrong type", call("search", `{"query": 5}`), "string"},
		{"argument that is not known", call("search", `{"query": "a", "x": 1}`), "x"},
		{"no object", call("search", `["a"]`), "not a JSON object"},
	} {
		model := &script{replies: []string{c.reply, "好"}}
		got, err := agent.Run(context.Background(), model, both(t), ask("?"), agent.Options{})
		if err != nil {
			t.Fatal(err)
		}
		last := model.asked[1][len(model.asked[1])-1]
		if got.Counts.Malformed != 1 || got.Counts.Calls != 1 || got.Answer != "好" || last.Role != chat.RoleTool || !strings.Contains(last.Content, c.told) {
			t.Errorf("%s: counts %+v, the model was told %q, expected %q", c.why, got.Counts, last.Content, c.told)
		}
		data, _ := json.Marshal(got)
		var again agent.Transcript
		if err := json.Unmarshal(data, &again); err != nil {
			t.Errorf("%s: transcript: %v", c.why, err)
		}
	}
}

type breaks struct{}

func (breaks) Definition() chat.Tool { return chat.Tool{Name: "breaks"} }
func (breaks) Call(ctx context.Context, arguments json.RawMessage) (string, error) {
	switch string(arguments) {
	case `{"how":"panic"}`:
		panic("坏了")
	case `{"how":"wait"}`:
		<-ctx.Done()
		return "", ctx.Err()
	case `{"how":"long"}`:
		return strings.Repeat("长", 1000), nil
	}
	return "", errors.New("没有网络")
}

func TestAToolThatFailsDoesNotEndTheRun(t *testing.T) {
	for how, told := range map[string]string{"panic": "坏了", "wait": "deadline", "error": "没有网络"} {
		model := &script{replies: []string{call("breaks", `{"how":"`+how+`"}`), "好"}}
		got, err := agent.Run(context.Background(), model, []agent.Tool{breaks{}}, ask("?"), agent.Options{Timeout: 10 * time.Millisecond})
		if err != nil || got.Counts.ToolErrors != 1 || got.Answer != "好" || !strings.Contains(got.Messages[2].Content, told) {
			t.Errorf("%s: %v, counts %+v, messages %+v", how, err, got.Counts, got.Messages)
		}
	}
}

func TestALongResultSaysWhatIsMissing(t *testing.T) {
	model := &script{replies: []string{call("breaks", `{"how":"long"}`), "好"}}
	got, err := agent.Run(context.Background(), model, []agent.Tool{breaks{}}, ask("?"), agent.Options{MaxResult: 100})
	if err != nil || got.Messages[2].Content != strings.Repeat("长", 33)+"\n[2901 more bytes]" {
		t.Errorf("%v, %q", err, got.Messages[2].Content)
	}
}

func TestTheLoopEnds(t *testing.T) {
	same := call("search", `{"query": "诗"}`)
	again := call("search", `{ "query":"诗" }`)
	got, err := agent.Run(context.Background(), &script{replies: []string{same, again}}, both(t), ask("?"), agent.Options{})
	if err != nil || got.Finish != agent.FinishRepeated || got.Counts.Repeated != 1 || !strings.Contains(got.Reason, "again") {
		t.Errorf("repeated: %v, %s, %s", err, got.Finish, got.Reason)
	}
	var replies []string
	for i := range 9 {
		replies = append(replies, call("search", fmt.Sprintf(`{"query": "诗 %d"}`, i)))
	}
	got, err = agent.Run(context.Background(), &script{replies: replies}, both(t), ask("?"), agent.Options{MaxSteps: 3})
	if err != nil || got.Finish != agent.FinishSteps || got.Counts.Replies != 3 || got.Answer != "" {
		t.Errorf("steps: %v, %s, %+v", err, got.Finish, got.Counts)
	}
	wrong := errors.New("模型坏了")
	got, err = agent.Run(context.Background(), &script{replies: replies[:1], fail: wrong}, both(t), ask("?"), agent.Options{})
	if !errors.Is(err, wrong) || got.Finish != agent.FinishError || len(got.Messages) != 3 {
		t.Errorf("failing model: %v, %s, %d messages", err, got.Finish, len(got.Messages))
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := agent.Run(ctx, &script{replies: replies}, both(t), ask("?"), agent.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestToolsMustBeSound(t *testing.T) {
	twice := append(both(t), both(t)[0])
	if _, err := agent.Run(context.Background(), &script{}, twice, ask("?"), agent.Options{}); err == nil || !strings.Contains(err.Error(), "two tools are called search") {
		t.Errorf("two of a name: %v", err)
	}
	bad := tools.Calculate(chat.Tool{Name: "x", Parameters: json.RawMessage(`{"type": 5}`)})
	if _, err := agent.Run(context.Background(), &script{}, []agent.Tool{bad}, ask("?"), agent.Options{}); err == nil || !strings.Contains(err.Error(), "tool x: parameters") {
		t.Errorf("bad schema: %v", err)
	}
}

// knows answers by itself to one question and calls a tool for the others.
type knows struct{ lock sync.Mutex }

func (k *knows) Reply(ctx context.Context, messages []chat.Message, offered []chat.Tool, constrained bool) (chat.Message, error) {
	k.lock.Lock()
	defer k.lock.Unlock()
	last := messages[len(messages)-1]
	switch {
	case last.Role == chat.RoleTool:
		return chat.AssistantMessage(last.Content + "。"), nil
	case last.Content == "1+1":
		return chat.AssistantMessage(" “２” "), nil
	case last.Content == "坏":
		return chat.Message{}, errors.New("没有模型")
	case len(offered) == 0:
		return chat.AssistantMessage("不知道"), nil
	}
	return chat.DialectOf("").Parse(call("calculate", fmt.Sprintf(`{"expression": %q}`, last.Content)), chat.ParserOptions{})
}

func TestSuccessIsCountedWithAndWithoutTools(t *testing.T) {
	questions := []agent.Question{
		{ID: "a", Messages: ask("1+1"), Answer: "2"}, {ID: "b", Messages: ask("123*456"), Answer: "56088"},
		{ID: "c", Messages: ask("坏"), Answer: "x"}, {ID: "d", Messages: ask("7-9"), Answer: "2"},
	}
	for _, parallel := range []int{1, 3} {
		e := agent.Evaluation{Parallel: parallel}
		with, err := agent.Evaluate(context.Background(), &knows{}, questions, both(t)[1:], e)
		if err != nil {
			t.Fatal(err)
		}
		without, err := agent.Evaluate(context.Background(), &knows{}, questions, nil, e)
		if err != nil {
			t.Fatal(err)
		}
		if with.Correct != 2 || with.Answered != 3 || with.Failed != 1 || with.Rate() != 0.5 || with.WellFormed() != 1 || with.Counts.Calls != 2 {
			t.Errorf("with tools: %+v", with)
		}
		if without.Correct != 1 || without.Counts.Calls != 0 || len(without.Tools) != 0 {
			t.Errorf("without tools: %+v", without)
		}
		for i, o := range with.Outcomes {
			if o.ID != questions[i].ID {
				t.Errorf("outcome %d is of question %s", i, o.ID)
			}
		}
	}
}
