package instruct

import "lian/chat"

// Tasks by how an answer is judged.
const (
	TaskChoice = "choice" // the most likely of several answers
	TaskExact  = "exact"  // generated, equal to the answer
	TaskTool   = "tool"   // a tool call of the expected name and arguments
	TaskChat   = "chat"   // trained on, not judged
	TaskAgent  = "agent"  // calls tools until it answers
)

// Example is a conversation to fine-tune on: a line of train.jsonl and heldout.jsonl.
type Example struct {
	ID       string         `json:"id"`
	Document string         `json:"document"`
	Template string         `json:"template"`
	Task     string         `json:"task"`
	Messages []chat.Message `json:"messages"`
	Tools    []chat.Tool    `json:"tools,omitempty"`
	Answer   string         `json:"answer,omitempty"`
	Choices  []string       `json:"choices,omitempty"`
}

// Question is asked of a model about a held-out document: a line of questions.jsonl.
type Question struct {
	ID       string         `json:"id"`
	Document string         `json:"document"`
	Template string         `json:"template"`
	Task     string         `json:"task"`
	Messages []chat.Message `json:"messages"` // ends with the user's turn
	Tools    []chat.Tool    `json:"tools,omitempty"`
	// Choices of a choice question; Choices[AnswerIndex] is right.
	Choices     []string `json:"choices,omitempty"`
	AnswerIndex int      `json:"answer_index"`
	// Answer is the expected text; for a tool question empty.
	Answer string `json:"answer,omitempty"`
	// Call is the expected tool call of a tool question.
	Call *chat.ToolCall `json:"call,omitempty"`
	// Chance is what guessing earns: 1/choices, or the share of the most
	// frequent answer to the same template in this file; 0 for tool calls.
	Chance float64 `json:"chance"`
}
