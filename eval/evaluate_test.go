package eval

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"lian/chat"
	"lian/compute/ref"
	"lian/data/instruct"
	"lian/engine"
	"lian/model/nn"
	"lian/tokenizer"
)

// tiny is a random model over bytes with the marks of Lian's template.
func tiny(t *testing.T, seed uint64) Model {
	t.Helper()
	d := tokenizer.Definition{Tokens: tokenizer.Alphabet()}
	for i, text := range []string{"<|endoftext|>", "<|im_start|>", "<|im_end|>"} {
		d.Tokens = append(d.Tokens, text)
		d.Added = append(d.Added, tokenizer.Added{ID: int32(256 + i), Text: text, Special: true})
	}
	tok, err := tokenizer.New(d)
	if err != nil {
		t.Fatal(err)
	}
	b := ref.New()
	m, err := nn.Initialise(b, nn.Spec{Family: "llama", Vocab: 288, Hidden: 16, Layers: 1, Context: 512, Norm: nn.Norm{Epsilon: 1e-5}, TiedEmbedding: true, Block: nn.Block{
		Attention:   nn.Attention{Heads: 2, KVHeads: 1, HeadSize: 8, RoPE: nn.RoPE{Theta: 10000, Rotary: 8}},
		FeedForward: nn.FeedForward{Hidden: 16}}}, seed, 0.3)
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(b, m, tok, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	tpl, err := chat.BuiltIn("lian")
	if err != nil {
		t.Fatal(err)
	}
	return Model{Name: "tiny", Engine: e, Template: tpl, Stop: chat.StopIDs(tok, tpl)}
}

func questions() []instruct.Question {
	tools := []chat.Tool{{Name: "search", Parameters: json.RawMessage(`{"type":"object","properties":{"query":{"enum":["甲","b"]}},"required":["query"],"additionalProperties":false}`)}}
	return []instruct.Question{
		{ID: "1", Task: instruct.TaskChoice, Messages: []chat.Message{chat.UserMessage("五言还是七言？")}, Choices: []string{"五言", "七言"}, AnswerIndex: 1, Chance: .5},
		{ID: "2", Task: instruct.TaskExact, Messages: []chat.Message{chat.UserMessage("say yes")}, Answer: "yes"},
		{ID: "3", Task: instruct.TaskTool, Messages: []chat.Message{chat.UserMessage("查找 甲")}, Tools: tools, Call: &chat.ToolCall{Name: "search", Arguments: json.RawMessage(`{"query":"甲"}`)}},
		{ID: "4", Task: instruct.TaskChoice, Messages: []chat.Message{chat.UserMessage(strings.Repeat("long ", 200))}, Choices: []string{"a", "b"}, Chance: .5},
	}
}

func TestEveryQuestionIsAnsweredOrCountedAsSkipped(t *testing.T) {
	m := tiny(t, 1)
	out, err := Answer(context.Background(), m, questions(), Options{MaxTokens: 80}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(out[0].LogProbs) != 2 || out[0].Right != (out[0].LogProbs[1] > out[0].LogProbs[0]) {
		t.Errorf("choice: %+v", out[0])
	}
	if out[2].Malformed || !strings.Contains(out[2].Reply, `"name": "search"`) && !strings.Contains(out[2].Reply, `"name":"search"`) {
		t.Errorf("a constrained call is malformed: %q", out[2].Reply)
	}
	if out[3].Skipped == "" || out[3].Right {
		t.Errorf("a question longer than the context: %+v", out[3])
	}
	scores := Scores("tiny", out)
	if len(scores) != 3 || scores[0].Questions != 2 || scores[0].Skipped != 1 || scores[0].Chance != .5 {
		t.Errorf("scores: %+v", scores)
	}
}

// TestLikelihoodsAreThoseOfTheWholeReply: the sum over a reply's tokens and its end mark, as the engine scores them.
func TestLikelihoodsAreThoseOfTheWholeReply(t *testing.T) {
	m := tiny(t, 2)
	conversation := []chat.Message{chat.UserMessage("hi"), chat.AssistantMessage("old"), chat.UserMessage("again")}
	got, err := m.likelihood(context.Background(), conversation, nil, []string{"new"})
	if err != nil {
		t.Fatal(err)
	}
	prompt, err := chat.Encode(m.Engine.Tokenizer, m.Template, conversation, chat.Options{AddGenerationPrompt: true})
	if err != nil {
		t.Fatal(err)
	}
	end, _ := m.Engine.Tokenizer.Special("<|im_end|>")
	ids := append(append(prompt.IDs, m.Engine.Tokenizer.Encode("new")...), end)
	want, err := m.Engine.LogProbs(context.Background(), [][]int32{ids}, []int{len(prompt.IDs)})
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(got[0]-want[0].Sum) > 1e-4 {
		t.Errorf("likelihood %v, expected %v", got[0], want[0].Sum)
	}
}

func TestOnlyEqualQuestionsArePaired(t *testing.T) {
	m := tiny(t, 1)
	a, err := Answer(context.Background(), m, questions()[:3], Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	pairs, err := Compare("a", "b", a, a)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pairs {
		if p.Significant || p.Difference != 0 || p.P != 1 {
			t.Errorf("a model against itself: %+v", p)
		}
	}
	if _, err := Compare("a", "b", a, a[1:]); err == nil {
		t.Error("other questions were paired")
	}
}
