package engine

import "lian/model"

// Options size an engine.
type Options struct {
	Context     int             `yaml:"context" help:"longest sequence in tokens; 0 is the model's own" default:"0" range:"0..10000000"`
	CacheTokens int             `yaml:"cache_tokens" help:"tokens of all sequences together that the cache holds; 0 is eight full contexts" default:"0" range:"0..100000000"`
	StepTokens  int             `yaml:"step_tokens" help:"most tokens computed in one step; prompts are cut into chunks of it" default:"512" range:"1..1000000"`
	Sequences   int             `yaml:"sequences" help:"most requests worked on at one time" default:"32" range:"1..100000"`
	Precision   model.Precision `yaml:"precision" help:"fast rounds activations to int8 where weights are quantised, and keeps keys and values as bfloat16; exact does neither" default:"fast"`
}

// blockSize is the number of positions in a cache block: a divisor of the key tile of attention.
const blockSize = 32

func (o Options) withDefaults(i model.Info) Options {
	if o.Context <= 0 || o.Context > i.Context {
		o.Context = i.Context
	}
	if o.CacheTokens <= 0 {
		o.CacheTokens = 8 * o.Context
	}
	if o.StepTokens <= 0 {
		o.StepTokens = 512
	}
	if o.Sequences <= 0 {
		o.Sequences = 32
	}
	if o.Precision == "" {
		o.Precision = model.Fast
	}
	return o
}
