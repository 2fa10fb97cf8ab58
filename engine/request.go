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
	Adapter    string           // name of the adapter that the reply is computed with; "" is the model as it is
	Priority   int              // more is served first; requests of one priority in the order of their arrival
	Deadline   time.Time        // when the reply ends, however far it is; zero is never
	N          int              // branches that share the prompt, see GenerateAll; 0 is 1
	StopIDs    []int32          // tokens that end the reply and are not part of it
	StopText   []string         // texts that end the reply and are not part of it
	MaxTokens  int              // 0: as many as the context allows
	// LogProbs: give each token's log-probability as the model has it, before penalties, temperature and constraint change it; and
	// those of the Top most likely tokens at its place.
	LogProbs bool
	Top      int
	// PromptLogProbs: the same for the prompt's tokens, as Result.Prompt. A prompt's keys that are in the cache do not spare
	// computing it then.
	PromptLogProbs bool
}

// Token is a piece of a reply.
type Token struct {
	ID      int32
	Text    string  // what can be shown now; may be empty while a character or a stop text is incomplete
	LogProb float32 // natural logarithm, if asked for
	Top     []TopToken
}

// TopToken is one of the most likely tokens at a place.
type TopToken = sample.Likely

// Why a reply ended.
const (
	FinishStop       = "stop"       // a stop token or text, or a complete constraint
	FinishLength     = "length"     // MaxTokens or the context
	FinishConstraint = "constraint" // the constraint left no token
	FinishCancelled  = "cancelled"
	FinishDeadline   = "deadline" // Deadline passed; what there is until then is the reply
	FinishError      = "error"
)

// Result is a finished reply.
type Result struct {
	IDs          []int32
	Text         string
	Finish       string
	Err          error         // why, for FinishError
	Prompt       []PromptToken // how likely the prompt's tokens are, if PromptLogProbs asked for it
	PromptTokens int
	CachedTokens int           // of the prompt, whose keys were in the cache when the request began
	Miss         string        // why not more were, see the Miss constants; "" for a whole prompt
	Drafted      int           // tokens that were guessed ahead and computed, see Options.Draft
	Accepted     int           // of those, that were right: tokens for which no step of their own was needed
	Forced       int           // tokens that the constraint left no choice about: no step was needed for them either
	First        time.Duration // from the request to the first token
	Total        time.Duration
}

// Why a prompt's keys were not all in the cache (Result.Miss), apart from its last token, which is always computed.
const (
	MissCold    = "cold"    // nothing that begins like it was seen
	MissDiffers = "differs" // what was seen begins like it and goes on otherwise
	MissEvicted = "evicted" // its keys had to make room
	MissLength  = "length"  // keys of this model depend on the length of the prompt, and no other of its length class was seen
)
