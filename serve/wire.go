package serve

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"

	"lian/chat"
)

type chatRequest struct {
	sampling
	Messages            messageList     `json:"messages"`
	MaxCompletionTokens *int            `json:"max_completion_tokens"`
	LogProbs            bool            `json:"logprobs"`
	TopLogProbs         int             `json:"top_logprobs"`
	Tools               toolList        `json:"tools"`
	ToolChoice          json.RawMessage `json:"tool_choice"`
	ParallelToolCalls   *bool           `json:"parallel_tool_calls"`
}

// messageList and toolList name the item that is wrong.
type (
	messageList []chat.Message
	toolList    []chat.Tool
)

func (l *messageList) UnmarshalJSON(data []byte) error {
	list, err := chat.ParseMessages(data)
	*l = list
	return err
}

func (l *toolList) UnmarshalJSON(data []byte) error {
	list, err := chat.ParseTools(data)
	*l = list
	return err
}

type completionRequest struct {
	sampling
	Prompt   prompts `json:"prompt"`
	LogProbs *int    `json:"logprobs"`
	Echo     bool    `json:"echo"`    // the prompt comes before the reply
	BestOf   *int    `json:"best_of"` // of so many replies, the n whose tokens are likeliest on the average
}

// prompts is a text, a list of texts, a list of ids, or a list of those.
type prompts struct {
	texts []string
	ids   [][]int32
}

func (p *prompts) UnmarshalJSON(data []byte) error {
	*p = prompts{}
	var text string
	var flat []int32
	switch {
	case json.Unmarshal(data, &text) == nil:
		p.texts = []string{text}
	case json.Unmarshal(data, &p.texts) == nil:
	case json.Unmarshal(data, &flat) == nil:
		p.texts, p.ids = nil, [][]int32{flat}
	case json.Unmarshal(data, &p.ids) == nil:
		p.texts = nil
	default:
		return errors.New("prompt: expected a text, a list of texts, a list of token ids, or a list of such lists")
	}
	return nil
}

// Fields that are not supported: with a reason, they would change the answer and are refused; without, they would not, and
// are accepted and named in the response's header.
var (
	chatRefused = map[string]string{
		"functions": "use tools", "function_call": "use tool_choice", "audio": "there is no audio output",
		"modalities": "the output is text", "prediction": "predicted outputs are not implemented", "web_search_options": "there is no web search",
		"reasoning_effort": "the model decides", "verbosity": "the model decides",
		"chat_template": "the server was started with one (--template)", "chat_template_kwargs": "templates get no further variables",
		"continue_final_message": "every reply is a turn of its own", "echo": "ask /v1/completions", "best_of": "ask /v1/completions",
		"guided_whitespace_pattern": "the grammar decides where blanks may stand", "structural_tag": "use tools", "prompt_logprobs": "use echo and logprobs of /v1/completions",
		"n_predict": "use max_tokens", "truncate_prompt_tokens": "nothing is cut in silence; send less", "include_stop_str_in_output": "a stop text is not part of the reply",
		"use_beam_search": "lian generate --beams does that", "length_penalty": "lian generate --beams does that", "penalty_alpha": "lian generate --contrastive does that",
		"user": "", "metadata": "", "store": "", "service_tier": "", "safety_identifier": "", "prompt_cache_key": "", "prompt_cache_retention": "",
	}
	completionRefused = map[string]string{
		"suffix": "the models here do not fill in the middle", "prompt_logprobs": "use echo with logprobs",
		"n_predict": "use max_tokens", "truncate_prompt_tokens": "nothing is cut in silence; send less", "include_stop_str_in_output": "a stop text is not part of the reply",
		"use_beam_search": "lian generate --beams does that", "length_penalty": "lian generate --beams does that", "penalty_alpha": "lian generate --contrastive does that",
		"guided_whitespace_pattern": "the grammar decides where blanks may stand", "structural_tag": "ask /v1/chat/completions with tools",
		"user": "", "metadata": "",
	}
	chatKnown       = fieldNames(reflect.TypeFor[chatRequest]())
	completionKnown = fieldNames(reflect.TypeFor[completionRequest]())
)

func fieldNames(t reflect.Type) (names []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			names = append(names, fieldNames(f.Type)...)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// What goes out.
type (
	usage struct {
		PromptTokens     int            `json:"prompt_tokens"`
		CompletionTokens int            `json:"completion_tokens"`
		TotalTokens      int            `json:"total_tokens"`
		PromptDetails    *promptDetails `json:"prompt_tokens_details,omitempty"`
	}
	promptDetails struct {
		CachedTokens int `json:"cached_tokens"` // of the prompt, as the first reply found them
	}
	topLogProb struct {
		Token   string  `json:"token"`
		LogProb float32 `json:"logprob"`
		Bytes   []int   `json:"bytes"`
	}
	tokenLogProb struct {
		topLogProb
		Top []topLogProb `json:"top_logprobs"`
	}
	chatLogProbs struct {
		Content []tokenLogProb `json:"content"`
		Refusal any            `json:"refusal"`
	}
	toolFunction struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	}
	toolCall struct {
		Index    *int         `json:"index,omitempty"` // in streams only
		ID       string       `json:"id"`
		Type     string       `json:"type"`
		Function toolFunction `json:"function"`
	}
	chatMessage struct {
		Role      string     `json:"role"`
		Content   *string    `json:"content"`
		Reasoning string     `json:"reasoning_content,omitempty"`
		Refusal   any        `json:"refusal"`
		ToolCalls []toolCall `json:"tool_calls,omitempty"`
	}
	chatChoice struct {
		Index    int           `json:"index"`
		Message  chatMessage   `json:"message"`
		LogProbs *chatLogProbs `json:"logprobs"`
		Finish   string        `json:"finish_reason"`
	}
	delta struct {
		Role      string     `json:"role,omitempty"`
		Content   *string    `json:"content,omitempty"`
		Reasoning string     `json:"reasoning_content,omitempty"`
		ToolCalls []toolCall `json:"tool_calls,omitempty"`
	}
	deltaChoice struct {
		Index    int           `json:"index"`
		Delta    delta         `json:"delta"`
		LogProbs *chatLogProbs `json:"logprobs"`
		Finish   *string       `json:"finish_reason"`
	}
	textLogProbs struct {
		Tokens   []string             `json:"tokens"`
		LogProbs []*float32           `json:"token_logprobs"` // null for the first token of a prompt
		Top      []map[string]float32 `json:"top_logprobs"`
		Offsets  []int                `json:"text_offset"`
	}
	textChoice struct {
		Index    int           `json:"index"`
		Text     string        `json:"text"`
		LogProbs *textLogProbs `json:"logprobs"`
		Finish   *string       `json:"finish_reason"`
	}
	// envelope is what both APIs wrap choices in.
	envelope[C any] struct {
		ID      string `json:"id"`
		Object  string `json:"object"`
		Created int64  `json:"created"`
		Model   string `json:"model"`
		Choices []C    `json:"choices"`
		Usage   *usage `json:"usage,omitempty"`
	}
)
