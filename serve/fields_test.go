package serve_test

import (
	"context"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"lian/engine"
	"lian/serve"
	"lian/serve/servetest"
)

// listening notes the requests that reach the engine.
type listening struct {
	*servetest.Fake
	heard *[]engine.Request
}

func (l listening) Generate(ctx context.Context, r engine.Request) (serve.Stream, error) {
	*l.heard = append(*l.heard, r)
	return l.Fake.Generate(ctx, r)
}

// TestTheFieldsOfOtherServersReachTheSampler: under llama.cpp's and vLLM's names, with their special values, and with the house's
// defaults where they leave something open.
func TestTheFieldsOfOtherServersReachTheSampler(t *testing.T) {
	var heard []engine.Request
	url := openGenerator(t, listening{&servetest.Fake{Name: "fake"}, &heard})
	ask := func(body string) engine.Request {
		t.Helper()
		heard = nil
		status, header, answer := post(t, url+"/v1/completions", `{"prompt":"x","max_tokens":2,`+body+`}`)
		if status != 200 || header.Get("Lian-Ignored") != "" || len(heard) == 0 {
			t.Fatalf("%s: %d %s, ignored %q", body, status, answer, header.Get("Lian-Ignored"))
		}
		return heard[0]
	}
	p := ask(`"top_k":-1,"min_p":0.1,"typical":0.9,"top_n_sigma":-1,"xtc_probability":0.5,"dry_multiplier":0.8,"dry_penalty_last_n":-1,"dry_sequence_breakers":["。"],
		"mirostat":2,"repeat_penalty":1.2,"repeat_last_n":64,"no_repeat_ngram_size":3,"bad_words":["海"],"min_tokens":1,"seed":7`).Sample
	for what, right := range map[string]bool{
		"top_k": p.TopK == 0, "min_p": p.MinP == 0.1, "typical_p": p.TypicalP == 0.9, "top_n_sigma": p.TopNSigma == 0,
		"xtc_probability": p.XTCProbability == 0.5, "xtc_threshold's default": p.XTCThreshold == 0.1, "dry_base's default": p.DRYBase == 1.75,
		"dry_multiplier": p.DRYMultiplier == 0.8, "dry_last_n": p.DRYLastN == 0, "dry_breakers": reflect.DeepEqual(p.DRYBreakers, []string{"。"}),
		"mirostat": p.Mirostat == 2 && p.MirostatTau == 5, "repetition_penalty": p.RepetitionPenalty == 1.2, "repeat_last_n": p.RepeatLastN == 64,
		"no_repeat_ngram": p.NoRepeatNGram == 3, "bad_words": reflect.DeepEqual(p.BadWords, []string{"海"}), "min_tokens": p.MinTokens == 1,
		"seed": p.Seed == 7, "temperature": p.Temperature == 1, "top_p": p.TopP == 1,
	} {
		if !right {
			t.Errorf("%s did not arrive: %+v", what, p)
		}
	}
	if p := ask(`"repeat_last_n":0,"repeat_penalty":1.3,"presence_penalty":1`).Sample; p.RepetitionPenalty != 1 || p.PresencePenalty != 0 {
		t.Errorf("repeat_last_n 0 leaves penalties on: %+v", p)
	}
	if p := ask(`"samplers":["top_k","temperature"]`).Sample; !reflect.DeepEqual(p.Order, []string{"top_k", "temperature"}) {
		t.Errorf("order %v", p.Order)
	}
	if a, b := ask(`"seed":-1`).Sample.Seed, ask(`"seed":-1`).Sample.Seed; a == b {
		t.Errorf("seed −1 drew %d twice", a)
	}
	if r := ask(`"stop_token_ids":[5,6]`); !reflect.DeepEqual(r.StopIDs, []int32{256, 5, 6}) {
		t.Errorf("stop ids %v", r.StopIDs)
	}
	if r := ask(`"stop_token_ids":[5],"ignore_eos":true`); !reflect.DeepEqual(r.StopIDs, []int32{5}) {
		t.Errorf("stop ids %v", r.StopIDs)
	}
}

