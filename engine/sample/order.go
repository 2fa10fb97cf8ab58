package sample

import (
	"fmt"
	"slices"
	"strings"
)

// step is something done to what may be chosen.
type step struct {
	name    string
	aliases []string
	on      func(p *Params) bool
	value   func(p *Params) any
	// One of the two: adjust changes logits of single tokens, narrow acts on all that may still be chosen.
	adjust func(s *Sampler, row []float32)
	narrow func(s *Sampler, c *pool)
	// keeps: the step leaves no token out, so that it is run with mirostat too.
	keeps bool
}

// catalogue is every step. Its order means nothing.
var catalogue = []*step{
	{name: "presence_frequency", on: func(p *Params) bool { return p.PresencePenalty != 0 || p.FrequencyPenalty != 0 },
		value: func(p *Params) any { return max(p.PresencePenalty, p.FrequencyPenalty) }, adjust: (*Sampler).presenceFrequency},
	{name: "repetition", on: func(p *Params) bool { return p.repeats() }, value: func(p *Params) any { return p.RepetitionPenalty }, adjust: (*Sampler).repetition},
	{name: "penalties", on: func(p *Params) bool { return p.repeats() || p.PresencePenalty != 0 || p.FrequencyPenalty != 0 },
		value: func(p *Params) any { return p.RepetitionPenalty }, adjust: (*Sampler).penalties},
	{name: "dry", on: func(p *Params) bool { return p.DRYMultiplier > 0 }, value: func(p *Params) any { return p.DRYMultiplier }, adjust: (*Sampler).dry},
	{name: "temperature", aliases: []string{"temp"}, on: func(p *Params) bool { return p.Temperature != 1 || p.DynatempRange > 0 },
		value: func(p *Params) any { return p.Temperature }, narrow: (*Sampler).temperature, keeps: true},
	{name: "top_k", on: func(p *Params) bool { return p.TopK > 0 }, value: func(p *Params) any { return p.TopK }, narrow: (*Sampler).topK},
	{name: "top_p", aliases: []string{"nucleus"}, on: func(p *Params) bool { return p.TopP > 0 && p.TopP < 1 }, value: func(p *Params) any { return p.TopP }, narrow: (*Sampler).topP},
	{name: "min_p", on: func(p *Params) bool { return p.MinP > 0 }, value: func(p *Params) any { return p.MinP }, narrow: (*Sampler).minP},
	{name: "typ_p", aliases: []string{"typical_p", "typ"}, on: func(p *Params) bool { return p.TypicalP > 0 && p.TypicalP < 1 },
		value: func(p *Params) any { return p.TypicalP }, narrow: (*Sampler).typical},
	{name: "top_h", on: func(p *Params) bool { return p.TopH > 0 }, value: func(p *Params) any { return p.TopH }, narrow: (*Sampler).topH},
	{name: "epsilon", aliases: []string{"epsilon_cutoff"}, on: func(p *Params) bool { return p.EpsilonCutoff > 0 }, value: func(p *Params) any { return p.EpsilonCutoff }, narrow: (*Sampler).epsilon},
	{name: "eta", aliases: []string{"eta_cutoff"}, on: func(p *Params) bool { return p.EtaCutoff > 0 }, value: func(p *Params) any { return p.EtaCutoff }, narrow: (*Sampler).eta},
	{name: "top_n_sigma", on: func(p *Params) bool { return p.TopNSigma > 0 }, value: func(p *Params) any { return p.TopNSigma }, narrow: (*Sampler).topNSigma},
	{name: "xtc", on: func(p *Params) bool { return p.XTCProbability > 0 && p.XTCThreshold <= 0.5 }, value: func(p *Params) any { return p.XTCProbability }, narrow: (*Sampler).xtc},
}

// The orders that have a name.
const (
	HuggingFace = "hf"
	LlamaCpp    = "llama.cpp"
)

var orders = map[string][]string{
	HuggingFace: {"presence_frequency", "repetition", "dry", "temperature", "top_h", "top_k", "top_p", "min_p", "typ_p", "epsilon", "eta", "top_n_sigma", "xtc"},
	LlamaCpp:    {"penalties", "dry", "top_n_sigma", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature"},
}

func (p *Params) repeats() bool { return p.RepetitionPenalty != 0 && p.RepetitionPenalty != 1 }

// steps are those that are on, in their order.
func (p *Params) steps() ([]*step, error) {
	names := p.Order
	switch len(names) {
	case 0:
		names = orders[HuggingFace]
	case 1:
		if named := orders[names[0]]; named != nil {
			names = named
		}
	}
	var list, named []*step
	for _, name := range names {
		s := stepCalled(strings.TrimSpace(name))
		if s == nil {
			return nil, fmt.Errorf("order: there is no step %q; expected %s, %s, or a list of %s", name, HuggingFace, LlamaCpp, stepNames())
		}
		if slices.Contains(named, s) {
			return nil, fmt.Errorf("order: %s stands there twice", s.name)
		}
		named = append(named, s)
		if s.on(p) && (p.Mirostat == 0 || s.narrow == nil || s.keeps) {
			list = append(list, s)
		}
	}
	whole := stepCalled("penalties")
	for _, part := range []string{"presence_frequency", "repetition"} {
		if slices.Contains(named, whole) && slices.Contains(named, stepCalled(part)) {
			return nil, fmt.Errorf("order: penalties already does %s; leave one of them out", part)
		}
	}
	for _, s := range catalogue {
		there := slices.Contains(named, s)
		switch s.name {
		case "penalties":
			there = true // its parts are looked at
		case "presence_frequency", "repetition":
			there = there || slices.Contains(named, whole)
		}
		if !there && s.on(p) && (s.name != "temperature" || p.Temperature > 0) {
			off := 0
			if slices.Contains([]string{"top_p", "typ_p", "repetition", "temperature"}, s.name) {
				off = 1
			}
			return nil, fmt.Errorf("order: %s is set (%v) but is no step of %s; add it, or switch it off with %d", s.name, s.value(p), strings.Join(p.Order, ","), off)
		}
	}
	return list, nil
}

func stepCalled(name string) *step {
	for _, s := range catalogue {
		if s.name == name || slices.Contains(s.aliases, name) {
			return s
		}
	}
	return nil
}

func stepNames() string {
	var names []string
	for _, s := range catalogue {
		names = append(names, s.name)
	}
	return strings.Join(names, ", ")
}

// keepsTies: transformers keeps all tokens that are as likely as the last one kept, llama.cpp exactly as many as asked.
func (p *Params) keepsTies() bool { return len(p.Order) == 0 || p.Order[0] == HuggingFace }
