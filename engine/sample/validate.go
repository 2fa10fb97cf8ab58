package sample

import (
	"fmt"
	"math"
)

// Validate reports the first parameter out of range by its name.
func (p Params) Validate() error {
	for _, c := range []struct {
		name     string
		value    float32
		min, max float32
	}{
		{"temperature", p.Temperature, 0, 5},
		{"top_p", p.TopP, 0, 1},
		{"min_p", p.MinP, 0, 1},
		{"typical_p", p.TypicalP, 0, 1},
		{"top_n_sigma", p.TopNSigma, 0, 100},
		{"top_h", p.TopH, 0, 1},
		{"epsilon_cutoff", p.EpsilonCutoff, 0, 1},
		{"eta_cutoff", p.EtaCutoff, 0, 1},
		{"xtc_probability", p.XTCProbability, 0, 1},
		{"xtc_threshold", p.XTCThreshold, 0, 1},
		{"dynatemp_range", p.DynatempRange, 0, 5},
		{"dynatemp_exponent", p.DynatempExponent, 0, 10},
		{"mirostat_tau", p.MirostatTau, 0, 100},
		{"mirostat_eta", p.MirostatEta, 0, 1},
		{"repetition_penalty", p.RepetitionPenalty, 0, 10},
		{"presence_penalty", p.PresencePenalty, -2, 2},
		{"frequency_penalty", p.FrequencyPenalty, -2, 2},
		{"dry_multiplier", p.DRYMultiplier, 0, 100},
		{"dry_base", p.DRYBase, 0, 10},
	} {
		if !(c.value >= c.min && c.value <= c.max) { // NaN is out of every range
			return fmt.Errorf("%s is %v, expected %v to %v", c.name, c.value, c.min, c.max)
		}
	}
	for _, c := range []struct {
		name, zero string
		value      int
	}{
		{"top_k", "all", p.TopK},
		{"min_keep", "one", p.MinKeep},
		{"repeat_last_n", "all", p.RepeatLastN},
		{"no_repeat_ngram", "off", p.NoRepeatNGram},
		{"dry_allowed_length", "none", p.DRYAllowedLength},
		{"dry_last_n", "all", p.DRYLastN},
		{"min_tokens", "none", p.MinTokens},
		{"max_tokens", "no limit", p.MaxTokens},
	} {
		if c.value < 0 {
			return fmt.Errorf("%s is %d, expected 0 (%s) or more", c.name, c.value, c.zero)
		}
	}
	if p.Mirostat != 0 && p.Mirostat != 2 {
		return fmt.Errorf("mirostat is %d, expected 0 (off) or 2", p.Mirostat)
	}
	if p.Mirostat == 2 && p.MirostatTau <= 0 {
		return fmt.Errorf("mirostat_tau is %v, expected more than 0 with mirostat", p.MirostatTau)
	}
	if p.DRYMultiplier > 0 && p.DRYBase < 1 {
		return fmt.Errorf("dry_base is %v, expected 1 to 10 with dry_multiplier %v (1.75 is usual)", p.DRYBase, p.DRYMultiplier)
	}
	if p.MaxTokens > 0 && p.MinTokens > p.MaxTokens {
		return fmt.Errorf("min_tokens is %d, expected at most max_tokens, which is %d", p.MinTokens, p.MaxTokens)
	}
	if err := p.validateTokens(); err != nil {
		return err
	}
	_, err := p.steps()
	return err
}

// validateTokens checks what names token ids.
func (p Params) validateTokens() error {
	for id, bias := range p.LogitBias {
		if id < 0 {
			return fmt.Errorf("logit_bias has token id %d, expected 0 or more", id)
		}
		if math.IsNaN(float64(bias)) || math.IsInf(float64(bias), 0) {
			return fmt.Errorf("logit_bias of token %d is %v, expected a finite number", id, bias)
		}
	}
	ids := func(name string, i int, ids []int32) error {
		if len(ids) == 0 {
			return fmt.Errorf("%s: sequence %d has no token", name, i+1)
		}
		for _, id := range ids {
			if id < 0 {
				return fmt.Errorf("%s: sequence %d has token id %d, expected 0 or more", name, i+1, id)
			}
		}
		return nil
	}
	for i, s := range p.SequenceBias {
		if err := ids("sequence_bias", i, s.IDs); err != nil {
			return err
		}
		if b := float64(s.Bias); math.IsNaN(b) || math.IsInf(b, 1) {
			return fmt.Errorf("sequence_bias: sequence %d has the bias %v, expected a number or negative infinity", i+1, s.Bias)
		}
	}
	for i, s := range p.Banned {
		if err := ids("banned", i, s); err != nil {
			return err
		}
	}
	return nil
}