// TestEveryWayToAskForAStructureHoldsTheReply.
func TestEveryWayToAskForAStructureHoldsTheReply(t *testing.T) {
	url := open(t, &servetest.Fake{}, serve.Options{})
	schema := `{"type":"object","properties":{"a":{"enum":[1]}},"required":["a"],"additionalProperties":false}`
	quoted, _ := json.Marshal(schema)
	for body, want := range map[string]string{
		`"guided_json":` + schema: `{"a":1}`, `"guided_json":` + string(quoted): `{"a":1}`, `"json_schema":` + schema: `{"a":1}`,
		`"guided_regex":"ab{3}"`: "abbb", `"guided_choice":["从前有座山"]`: "从前有座山", `"guided_grammar":"root ::= \"x\" \"y\""`: "xy", `"grammar":"root ::= \"x\""`: "x",
		`"structured_outputs":{"json":` + schema + `}`: `{"a":1}`, `"structured_outputs":{"regex":"a{2}"}`: "aa", `"structured_outputs":{"choice":["yes"]}`: "yes",
		`"response_format":{"type":"json_object","schema":` + schema + `}`: `{"a":1}`, `"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":` + schema + `}}`: `{"a":1}`,
	} {
		for path, ask := range map[string]string{"completions": `"prompt":"x"`, "chat/completions": `"messages":[{"role":"user","content":"x"}]`} {
			status, _, answer := post(t, url+"/v1/"+path, `{`+ask+`,"max_tokens":64,`+body+`}`)
			got := struct {
				Choices []struct {
					Text    string
					Message struct{ Content string }
				}
			}{}
			if err := json.Unmarshal([]byte(answer), &got); err != nil || status != 200 || strings.ReplaceAll(got.Choices[0].Text+got.Choices[0].Message.Content, " ", "") != want {
				t.Errorf("%s %s: %d %s, expected %s", path, body, status, answer, want)
			}
		}
	}
}

type textAnswer struct {
	Choices []struct {
		Index    int
		Text     string
		Finish   string `json:"finish_reason"`
		LogProbs *struct {
			Tokens   []string
			LogProbs []*float32 `json:"token_logprobs"`
			Offsets  []int      `json:"text_offset"`
		}
	}
	Usage struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
		Details    struct {
			Cached int `json:"cached_tokens"`
		} `json:"prompt_tokens_details"`
	}
}

func askText(t *testing.T, url, body string) (a textAnswer) {
	t.Helper()
	status, _, answer := post(t, url+"/v1/completions", body)
	if err := json.Unmarshal([]byte(answer), &a); err != nil || status != 200 {
		t.Fatalf("%s: %d %s", body, status, answer)
	}
	return a
}

// TestAnEchoedPromptComesBeforeTheReply: as text, with its log-probabilities, alone, and in a stream.
func TestAnEchoedPromptComesBeforeTheReply(t *testing.T) {
	url := open(t, &servetest.Fake{Script: func(string) string { return "hello" }}, serve.Options{})
	a := askText(t, url, `{"prompt":["山a","b"],"n":2,"max_tokens":8,"echo":true,"logprobs":1}`)
	if len(a.Choices) != 4 || a.Usage.Details.Cached != 2 || a.Usage.Prompt != 5 {
		t.Fatalf("%+v", a)
	}
	for i, c := range a.Choices {
		prompt, first := "山a", 4
		if i >= 2 {
			prompt, first = "b", 1
		}
		l := c.LogProbs
		if !strings.HasPrefix(c.Text, prompt+"h") || len(l.Tokens) <= first || l.LogProbs[0] != nil || l.Offsets[first] != len([]rune(prompt)) {
			t.Errorf("choice %d: %q, %+v", i, c.Text, l)
		}
		if i < 2 && (*l.LogProbs[3] != -3.0/8 || l.Offsets[1] != 0 || l.Offsets[3] != 1 || l.Tokens[3] != "a") {
			t.Errorf("choice %d: log-probabilities of the prompt %+v", i, l)
		}
	}
	if c := askText(t, url, `{"prompt":"山a","max_tokens":0,"echo":true,"logprobs":0}`).Choices[0]; c.Text != "山a" || len(c.LogProbs.Tokens) != 4 || c.Finish != "length" {
		t.Errorf("the prompt alone: %+v", c)
	}
	if c := askText(t, url, `{"prompt":[229,177,177],"max_tokens":1,"echo":true}`).Choices[0]; !strings.HasPrefix(c.Text, "山") {
		t.Errorf("the prompt as ids: %+v", c)
	}
	_, _, body := post(t, url+"/v1/completions", `{"prompt":"山a","max_tokens":8,"echo":true,"stream":true}`)
	text := ""
	for _, chunk := range chunks(t, body) {
		text += chunk["choices"].([]any)[0].(map[string]any)["text"].(string)
	}
	if text != "山ahello" {
		t.Errorf("streamed %q", text)
	}
}

