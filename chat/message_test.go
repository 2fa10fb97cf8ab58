package chat

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestMessagesKeepWhatTheyWereGiven(t *testing.T) {
	for _, c := range []struct{ why, in, out string }{
		{"plain", `{"role":"user","content":"你好"}`, ""},
		{"null content is not empty content", `{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"搜索","arguments":"{\"词\": \"诗\"}"}}]}`, ""},
		{"arguments as an object", `{"role":"assistant","content":"","tool_calls":[{"type":"function","function":{"name":"f","arguments":{"b":1,"a":[2.0]}}}]}`,
			`{"role":"assistant","content":"","tool_calls":[{"type":"function","function":{"name":"f","arguments":"{\"b\":1,\"a\":[2.0]}"}}]}`},
		{"parts", `{"role":"user","content":[{"type":"text","text":"看"},{"type":"image_url","image_url":{"url":"x"}}]}`, ""},
		{"unknown members", `{"role":"user","content":"x","mood":"好","loss":false}`, `{"role":"user","content":"x","loss":false,"mood":"好"}`},
		{"tool result", `{"role":"tool","content":"<4>","tool_call_id":"c","name":"f"}`, ""},
	} {
		var m Message
		if err := json.Unmarshal([]byte(c.in), &m); err != nil {
			t.Errorf("%s: %v", c.why, err)
			continue
		}
		if c.out == "" {
			c.out = c.in
		}
		out, err := m.MarshalJSON()
		if err != nil || string(out) != c.out {
			t.Errorf("%s: %s %v, expected %s", c.why, out, err, c.out)
		}
	}
}

func TestMessagesThatAreWrongAreRefused(t *testing.T) {
	for in, want := range map[string]string{
		`{"content":"x"}`:               `role is missing`,
		`{"role":"user","content":5}`:   `content: expected a text`,
		`[1]`:                           "expected an object",
		`{"role":"a","tool_calls":[1]}`: "tool_calls: call 0",
		`{"role":"a","tool_calls":[{"function":{"arguments":{}}}]}`: `name is missing`,
	} {
		var m Message
		if err := json.Unmarshal([]byte(in), &m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, expected %q", in, err, want)
		}
	}
}

func TestArgumentsAreObjects(t *testing.T) {
	for in, object := range map[string]bool{`{"name":"f","arguments":"{\"a\":1}"}`: true, `{"name":"f","arguments":"{a:1}"}`: false, `{"name":"f"}`: true, `{"name":"f","arguments":[1]}`: false} {
		var c ToolCall
		if err := json.Unmarshal([]byte(in), &c); err != nil {
			t.Errorf("%s: %v", in, err)
		} else if _, err := c.Object(); (err == nil) != object {
			t.Errorf("%s: Object: %v", in, err)
		}
	}
}

func TestToolsKeepTheirMembersInOrder(t *testing.T) {
	in := `{"type":"function","function":{"name":"天气","description":"<b> & c","parameters":{"type":"object","properties":{"z":{},"a":{}}},"strict":true,"return":{"type":"string"}}}`
	var tool Tool
	if err := json.Unmarshal([]byte(in), &tool); err != nil {
		t.Fatal(err)
	}
	if out, err := tool.MarshalJSON(); err != nil || string(out) != in {
		t.Errorf("%s %v, expected %s", out, err, in)
	}
}

func FuzzMessage(f *testing.F) {
	f.Add([]byte(`{"role":"assistant","content":null,"tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var m, again Message
		if json.Unmarshal(data, &m) != nil {
			return
		}
		out, err := json.Marshal(m)
		if err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		if err := json.Unmarshal(out, &again); err != nil {
			t.Fatalf("%s became %s: %v", data, out, err)
		}
	})
}
