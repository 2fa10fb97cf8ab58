package engine

import (
	"fmt"

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
	Cache       int64       `json:"cache_bytes"`
	Groups      []GroupPlan `json:"groups"`
	Work        int64       `json:"work_bytes"`   // about: activations of a step, as the arena holds them
	Logits      int64       `json:"logits_bytes"` // of a step in which every sequence gets a token
	Total       int64       `json:"total_bytes"`
}

// GroupPlan is a cache group: Bytes = Blocks · BlockBytes, exactly what is allocated.
type GroupPlan struct {
	Window     int   `json:"window"` // 0: everything is kept
	Layers     int   `json:"layers"`
	Blocks     int   `json:"blocks"`
	BlockBytes int   `json:"block_bytes"`
	Bytes      int64 `json:"bytes"`
}

// PlanFor counts the memory of an engine for a model with weights of so many bytes.
func PlanFor(i model.Info, weights int64, o Options) Plan {
	o = o.withDefaults(i)
	p := Plan{Context: o.Context, CacheTokens: o.CacheTokens, KV: string(o.KV), Weights: weights}
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
	p.Work = 4 * int64(min(o.StepTokens, o.CacheTokens)) * int64(i.Hidden) * 24 // the arena holds all of a forward's rows once
	p.Logits = 2 * 4 * int64(i.Vocab) * int64(o.Sequences)
	p.Total = p.Weights + p.Cache + p.Work + p.Logits
	return p
}

// Fit chooses the longest context up to that of the options, and then as many sequences, for which the plan takes at most so many bytes.
func Fit(i model.Info, weights int64, o Options, most int64) (Options, Plan, error) {
	o = o.withDefaults(i)
	fits := func(context, sequences int) bool {
		o.Context, o.CacheTokens, o.Sequences = context, context*sequences, sequences
		return PlanFor(i, weights, o).Total <= most
	}
	wanted, sequences := o.Context, o.Sequences
	context := largest(need(wanted), func(blocks int) bool { return fits(min(blocks*blockSize, wanted), 1) })
	if context == 0 {
		fits(min(blockSize, wanted), 1)
		return o, PlanFor(i, weights, o), fmt.Errorf("%d bytes are too few: %d tokens of one sequence take %d; choose a smaller model, or kv int8 or int4", most, o.Context, PlanFor(i, weights, o).Total)
	}
	n := largest(sequences, func(n int) bool { return fits(min(context*blockSize, wanted), n) })
	fits(min(context*blockSize, wanted), n)
	return o, PlanFor(i, weights, o), nil
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