// TestTheBestOfSeveralRepliesAreGiven: those that are likeliest on the average, and all are paid for.
func TestTheBestOfSeveralRepliesAreGiven(t *testing.T) {
	url := open(t, &servetest.Fake{}, serve.Options{})
	mean := func(text string, l []*float32) float64 {
		sum := 0.0
		for _, p := range l {
			sum += float64(*p)
		}
		return sum / math.Max(float64(len(l)), 1)
	}
	all := askText(t, url, `{"prompt":"x","n":6,"seed":3,"max_tokens":5,"logprobs":0}`)
	best := askText(t, url, `{"prompt":"x","n":2,"best_of":6,"seed":3,"max_tokens":5,"logprobs":0}`)
	if len(best.Choices) != 2 || best.Usage.Completion != all.Usage.Completion {
		t.Fatalf("%+v of %+v", best, all)
	}
	last := math.Inf(1)
	for _, c := range best.Choices {
		score := mean(c.Text, c.LogProbs.LogProbs)
		better := 0
		for _, other := range all.Choices {
			if mean(other.Text, other.LogProbs.LogProbs) > score {
				better++
			}
		}
		if better > 1 || score > last {
			t.Errorf("%d replies are better than choice %d (%v)", better, c.Index, score)
		}
		last = score
	}
}

func TestEmbeddingsAndRerankAnswerAsOthersDo(t *testing.T) {
	url := open(t, &servetest.Fake{}, serve.Options{})
	for body, want := range map[string]string{
		`{"input":"hello","model":"fake"}`:                          `"embedding":[5,104,1,1],"index":0`,
		`{"input":["a","bc"],"normalize":false,"pooling":"mean"}`:   `"embedding":[2,98,0,0],"index":1`,
		`{"input":[[1,2,3],[4]],"dimensions":2}`:                    `"embedding":[3,1],"index":0`,
		`{"input":[7,8],"dimensions":1,"encoding_format":"base64"}`: `"embedding":"AAAAQA==","index":0`,
		`{"input":"山","user":"u"}`:                                  `"usage":{"prompt_tokens":3,"total_tokens":3}`,
	} {
		status, _, answer := post(t, url+"/v1/embeddings", body)
		if status != 200 || !strings.Contains(sorted(t, answer), want) {
			t.Errorf("%s: %d %s, expected %s", body, status, sorted(t, answer), want)
		}
	}
	for path, body := range map[string]string{"/v1/rerank": `{"query":"山","documents":["x","山山","山"],"top_n":2}`, "/v2/rerank": `{"query":"山","documents":[{"text":"x"},{"text":"山山"},{"text":"山"}],"top_n":2}`} {
		status, _, answer := post(t, url+path, body)
		if want := `"results":[{"document":{"text":"山山"},"index":1,"relevance_score":2},{"document":{"text":"山"},"index":2,"relevance_score":1}]`; status != 200 || !strings.Contains(sorted(t, answer), want) {
			t.Errorf("%s: %d %s, expected %s", path, status, sorted(t, answer), want)
		}
	}
	if _, _, answer := post(t, url+"/rerank", `{"query":"a","documents":["b"],"return_documents":false}`); strings.Contains(answer, "document\"") {
		t.Errorf("documents were not asked for: %s", answer)
	}
}

// sorted is JSON with its fields in order of name.
func sorted(t *testing.T, text string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
