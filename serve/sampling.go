package serve

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strconv"

	"lian/config"
	"lian/engine/sample"
)

// sampling are the fields that both APIs share: OpenAI's, and as additions to them what llama.cpp's and vLLM's servers take, under
// their names. Of two names for one thing one may be given.
type sampling struct {
	constraints

	Model         string         `json:"model"`
	MaxTokens     *int           `json:"max_tokens"`
	N             *int           `json:"n"`
	Stop          stopTexts      `json:"stop"`
	Stream        bool           `json:"stream"`
	StreamOptions *streamOptions `json:"stream_options"`

	Temperature      *float32           `json:"temperature"`
	TopP             *float32           `json:"top_p"`
	PresencePenalty  *float32           `json:"presence_penalty"`
	FrequencyPenalty *float32           `json:"frequency_penalty"`
	LogitBias        map[string]float32 `json:"logit_bias"`
	Seed             *int64             `json:"seed"` // −1 draws one

	TopK               *int      `json:"top_k"` // −1 is all
	MinP               *float32  `json:"min_p"`
	TypicalP           *float32  `json:"typical_p"`
	Typical            *float32  `json:"typical"`
	TopNSigma          *float32  `json:"top_n_sigma"` // −1 is off
	TopH               *float32  `json:"top_h"`
	EpsilonCutoff      *float32  `json:"epsilon_cutoff"`
	EtaCutoff          *float32  `json:"eta_cutoff"`
	XTCProbability     *float32  `json:"xtc_probability"`
	XTCThreshold       *float32  `json:"xtc_threshold"`
	MinKeep            *int      `json:"min_keep"`
	DynatempRange      *float32  `json:"dynatemp_range"`
	DynatempExponent   *float32  `json:"dynatemp_exponent"`
	Mirostat           *int      `json:"mirostat"`
	MirostatTau        *float32  `json:"mirostat_tau"`
	MirostatEta        *float32  `json:"mirostat_eta"`
	RepetitionPenalty  *float32  `json:"repetition_penalty"`
	RepeatPenalty      *float32  `json:"repeat_penalty"`
	RepeatLastN        *int      `json:"repeat_last_n"` // −1 is all, 0 turns the penalties off, as llama.cpp has it
	NoRepeatNGramSize  *int      `json:"no_repeat_ngram_size"`
	DRYMultiplier      *float32  `json:"dry_multiplier"`
	DRYBase            *float32  `json:"dry_base"`
	DRYAllowedLength   *int      `json:"dry_allowed_length"`
	DRYPenaltyLastN    *int      `json:"dry_penalty_last_n"` // likewise
	DRYSequenceBreaker *[]string `json:"dry_sequence_breakers"`
	Order              *[]string `json:"samplers"`
	BadWords           []string  `json:"bad_words"`
	StopTokenIDs       []int32   `json:"stop_token_ids"`
	MinTokens          *int      `json:"min_tokens"`
	IgnoreEOS          bool      `json:"ignore_eos"` // the model's own end does not end the reply
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

// stopTexts is one text or a list.
type stopTexts []string

func (s *stopTexts) UnmarshalJSON(data []byte) error {
	switch data = bytes.TrimSpace(data); data[0] {
	case '"':
		*s = make(stopTexts, 1)
		return json.Unmarshal(data, &(*s)[0])
	case '[', 'n':
		return json.Unmarshal(data, (*[]string)(s))
	}
	return errors.New("stop: expected a text or a list of texts")
}

// one is whichever of two names for a setting was given.
func one[T any](name string, a *T, other string, b *T) (*T, error) {
	switch {
	case a != nil && b != nil:
		return nil, invalid(other, "%s and %s are one setting; give one", name, other)
	case b != nil:
		return b, nil
	}
	return a, nil
}

// set takes a field over if it was given.
func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// params turns the shared fields into what the engine samples with.
func (s *Server) params(r *sampling) (p sample.Params, err error) {
	if err := config.Defaults(&p); err != nil {
		return p, err
	}
	p.Temperature, p.TopP, p.Stop, p.BadWords = 1, 1, r.Stop, r.BadWords // OpenAI's own defaults
	typical, err := one("typical_p", r.TypicalP, "typical", r.Typical)
	if err != nil {
		return p, err
	}
	repetition, err := one("repetition_penalty", r.RepetitionPenalty, "repeat_penalty", r.RepeatPenalty)
	if err != nil {
		return p, err
	}
	for _, f := range []struct{ to, from *float32 }{
		{&p.Temperature, r.Temperature}, {&p.TopP, r.TopP}, {&p.MinP, r.MinP}, {&p.TypicalP, typical}, {&p.TopNSigma, r.TopNSigma}, {&p.TopH, r.TopH},
		{&p.EpsilonCutoff, r.EpsilonCutoff}, {&p.EtaCutoff, r.EtaCutoff}, {&p.XTCProbability, r.XTCProbability}, {&p.XTCThreshold, r.XTCThreshold},
		{&p.DynatempRange, r.DynatempRange}, {&p.DynatempExponent, r.DynatempExponent}, {&p.MirostatTau, r.MirostatTau}, {&p.MirostatEta, r.MirostatEta},
		{&p.RepetitionPenalty, repetition}, {&p.PresencePenalty, r.PresencePenalty}, {&p.FrequencyPenalty, r.FrequencyPenalty},
		{&p.DRYMultiplier, r.DRYMultiplier}, {&p.DRYBase, r.DRYBase},
	} {
		set(f.to, f.from)
	}
	for _, f := range []struct{ to, from *int }{
		{&p.TopK, r.TopK}, {&p.MinKeep, r.MinKeep}, {&p.Mirostat, r.Mirostat}, {&p.RepeatLastN, r.RepeatLastN}, {&p.NoRepeatNGram, r.NoRepeatNGramSize},
		{&p.DRYAllowedLength, r.DRYAllowedLength}, {&p.DRYLastN, r.DRYPenaltyLastN}, {&p.MinTokens, r.MinTokens},
	} {
		set(f.to, f.from)
	}
	set(&p.DRYBreakers, r.DRYSequenceBreaker)
	set(&p.Order, r.Order)
	if p.TopP == 0 {
		p.TopP = 1e-9 // the most likely token: the sampler reads 0 as off
	}
	p.TopK = max(p.TopK, 0)
	if p.TopNSigma == -1 {
		p.TopNSigma = 0
	}
	if look := r.RepeatLastN; look != nil && *look == 0 {
		p.RepetitionPenalty, p.PresencePenalty, p.FrequencyPenalty = 1, 0, 0
	} else if look != nil && *look == -1 {
		p.RepeatLastN = 0
	}
	if look := r.DRYPenaltyLastN; look != nil && *look == 0 {
		p.DRYMultiplier = 0
	} else if look != nil && *look == -1 {
		p.DRYLastN = 0
	}
	if p.Temperature > 2 {
		return p, invalid("temperature", "temperature is %v, expected 0 to 2", p.Temperature)
	}
	if err := r.texts(); err != nil {
		return p, err
	}
	if err := bias(&p, r.LogitBias); err != nil {
		return p, err
	}
	if r.Seed != nil && *r.Seed != -1 {
		p.Seed = uint64(*r.Seed)
	} else {
		var b [8]byte
		rand.Read(b[:])
		p.Seed = binary.LittleEndian.Uint64(b[:])
	}
	if err := p.Validate(); err != nil {
		return p, invalid("", "%v", err)
	}
	return p, nil
}

// texts checks the texts of a request.
func (r *sampling) texts() error {
	if len(r.Stop) > 16 {
		return invalid("stop", "stop has %d texts, expected at most 16", len(r.Stop))
	}
	for _, list := range []struct {
		name  string
		texts []string
	}{{"stop", r.Stop}, {"bad_words", r.BadWords}} {
		for _, text := range list.texts {
			if text == "" {
				return invalid(list.name, "%s has an empty text", list.name)
			}
		}
	}
	return nil
}

// bias reads logit_bias.
func bias(p *sample.Params, given map[string]float32) error {
	for id, bias := range given {
		n, err := strconv.ParseInt(id, 10, 32)
		if err != nil || n < 0 {
			return invalid("logit_bias", "logit_bias: %q is not a token id", id)
		}
		if !(bias >= -100 && bias <= 100) {
			return invalid("logit_bias", "logit_bias of %s is %v, expected -100 to 100", id, bias)
		}
		if p.LogitBias == nil {
			p.LogitBias = map[int32]float32{}
		}
		p.LogitBias[int32(n)] = bias
	}
	return nil
}

// stopIDs are the tokens that end a reply of a model.
func (r *sampling) stopIDs(m Generator) (ids []int32) {
	if !r.IgnoreEOS {
		ids = append(ids, m.StopIDs()...)
	}
	return append(ids, r.StopTokenIDs...)
}
