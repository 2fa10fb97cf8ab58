// Package sample turns a row of logits into the next token.
//
// It guarantees that the choice depends on the logits, the parameters, the tokens seen so far and the pair
// (seed, position) alone: never on the batch, the thread, or the order in which requests arrived. Equal logits are
// ordered by token id. Temperature 0 is greedy and uses no randomness.
//
// The order of operations is that of Hugging Face transformers and of the OpenAI API:
//
//	logit bias → presence and frequency penalty → repetition penalty → temperature → top-k → top-p → min-p → draw
//
// llama.cpp applies temperature last by default; each single step is the same there (the golden vectors of both
// are in the tests), so only a temperature together with top-p can keep another set of tokens.
//
// It refuses parameters out of range (Params.Validate) and has no process-wide random state.
package sample

import (
	"fmt"
	"math"
)

// Params says how a token is chosen. The zero value is greedy decoding without penalties.
type Params struct {
	// Temperature divides the logits; 0 takes the most likely token.
	Temperature float32 `yaml:"temperature" help:"randomness: 0 always takes the most likely token" default:"0.7" range:"0..5"`
	// TopK keeps the k most likely tokens; 0 keeps all.
	TopK int `yaml:"top_k" help:"keep only the k most likely tokens, 0 keeps all" default:"0" range:"0..1000000"`
	// TopP keeps the smallest set of likely tokens whose probability reaches p (nucleus, arXiv 1904.09751); 0 and 1 keep all.
	TopP float32 `yaml:"top_p" help:"keep the most likely tokens that together reach this probability" default:"0.95" range:"0..1"`
	// MinP keeps tokens at least p times as likely as the most likely one (arXiv 2407.01082); 0 keeps all.
	MinP float32 `yaml:"min_p" help:"keep tokens at least this share as likely as the best one" default:"0" range:"0..1"`
	// RepetitionPenalty divides positive and multiplies negative logits of tokens seen in prompt or reply
	// (CTRL, arXiv 1909.05858); 0 and 1 are off.
	RepetitionPenalty float32 `yaml:"repetition_penalty" help:"above 1 makes tokens seen before less likely" default:"1" range:"0..10"`
	// PresencePenalty is subtracted once from the logit of each token generated before (OpenAI API).
	PresencePenalty float32 `yaml:"presence_penalty" help:"taken off tokens that were generated before" default:"0" range:"-2..2"`
	// FrequencyPenalty is subtracted once for each time the token was generated before (OpenAI API).
	FrequencyPenalty float32 `yaml:"frequency_penalty" help:"taken off tokens for each time they were generated" default:"0" range:"-2..2"`
	// Seed keys the draws together with the position.
	Seed uint64 `yaml:"seed" help:"random seed: the same seed gives the same text" default:"0"`
	// LogitBias is added to the logits of single tokens, before everything else (OpenAI API).
	LogitBias map[int32]float32 `yaml:"-"`
	// MaxTokens ends the reply after so many tokens; 0 leaves it to the caller. The sampler does not look at it.
	MaxTokens int `yaml:"max_tokens" help:"longest reply in tokens, 0 means as long as the context allows" default:"0" range:"0..10000000"`
	// Stop ends the reply before any of these texts. The sampler does not look at it.
	Stop []string `yaml:"stop" help:"texts that end the reply"`
}

// Validate reports the first parameter out of range by its name.
func (p Params) Validate() error {
	checks := []struct {
		name     string
		value    float32
		min, max float32
	}{
		{"temperature", p.Temperature, 0, 5},
		{"top_p", p.TopP, 0, 1},
		{"min_p", p.MinP, 0, 1},
		{"repetition_penalty", p.RepetitionPenalty, 0, 10},
		{"presence_penalty", p.PresencePenalty, -2, 2},
		{"frequency_penalty", p.FrequencyPenalty, -2, 2},
	}
	for _, c := range checks {
		if !(c.value >= c.min && c.value <= c.max) { // NaN is out of every range
			return fmt.Errorf("%s is %v, expected %v to %v", c.name, c.value, c.min, c.max)
		}
	}
	if p.TopK < 0 {
		return fmt.Errorf("top_k is %d, expected 0 (all) or more", p.TopK)
	}
	if p.MaxTokens < 0 {
		return fmt.Errorf("max_tokens is %d, expected 0 (no limit) or more", p.MaxTokens)
	}
	for id, bias := range p.LogitBias {
		if id < 0 {
			return fmt.Errorf("logit_bias has token id %d, expected 0 or more", id)
		}
		if math.IsNaN(float64(bias)) || math.IsInf(float64(bias), 0) {
			return fmt.Errorf("logit_bias of token %d is %v, expected a finite number", id, bias)
		}
	}
	return nil
}
