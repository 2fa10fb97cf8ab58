package serve_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lian/serve"
	"lian/serve/servetest"
)

// open starts a server for a stand-in.
func open(t *testing.T, f *servetest.Fake, o serve.Options) string {
	t.Helper()
	if f.Name == "" {
		f.Name = "fake"
	}
	return openGenerator(t, f, o)
}

// openGenerator starts a server for a model.
func openGenerator(t *testing.T, g serve.Generator, o ...serve.Options) string {
	t.Helper()
	s, err := serve.New([]serve.Generator{g}, append(o, serve.Options{})[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s.Handler())
	t.Cleanup(h.Close)
	return h.URL
}

// post sends a body and returns status, header and answer.
func post(t *testing.T, url, body string, header ...string) (int, http.Header, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			request.Host = header[i+1]
		}
		request.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(data)
}

func TestRefusalsNameWhatIsWrong(t *testing.T) {
	url := open(t, &servetest.Fake{Context: 1000}, serve.Options{MaxBody: 4096})
	user := `"messages":[{"role":"user","content":"x"}]`
	for _, c := range []struct {
		why, path, body string
		status          int
		want            string
	}{
		{"broken JSON, third line", "chat/completions", "{\n\"model\":\"fake\",\n\"messages\":[}", 400, "line 3, column 13"},
		{"cut off", "chat/completions", `{"model":`, 400, "not JSON"},
		{"null", "chat/completions", `null`, 400, "expected a JSON object"},
		{"a list", "chat/completions", `[]`, 400, "expected"},
		{"wrong type", "chat/completions", `{` + user + `,"temperature":"hot"}`, 400, "temperature is a string, expected float32"},
		{"no messages", "chat/completions", `{"model":"fake"}`, 400, "messages is missing"},
		{"no role", "chat/completions", `{"messages":[{"content":"x"}]}`, 400, "messages[0]: role is missing"},
		{"unknown role", "chat/completions", `{"messages":[{"role":"robot","content":"x"}]}`, 400, `messages[0].role is \"robot\"`},
		{"a picture", "chat/completions", `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}]}`, 400, "reads text only"},
		{"unknown model", "chat/completions", `{"model":"other",` + user + `}`, 404, "model_not_found"},
		{"too large", "chat/completions", `{"messages":[{"role":"user","content":"` + strings.Repeat("x", 5000) + `"}]}`, 413, "larger than 4096 bytes"},
		{"misspelt", "chat/completions", `{` + user + `,"temprature":1}`, 400, "did you mean temperature?"},
		{"unsupported", "chat/completions", `{` + user + `,"functions":[{"name":"f"}]}`, 400, "functions is not supported: use tools"},
		{"too hot", "chat/completions", `{` + user + `,"temperature":9}`, 400, "temperature is 9"},
		{"n", "chat/completions", `{` + user + `,"n":99}`, 400, "n is 99, expected 1 to 16"},
		{"max_tokens", "chat/completions", `{` + user + `,"max_tokens":0}`, 400, "max_tokens is 0"},
		{"too long", "chat/completions", `{` + user + `,"max_tokens":100000}`, 400, "context_length_exceeded"},
		{"bias", "chat/completions", `{` + user + `,"logit_bias":{"x":1}}`, 400, `\"x\" is not a token id`},
		{"schema", "chat/completions", `{` + user + `,"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"nto":{}}}}}`, 400, `\"nto\": this keyword is not supported`},
		{"format", "chat/completions", `{` + user + `,"response_format":{"type":"yaml"}}`, 400, `response_format.type is \"yaml\"`},
		{"choice without tools", "chat/completions", `{` + user + `,"tool_choice":"required"}`, 400, "tools is empty"},
		{"unknown tool", "chat/completions", `{` + user + `,"tools":[{"type":"function","function":{"name":"a"}}],"tool_choice":{"type":"function","function":{"name":"b"}}}`, 400, `names \"b\"`},
		{"top without logprobs", "chat/completions", `{` + user + `,"top_logprobs":2}`, 400, "needs logprobs"},
		{"prompt_logprobs", "completions", `{"prompt":"x","prompt_logprobs":1}`, 400, "prompt_logprobs is not supported: use echo with logprobs"},
		{"echo in a stream", "completions", `{"prompt":"x","echo":true,"logprobs":0,"stream":true}`, 400, "cannot be streamed"},
		{"best_of", "completions", `{"prompt":"x","n":3,"best_of":2}`, 400, "best_of is 2, expected n, which is 3, to 16"},
		{"two names", "completions", `{"prompt":"x","repeat_penalty":1.1,"repetition_penalty":1.1}`, 400, "are one setting; give one"},
		{"mirostat 1", "completions", `{"prompt":"x","mirostat":1}`, 400, "mirostat is 1, expected 0 (off) or 2"},
		{"two constraints", "completions", `{"prompt":"x","guided_regex":"a","grammar":"root ::= \"a\""}`, 400, "a reply is held to one constraint"},
		{"a bad grammar", "completions", `{"prompt":"x","guided_grammar":"root ::= ("}`, 400, "guided_grammar: "},
		{"an unknown structure", "completions", `{"prompt":"x","structured_outputs":{"yaml":1}}`, 400, "structured_outputs: expected one of"},
		{"guided beside tools", "chat/completions", `{` + user + `,"tools":[{"type":"function","function":{"name":"a"}}],"guided_choice":["a"]}`, 400, "guided_choice beside tools"},
		{"no input", "embeddings", `{}`, 400, "input has 0 texts"},
		{"odd input", "embeddings", `{"input":{"a":1}}`, 400, "input: expected a text"},
		{"an empty input", "embeddings", `{"input":["a",""]}`, 400, "input[1] is empty"},
		{"dimensions", "embeddings", `{"input":"a","dimensions":9}`, 400, "dimensions is 9"},
		{"format of numbers", "embeddings", `{"input":"a","encoding_format":"int8"}`, 400, "encoding_format is"},
		{"too long an input", "embeddings", `{"input":[[1],[` + strings.Repeat("1,", 1100) + `1]]}`, 400, `input[1] has 1101 tokens \u003e 1000`},
		{"no query", "rerank", `{"documents":["a"]}`, 400, "query is missing"},
		{"an odd document", "rerank", `{"query":"a","documents":[1]}`, 400, "expected texts or objects"},
		{"cutting documents", "rerank", `{"query":"a","documents":["a"],"max_tokens_per_doc":9}`, 400, "nothing is cut in silence"},
		{"no prompt", "completions", `{}`, 400, "prompt is missing"},
		{"odd prompt", "completions", `{"prompt":{"a":1}}`, 400, "prompt: expected a text"},
		{"unknown route", "nothing", `{}`, 404, "there is no POST /v1/nothing here"},
	} {
		status, _, body := post(t, url+"/v1/"+c.path, c.body)
		var e struct {
			Error struct {
				Message, Type string
			}
		}
		if err := json.Unmarshal([]byte(body), &e); err != nil || e.Error.Message == "" || e.Error.Type == "" {
			t.Errorf("%s: not an error object: %s", c.why, body)
		}
		if status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s: got %d %s\nwant %d … %s", c.why, status, body, c.status, c.want)
		}
	}
}

