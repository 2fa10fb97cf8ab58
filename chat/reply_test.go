package chat

import (
	"bufio"
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"lian/verify/shared"
	"pgregory.net/rapid"
)

// pieces parses text cut at the given places and joins neighbouring texts.
func pieces(text string, cuts []int) (content, reasoning string, calls []ToolCall, malformed []string) {
	p := NewReplyParser(func(e ReplyEvent) {
		switch e.Kind {
		case ReplyContent:
			content += e.Text
		case ReplyReasoning:
			reasoning += e.Text
		case ReplyCall:
			calls = append(calls, e.Call)
		case ReplyMalformed:
			malformed = append(malformed, e.Text)
		}
	})
	at := 0
	for _, cut := range cuts {
		p.Push(text[at:cut])
		at = cut
	}
	p.Push(text[at:])
	p.Flush()
	return
}

func everyByte(text string) []int {
	var cuts []int
	for i := 1; i < len(text); i++ {
		cuts = append(cuts, i)
	}
	return cuts
}

func TestRepliesParseAsTheirProtocolSays(t *testing.T) {
	file, err := os.Open(shared.Path(t, "testdata", "golden", "agent", "tool_protocols.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines, count := bufio.NewScanner(file), 0
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c struct {
			Protocol, Case, Raw string
			Expected            struct {
				Content, Reasoning, Status string
				RawCall                    string `json:"raw_call"`
				Calls                      []struct {
					Name      string
					Arguments any
				}
			}
			Cuts map[string][]int `json:"cuts_bytes"`
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			continue // protocols of another shape
		}
		if c.Protocol != "hermes" {
			continue
		}
		count++
		for how, cuts := range map[string][]int{"whole": nil, "awkward": c.Cuts["awkward"], "random": c.Cuts["random"], "every byte": everyByte(c.Raw)} {
			content, reasoning, calls, malformed := pieces(c.Raw, cuts)
			if content != c.Expected.Content || reasoning != c.Expected.Reasoning || len(calls) != len(c.Expected.Calls) {
				t.Errorf("%s, %s: content %q, reasoning %q, %d calls; expected %+v", c.Case, how, content, reasoning, len(calls), c.Expected)
				continue
			}
			for i, call := range calls {
				var arguments any
				if err := json.Unmarshal(call.Arguments, &arguments); err != nil {
					t.Fatal(err)
				}
				if call.Name != c.Expected.Calls[i].Name || !reflect.DeepEqual(arguments, c.Expected.Calls[i].Arguments) {
					t.Errorf("%s, %s: call %+v, expected %+v", c.Case, how, call, c.Expected.Calls[i])
				}
			}
			if (len(malformed) > 0) != (c.Expected.Status == "malformed") || len(malformed) > 0 && malformed[0] != c.Expected.RawCall {
				t.Errorf("%s, %s: malformed %q, expected %q", c.Case, how, malformed, c.Expected.RawCall)
			}
		}
	}
	if count < 14 {
		t.Errorf("only %d cases read", count)
	}
}

func TestRepliesParseTheSameHoweverCut(t *testing.T) {
	parts := []string{"<tool_call>", "</tool_call>", "<think>", "</think>", "<tool_", "call>", "\n", " ", "你好，世界", "\"", "\\", "<", ">",
		`{"name": "搜索", "arguments": {"query": "诗"}}`, `{"name": "f", "arguments": {"x": "</tool_call>"}}`, "{", "}", "答案是四。"}
	rapid.Check(t, func(t *rapid.T) {
		text := ""
		for _, part := range rapid.SliceOfN(rapid.SampledFrom(parts), 0, 12).Draw(t, "parts") {
			text += part
		}
		content, reasoning, calls, malformed := pieces(text, nil)
		c, r, k, m := pieces(text, everyByte(text))
		if c != content || r != reasoning || !reflect.DeepEqual(k, calls) || !reflect.DeepEqual(m, malformed) {
			t.Fatalf("%q byte by byte: %q %q %v %q, at once: %q %q %v %q", text, c, r, k, m, content, reasoning, calls, malformed)
		}
	})
}

func TestTextWithoutTagsIsKeptByteForByte(t *testing.T) {
	for _, text := range []string{"", " \n", "  床前明月光\n疑是地上霜 \n\n", "a < b", "<tool_", "x<thin", "\t"} {
		if content, calls, err := ParseReply(text); content != text || calls != nil || err != nil {
			t.Errorf("%q: content %q, calls %v, error %v", text, content, calls, err)
		}
	}
}

func FuzzReplyParser(f *testing.F) {
	f.Add("你好<tool_call>{\"name\":\"a\"}</tool_call>", 3)
	f.Fuzz(func(t *testing.T, text string, cut int) {
		if cut < 0 || cut > len(text) {
			return
		}
		content, reasoning, calls, malformed := pieces(text, nil)
		c, r, k, m := pieces(text, []int{cut})
		if c != content || r != reasoning || !reflect.DeepEqual(k, calls) || !reflect.DeepEqual(m, malformed) {
			t.Errorf("%q cut at %d differs", text, cut)
		}
	})
}
