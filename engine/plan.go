package engine

import (
	"fmt"

	"lian/engine/draft"
	"lian/model"
)

// Plan is the memory of an engine, counted before anything is allocated. Weights are the file's mapping; what of Cache is not used yet
// takes no memory.
type Plan struct {
	Context     int         `json:"context"`
	CacheTokens int         `json:"cache_tokens"` // of all sequences together
	Sequences   int         `json:"sequences"`    // of Context tokens that fit at one time
	KV          string      `json:"kv"`
	Weights     int64       `json:"weights_bytes"`
	Adapters    int64       `json:"adapters_bytes,omitempty"`
	Cache       int64       `json:"cache_bytes"`
	Groups      []GroupPlan `json:"groups"`
	Draft       int64       `json:"draft_bytes,omitempty"` // the draft model's weights and cache
	Work        int64       `json:"work_bytes"`            // about: activations of a step, as the arena holds them
	Logits      int64       `json:"logits_bytes"`          // of a step in which every sequence gets a token
	Total       int64       `json:"total_bytes"`
}

// Loaded is what an engine is given, in bytes.
type Loaded struct {
	Weights      int64
	Adapters     int64       // that stand beside the weights
	Draft        *model.Info // the smaller model that guesses; nil: none
	DraftWeights int64
}

// GroupPlan is a cache group: Bytes = Blocks · BlockBytes, exactly what is allocated.
type GroupPlan struct {
	Window     int   `json:"window"` // 0: everything is kept
	Layers     int   `json:"layers"`
	Blocks     int   `json:"blocks"`
	BlockBytes int   `json:"block_bytes"`
	Bytes      int64 `json:"bytes"`
}

// PlanFor counts the memory of an engine for a model.
func PlanFor(i model.Info, with Loaded, o Options) (Plan, error) {
	o, err := o.For(i)
	if err != nil {
		return Plan{}, err
	}
	return o.plan(i, with), nil
}

// plan counts for options of which all is decided.
func (o Options) plan(i model.Info, with Loaded) Plan {
	p := Plan{Context: o.Context, CacheTokens: o.CacheTokens, KV: string(o.KV), Weights: with.Weights, Adapters: with.Adapters}
	groups := i.CacheGroups()
	_, counts := o.cacheBlocks(groups)
	p.Sequences = o.Sequences
	for g, bytes := range model.BlockBytes(i, o.KV, blockSize) {
		each := need(o.Context)
		if w := groups[g].Window; w > 0 {
			each = min(each, windowBlocks(w, 0))
		}
		p.Sequences = min(p.Sequences, counts[g]/max(each, 1))
		part := GroupPlan{Window: groups[g].Window, Layers: len(groups[g].Layers), Blocks: counts[g], BlockBytes: bytes, Bytes: int64(counts[g]) * int64(bytes)}
		p.Groups, p.Cache = append(p.Groups, part), p.Cache+part.Bytes
	}
	if with.Draft != nil {
		p.Draft = with.DraftWeights + draft.CacheBytes(*with.Draft, o.Context, o.Precision)
	}
	p.Work = 4 * int64(min(o.StepTokens, o.CacheTokens)) * int64(i.Hidden) * 24 // the arena holds all of a forward's rows once
	p.Logits = 2 * 4 * int64(i.Vocab) * int64(o.Sequences)
	p.Total = p.Weights + p.Adapters + p.Cache + p.Draft + p.Work + p.Logits
	return p
}

// Fit chooses the longest context up to that of the options, and then as many sequences, for which the plan takes at most so many bytes.
func Fit(i model.Info, with Loaded, o Options, most int64) (Options, Plan, error) {
	o, err := o.For(i)
	if err != nil {
		return o, Plan{}, err
	}
	wanted := o.Context
	plan := func(context, sequences int) Plan {
		o.Context, o.CacheTokens, o.Sequences = min(context, wanted), min(context, wanted)*sequences, sequences
		return o.plan(i, with)
	}
	sequences := o.Sequences
	context := blockSize * largest(need(wanted), func(blocks int) bool { return plan(blocks*blockSize, 1).Total <= most })
	if context == 0 {
		p := plan(blockSize, 1)
		return o, p, fmt.Errorf("%d bytes are too few: %d tokens of one sequence take %d; choose a smaller model, or kv int8 or int4", most, p.Context, p.Total)
	}
	n := largest(sequences, func(n int) bool { return plan(context, n).Total <= most })
	p := plan(context, n)
	return o, p, nil
}

// largest is the largest n of 1 … most for which ok holds, which holds for all smaller ones too; 0 if there is none.
func largest(most int, ok func(n int) bool) int {
	low := 0
	for high := most; low < high; {
		middle := (low + high + 1) / 2
		if ok(middle) {
			low = middle
		} else {
			high = middle - 1
		}
	}
	return low
}