func TestNothingIsIgnoredInSilence(t *testing.T) {
	url := open(t, &servetest.Fake{}, serve.Options{})
	body := `{"messages":[{"role":"user","content":"x"}],"max_tokens":2,"user":"u","x_unknown_field":1,"echo_mode":null}`
	status, header, answer := post(t, url+"/v1/chat/completions", body)
	if status != 200 {
		t.Fatal(answer)
	}
	if got := header.Get("Lian-Ignored"); got != "echo_mode, user, x_unknown_field" {
		t.Errorf("Lian-Ignored is %q", got)
	}
	response, err := http.Get(url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	for _, want := range []string{`lian_ignored_fields_total{field="x_unknown_field"} 1`, `lian_requests_total{path="/v1/chat/completions",status="200"} 1`,
		"lian_generated_tokens_total 2", `lian_time_to_first_token_seconds_bucket{le="+Inf"} 1`, `lian_sequences{model="fake",state="running"} 0`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("metrics lack %s:\n%s", want, text)
		}
	}
}

// chunks reads a stream of events to its end.
func chunks(t *testing.T, body string) (list []map[string]any) {
	t.Helper()
	done := false
	for event := range strings.SplitSeq(strings.TrimSpace(body), "\n\n") {
		data, ok := strings.CutPrefix(event, "data: ")
		switch {
		case !ok && strings.HasPrefix(event, ":"):
		case data == "[DONE]":
			done = true
		default:
			var v map[string]any
			if err := json.Unmarshal([]byte(data), &v); err != nil {
				t.Fatalf("%q: %v", event, err)
			}
			list = append(list, v)
		}
	}
	if !done {
		t.Fatalf("no [DONE] in %s", body)
	}
	return list
}

