package engine

import (
	"cmp"
	"errors"
	"fmt"

	"lian/model"
)

// Options size an engine.
type Options struct {
	Context     int  `yaml:"context" help:"longest sequence in tokens; 0 is the model's own" default:"0" range:"0..10000000"`
	CacheTokens int  `yaml:"cache_tokens" help:"tokens of all sequences together that the cache holds; 0 is eight full contexts" default:"0" range:"0..100000000"`
	StepTokens  int  `yaml:"step_tokens" help:"most tokens computed in one step; prompts are cut into chunks of it" default:"512" range:"1..1000000"`
	Sequences   int  `yaml:"sequences" help:"most requests worked on at one time" default:"32" range:"1..100000"`
	NoPrefix    bool `yaml:"no_prefix" help:"compute every prompt anew, also what an earlier one began with"`
	CacheFolder `yaml:",inline"`
	KV          model.KVType `yaml:"kv" help:"how keys and values are kept; auto is bf16 for fast and f32 for exact" default:"auto" range:"auto|f32|bf16|int8|int4"`
	Drafting    `yaml:",inline"`
	Precision   model.Precision `yaml:"precision" help:"fast rounds activations to int8 where weights are quantised, and keeps keys and values as bfloat16; exact does neither" default:"fast"`
}

// CacheFolder is where keys and values are kept on disk.
type CacheFolder struct {
	CacheDir  string `yaml:"cache_dir" help:"folder for keys and values that memory has no room for, and that the next start takes up again"`
	CacheDisk int    `yaml:"cache_disk" help:"most megabytes that cache_dir takes; the longest unused files go first" default:"4096" range:"1..100000000"`
}

// blockSize is the number of positions in a cache block: a divisor of the key tile of attention.
const blockSize = 32

// For is the options with every setting that was left open decided for a model. What cannot be is an error, never another number.
func (o Options) For(i model.Info) (Options, error) {
	for _, s := range []struct {
		name  string
		value int
	}{{"context", o.Context}, {"cache_tokens", o.CacheTokens}, {"step_tokens", o.StepTokens}, {"sequences", o.Sequences}, {"cache_disk", o.CacheDisk}} {
		if s.value < 0 {
			return o, fmt.Errorf("%s is %d, expected 0 (the engine decides) or more", s.name, s.value)
		}
	}
	if o.Context > i.Context && !i.Extends {
		return o, fmt.Errorf("context is %d tokens, and the model was made for %d; ask for at most that, read further with self-extend (--self-extend GROUP,WINDOW), or open a model whose configuration scales its rotary embedding (YaRN, dynamic NTK)",
			o.Context, i.Context)
	}
	o.Context = cmp.Or(o.Context, i.Context)
	if o.CacheTokens > 0 && o.CacheTokens < o.Context {
		return o, fmt.Errorf("cache_tokens is %d, less than one context of %d tokens; raise it, or ask for a context of at most %[1]d", o.CacheTokens, o.Context)
	}
	if o.CacheDir != "" && o.NoPrefix {
		return o, errors.New("cache_dir keeps what prompts begin with and no_prefix computes it anew each time; give one of them")
	}
	o.CacheTokens = cmp.Or(o.CacheTokens, 8*o.Context)
	o.StepTokens, o.Sequences, o.CacheDisk = cmp.Or(o.StepTokens, 512), cmp.Or(o.Sequences, 32), cmp.Or(o.CacheDisk, 4096)
	o.Precision = cmp.Or(o.Precision, model.Fast)
	if err := o.KV.Check(); err != nil {
		return o, err
	}
	o.KV = o.KV.For(o.Precision)
	return o, nil
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
