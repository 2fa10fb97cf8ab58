package engine

import "lian/model"

// Options size an engine.
type Options struct {
	Context     int          `yaml:"context" help:"longest sequence in tokens; 0 is the model's own" default:"0" range:"0..10000000"`
	CacheTokens int          `yaml:"cache_tokens" help:"tokens of all sequences together that the cache holds; 0 is eight full contexts" default:"0" range:"0..100000000"`
	StepTokens  int          `yaml:"step_tokens" help:"most tokens computed in one step; prompts are cut into chunks of it" default:"512" range:"1..1000000"`
	Sequences   int          `yaml:"sequences" help:"most requests worked on at one time" default:"32" range:"1..100000"`
	NoPrefix    bool         `yaml:"no_prefix" help:"compute every prompt anew, also what an earlier one began with"`
	CacheDir    string       `yaml:"cache_dir" help:"folder for keys and values that memory has no room for, and that the next start takes up again"`
	CacheDisk   int          `yaml:"cache_disk" help:"most megabytes that cache_dir takes; the longest unused files go first" default:"4096" range:"1..100000000"`
	KV          model.KVType `yaml:"kv" help:"how keys and values are kept; auto is bf16 for fast and f32 for exact" default:"auto" range:"auto|f32|bf16|int8|int4"`
	Drafting    `yaml:",inline"`
	Precision   model.Precision `yaml:"precision" help:"fast rounds activations to int8 where weights are quantised, and keeps keys and values as bfloat16; exact does neither" default:"fast"`
}

// blockSize is the number of positions in a cache block: a divisor of the key tile of attention.
const blockSize = 32

func (o Options) withDefaults(i model.Info) Options {
	if o.Context <= 0 || o.Context > i.Context && !i.Extends {
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
	o.KV = o.KV.For(o.Precision)
	if o.CacheDisk <= 0 {
		o.CacheDisk = 4096
	}
	o.CacheTokens = max(o.CacheTokens, o.Context)
	return o
}

// cacheBlocks is how many blocks each group of a model has: those of CacheTokens where everything is kept, and in a window what all
// sequences need at a time, if that is less.
func (o Options) cacheBlocks(groups []model.CacheGroup) (windows, blocks []int) {
	for _, g := range groups {
		n := need(o.CacheTokens)
		if g.Window > 0 {
			most := windowBlocks(g.Window, 0)*o.Sequences + windowBlocks(0, o.StepTokens)
			n = min(max(n, windowBlocks(g.Window, o.StepTokens)), most)
		}
		windows, blocks = append(windows, g.Window), append(blocks, n)
	}
	return windows, blocks
}