func TestAStreamJoinsToThePlainAnswer(t *testing.T) {
	fake := &servetest.Fake{Script: func(string) string { return "你好，世界 😀 — done." }}
	url := open(t, fake, serve.Options{})
	ask := `{"messages":[{"role":"user","content":"你好"}],"temperature":0,"n":2,"stop":["done"]%s}`
	_, _, plain := post(t, url+"/v1/chat/completions", fmt.Sprintf(ask, ""))
	var answer struct {
		Choices []struct {
			Message struct{ Content string }
			Finish  string `json:"finish_reason"`
		}
	}
	if err := json.Unmarshal([]byte(plain), &answer); err != nil || len(answer.Choices) != 2 {
		t.Fatal(plain, err)
	}
	_, header, body := post(t, url+"/v1/chat/completions", fmt.Sprintf(ask, `,"stream":true,"stream_options":{"include_usage":true}`))
	if !strings.HasPrefix(header.Get("Content-Type"), "text/event-stream") {
		t.Error(header.Get("Content-Type"))
	}
	text := map[int]string{}
	finish := map[int]string{}
	list := chunks(t, body)
	for _, c := range list[:len(list)-1] {
		choice := c["choices"].([]any)[0].(map[string]any)
		index := int(choice["index"].(float64))
		if s, ok := choice["delta"].(map[string]any)["content"].(string); ok {
			if strings.ContainsRune(s, '\uFFFD') {
				t.Errorf("half a character: %q", s)
			}
			text[index] += s
		}
		if f, ok := choice["finish_reason"].(string); ok {
			finish[index] = f
		}
	}
	for i, choice := range answer.Choices {
		if want := "你好，世界 😀 — "; choice.Message.Content != want || text[i] != want || choice.Finish != "stop" || finish[i] != "stop" {
			t.Errorf("choice %d: plain %q %s, streamed %q %s, want %q", i, choice.Message.Content, choice.Finish, text[i], finish[i], want)
		}
	}
	if last := list[len(list)-1]; last["usage"] == nil || len(last["choices"].([]any)) != 0 {
		t.Errorf("the last chunk is %v", last)
	}
}

