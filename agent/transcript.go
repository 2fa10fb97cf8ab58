package agent

import (
	"fmt"
	"strings"

	"lian/chat"
	"lian/message"
)

// Kinds of [Step]; events have the kind with "agent." before it.
const (
	KindReply     = "reply"      // the model spoke: Content, Reasoning, Calls
	KindResult    = "result"     // a tool's result: Call, Content
	KindToolError = "tool_error" // a tool failed: Call, Content is what the model was told
	KindMalformed = "malformed"  // a call that could not be run: Call, Content is what the model was told
	KindEnd       = "end"        // Finish, Reason; Content is the answer
)

// How a run ended.
const (
	FinishAnswer   = "answer"   // the model replied without a call
	FinishSteps    = "steps"    // as many replies as allowed, and no answer
	FinishRepeated = "repeated" // a call was made again that had its result
	FinishError    = "error"    // the model failed, or the run was cancelled
)

// Step is one thing that happened.
type Step struct {
	Kind      string          `json:"kind"`
	Content   string          `json:"content,omitempty"`
	Reasoning string          `json:"reasoning,omitempty"`
	Calls     []chat.ToolCall `json:"calls,omitempty"`
	Call      *chat.ToolCall  `json:"call,omitempty"`
	Finish    string          `json:"finish,omitempty"`
	Reason    string          `json:"reason,omitempty"`
}

// Counts are what a run took.
type Counts struct {
	Replies    int `json:"replies"`
	Calls      int `json:"calls"`       // asked for, run or not
	Malformed  int `json:"malformed"`   // of them: no JSON, no such tool, arguments that do not fit
	ToolErrors int `json:"tool_errors"` // of them: run, and failed
	Repeated   int `json:"repeated"`    // of them: made before
}

func (c *Counts) add(o Counts) {
	c.Replies += o.Replies
	c.Calls += o.Calls
	c.Malformed += o.Malformed
	c.ToolErrors += o.ToolErrors
	c.Repeated += o.Repeated
}

// Transcript is all of a run. Messages are a conversation that can be trained
// on or gone on with; the first Asked of them were given.
type Transcript struct {
	Messages []chat.Message `json:"messages"`
	Asked    int            `json:"asked"`
	Tools    []chat.Tool    `json:"tools,omitempty"`
	Steps    []Step         `json:"steps"`
	Answer   string         `json:"answer"`
	Finish   string         `json:"finish"`
	Reason   string         `json:"reason,omitempty"`
	Counts   Counts         `json:"counts"`
}

// Text writes the transcript for people, in a language of package message.
func (t Transcript) Text(language string) string {
	var b strings.Builder
	line := func(key, text string) {
		label := message.Text(language, key)
		fmt.Fprintf(&b, "%s: %s\n", label, strings.ReplaceAll(text, "\n", "\n    "))
	}
	for _, m := range t.Messages[:min(t.Asked, len(t.Messages))] {
		switch m.Role {
		case chat.RoleUser:
			line("agent.user", m.Content)
		case chat.RoleSystem:
			line("agent.system", m.Content)
		case chat.RoleTool:
			line("agent.result", m.Content)
		default:
			line("agent.model", m.Content)
		}
	}
	for _, s := range t.Steps {
		switch s.Kind {
		case KindReply:
			if s.Reasoning != "" {
				line("agent.thinks", s.Reasoning)
			}
			if s.Content != "" && len(s.Calls) > 0 {
				line("agent.model", s.Content)
			}
			for _, c := range s.Calls {
				line("agent.calls", c.Name+" "+string(c.Arguments))
			}
		case KindResult:
			line("agent.result", s.Content)
		case KindToolError, KindMalformed:
			line("agent.failed", s.Content)
		case KindEnd:
			if s.Finish == FinishAnswer {
				line("agent.answer", s.Content)
			} else {
				line("agent.stopped", s.Reason)
			}
		}
	}
	return b.String()
}
