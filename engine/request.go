package engine

import (
	"time"

	"lian/engine/grammar"
	"lian/engine/sample"
)

// Request is what is asked of a model.
type Request struct {
	Prompt     []int32
	Sample     sample.Params
	Constraint *grammar.Grammar // nil is free text
	StopIDs    []int32          // tokens that end the reply and are not part of it
	StopText   []string         // texts that end the reply and are not part of it
	MaxTokens  int              // 0: as many as the context allows
	LogProbs   bool             // give each token's log-probability
	Top        int              // and those of the most likely tokens at its place
}

// Token is a piece of a reply.
type Token struct {
	ID      int32
	Text    string  // what can be shown now; may be empty while a character or a stop text is incomplete
	LogProb float32 // natural logarithm, if asked for
	Top     []TopToken
}

// TopToken is one of the most likely tokens at a place.
type TopToken struct {
	ID      int32
	LogProb float32
}

// Why a reply ended.
const (
	FinishStop       = "stop"       // a stop token or text, or a complete constraint
	FinishLength     = "length"     // MaxTokens or the context
	FinishConstraint = "constraint" // the constraint left no token
	FinishCancelled  = "cancelled"
	FinishError      = "error"
)

// Result is a finished reply.
type Result struct {
	IDs          []int32
	Text         string
	Finish       string
	Err          error // why, for FinishError
	PromptTokens int
	First        time.Duration // from the request to the first token
	Total        time.Duration
}