func TestRepliesAreReadInTheModelsDialect(t *testing.T) {
	tools := `,"tools":[{"type":"function","function":{"name":"search","parameters":{"type":"object","properties":{"query":{"type":"string"}}}}}]`
	for _, c := range []struct{ why, dialect, reply, more, content, reasoning, call string }{
		{"a thought is apart, without tools too", "", "<think>\n二加二\n</think>\n\n四", "", "四", "二加二", ""},
		{"without tools, what looks like a call is text", "llama31", `{"name": "search", "parameters": {"query": "诗"}}`, "", `{"name": "search", "parameters": {"query": "诗"}}`, "", ""},
		{"with tools it is a call", "llama31", `{"name": "search", "parameters": {"query": "诗"}}`, tools, "", "", `search {"query": "诗"}`},
		{"arguments as XML", "glm45", "查。\n<tool_call>search\n<arg_key>query</arg_key>\n<arg_value>5</arg_value>\n</tool_call>", tools, "查。", "", `search {"query":"5"}`},
	} {
		url := open(t, &servetest.Fake{Speaks: c.dialect, Script: func(string) string { return c.reply }}, serve.Options{})
		_, _, body := post(t, url+"/v1/chat/completions", `{"messages":[{"role":"user","content":"?"}],"temperature":0`+c.more+`}`)
		var answer struct {
			Choices []struct {
				Message struct {
					Content   string
					Reasoning string `json:"reasoning_content"`
					ToolCalls []struct {
						Function struct{ Name, Arguments string }
					} `json:"tool_calls"`
				}
			}
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil || len(answer.Choices) != 1 {
			t.Fatalf("%s: %s", c.why, body)
		}
		m, call := answer.Choices[0].Message, ""
		for _, made := range m.ToolCalls {
			call += made.Function.Name + " " + made.Function.Arguments
		}
		if m.Content != c.content || m.Reasoning != c.reasoning || call != c.call {
			t.Errorf("%s: %s", c.why, body)
		}
	}
	url := open(t, &servetest.Fake{Speaks: "mistral"}, serve.Options{})
	if status, _, body := post(t, url+"/v1/chat/completions", `{"messages":[{"role":"user","content":"?"}],"tool_choice":"required"`+tools+`}`); status != 200 || !strings.Contains(body, `"tool_calls":[{`) {
		t.Errorf("a call was asked for in the dialect mistral: %d %s", status, body)
	}
}

func TestToolCallsAndSchemas(t *testing.T) {
	url := open(t, &servetest.Fake{}, serve.Options{})
	tools := `"tools":[{"type":"function","function":{"name":"search","parameters":{"type":"object","properties":{"query":{"type":"string","maxLength":8}},"required":["query"]}}},{"type":"function","function":{"name":"now"}}]`
	for seed := range 5 {
		_, _, body := post(t, url+"/v1/chat/completions", fmt.Sprintf(`{"messages":[{"role":"user","content":"找"}],"seed":%d,"tool_choice":"required",%s}`, seed, tools))
		var answer struct {
			Choices []struct {
				Finish  string `json:"finish_reason"`
				Message struct {
					Content   *string
					ToolCalls []struct {
						ID, Type string
						Function struct{ Name, Arguments string }
					} `json:"tool_calls"`
				}
			}
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			t.Fatal(err)
		}
		c := answer.Choices[0]
		if c.Finish != "tool_calls" || len(c.Message.ToolCalls) == 0 || c.Message.Content != nil {
			t.Fatal(body)
		}
		for _, call := range c.Message.ToolCalls {
			var arguments map[string]any
			if err := json.Unmarshal([]byte(call.Function.Arguments), &arguments); err != nil || call.ID == "" {
				t.Fatal(call, err)
			}
			if _, has := arguments["query"].(string); has != (call.Function.Name == "search") {
				t.Fatal(call)
			}
		}
	}
}

func TestAClientThatHangsUpFreesItsPlace(t *testing.T) {
	fake := &servetest.Fake{Delay: 5 * time.Millisecond, Script: func(string) string { return strings.Repeat("long ", 2000) }, Context: 1 << 20}
	url := open(t, fake, serve.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	request, _ := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/chat/completions", strings.NewReader(`{"messages":[{"role":"user","content":"x"}],"stream":true,"n":3,"temperature":0}`))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := bufio.NewReader(response.Body).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	cancel()
	for range 500 {
		if fake.Cancelled() == 3 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%d of 3 replies were ended", fake.Cancelled())
}

func TestASilentStreamSaysThatItIsAlive(t *testing.T) {
	url := open(t, &servetest.Fake{Delay: 60 * time.Millisecond, Script: func(string) string { return "ok" }}, serve.Options{Heartbeat: 10 * time.Millisecond})
	_, _, body := post(t, url+"/v1/chat/completions", `{"messages":[{"role":"user","content":"x"}],"stream":true,"temperature":0}`)
	if !strings.Contains(body, ": alive\n\n") {
		t.Error(body)
	}
	chunks(t, body)
}

func TestOverload(t *testing.T) {
	fake := &servetest.Fake{Delay: 20 * time.Millisecond, Script: func(string) string { return strings.Repeat("x", 1000) }}
	url := open(t, fake, serve.Options{MaxRequests: 1})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	request, _ := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/chat/completions", strings.NewReader(`{"messages":[{"role":"user","content":"x"}],"stream":true,"temperature":0}`))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	status, header, body := post(t, url+"/v1/chat/completions", `{"messages":[{"role":"user","content":"x"}]}`)
	if status != 503 || header.Get("Retry-After") == "" || !strings.Contains(body, "overloaded") {
		t.Errorf("got %d %s", status, body)
	}
}

func TestKeyAndForeignPages(t *testing.T) {
	url := open(t, &servetest.Fake{}, serve.Options{APIKey: "secret"})
	body := `{"messages":[{"role":"user","content":"x"}],"max_tokens":1}`
	for _, c := range []struct {
		why    string
		header []string
		status int
	}{
		{"no key", nil, 401},
		{"wrong key", []string{"Authorization", "Bearer other"}, 401},
		{"right key", []string{"Authorization", "Bearer secret"}, 200},
		{"a page of another site", []string{"Authorization", "Bearer secret", "Origin", "http://evil.example"}, 403},
		{"our own page", []string{"Authorization", "Bearer secret", "Origin", url}, 200},
		{"a name that was rebound to this machine", []string{"Authorization", "Bearer secret", "Host", "evil.example"}, 403},
	} {
		if status, _, answer := post(t, url+"/v1/chat/completions", body, c.header...); status != c.status {
			t.Errorf("%s: got %d %s, want %d", c.why, status, answer, c.status)
		}
	}
	if response, err := http.Get(url + "/health"); err != nil || response.StatusCode != 200 {
		t.Error("health needs no key")
	}
}

func TestAPortInUseIsAClearLine(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s, _ := serve.New([]serve.Generator{&servetest.Fake{Name: "a"}}, serve.Options{Port: l.Addr().(*net.TCPAddr).Port}, nil)
	if _, err := s.Listen(); err == nil || !strings.Contains(err.Error(), "is in use by another program") {
		t.Errorf("got %v", err)
	}
}

func TestStoppingLetsRunningRequestsEnd(t *testing.T) {
	for _, c := range []struct {
		why   string
		drain time.Duration
		want  string
	}{
		{"in time", 10 * time.Second, "finish_reason\":\"stop"},
		{"too slow", 20 * time.Millisecond, ""},
	} {
		s, err := serve.New([]serve.Generator{&servetest.Fake{Name: "a", Delay: 20 * time.Millisecond, Script: func(string) string { return "ten words" }}}, serve.Options{Drain: c.drain}, nil)
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- s.Serve(ctx, l) }()
		response, err := http.Post(serve.URL(l)+"/v1/chat/completions", "application/json", strings.NewReader(`{"messages":[{"role":"user","content":"x"}],"stream":true,"temperature":0}`))
		if err != nil {
			t.Fatal(err)
		}
		stop()
		body, _ := io.ReadAll(response.Body)
		if !bytes.Contains(body, []byte(c.want)) || c.want == "" && bytes.Contains(body, []byte(`finish_reason":"stop`)) {
			t.Errorf("%s: %s", c.why, body)
		}
		if err := <-served; err != nil {
			t.Errorf("%s: %v", c.why, err)
		}
	}
}

func TestSuggestionsInfoAndMessages(t *testing.T) {
	file := filepath.Join(t.TempDir(), "suggestions.json")
	if err := os.WriteFile(file, []byte(`{"suggestions":[{"prompt":"写一首诗"}]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	url := open(t, &servetest.Fake{Suggestions: file}, serve.Options{})
	for path, want := range map[string]string{
		"/lian/suggestions":               "写一首诗",
		"/lian/suggestions?model=nothing": "model_not_found",
		"/lian/info":                      `"context":4096`,
		"/lian/messages":                  `"web.send"`,
		"/v1/models":                      `"object":"list"`,
		"/v1/models/fake":                 `"object":"model"`,
		"/health":                         `"status":"ok"`,
		"/":                               "<!doctype html>",
	} {
		response, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if !strings.Contains(strings.ToLower(string(body)), strings.ToLower(want)) {
			t.Errorf("%s: got %s, want %s", path, body, want)
		}
	}
}

func TestLoadTestMeasuresOnlyThisMachine(t *testing.T) {
	url := open(t, &servetest.Fake{Delay: time.Millisecond, Script: func(string) string { return "twelve bytes" }}, serve.Options{})
	report, err := serve.LoadTest(t.Context(), url, "fake", []string{"a", "b", "c", "d", "e"}, 2)
	if err != nil {
		t.Fatal(err)
	}
	if report.Failed != 0 || report.Tokens != 60 || report.TokensPerSec <= 0 || report.FirstP50 <= 0 || report.FirstP95 < report.FirstP50 || report.Streams != 2 {
		t.Errorf("%+v", report)
	}
	if _, err := serve.LoadTest(t.Context(), "http://192.0.2.1:80", "m", []string{"a"}, 1); err == nil || !strings.Contains(err.Error(), "not this machine") {
		t.Errorf("got %v", err)
	}
	if _, err := serve.LoadTest(t.Context(), url, "other", []string{"a"}, 1); err == nil || !strings.Contains(err.Error(), "model_not_found") {
		t.Errorf("got %v", err)
	}
}

func FuzzChatRequest(f *testing.F) {
	fake := &servetest.Fake{Name: "fake", Script: func(string) string { return "ok" }}
	s, err := serve.New([]serve.Generator{fake}, serve.Options{}, nil)
	if err != nil {
		f.Fatal(err)
	}
	h := s.Handler()
	f.Add(`{"messages":[{"role":"user","content":"x"}],"stream":true}`)
	f.Add(`{"messages":[{"role":"user","content":[{"type":"text","text":"x"}]}],"tools":[{"type":"function","function":{"name":"a"}}],"tool_choice":"auto","max_tokens":3}`)
	f.Fuzz(func(t *testing.T, body string) {
		for _, path := range []string{"/v1/chat/completions", "/v1/completions"} {
			r := httptest.NewRequest(http.MethodPost, "http://localhost"+path, strings.NewReader(body))
			ctx, cancel := context.WithTimeout(r.Context(), time.Second)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r.WithContext(ctx))
			cancel()
			if w.Code == http.StatusInternalServerError {
				t.Fatalf("%s %q: %s", path, body, w.Body)
			}
		}
	})
}
