package serve

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"

	"lian/engine"
	"lian/engine/sample"
)

// params turns the shared fields into what the engine samples with.
func (s *Server) params(r *sampling) (sample.Params, error) {
	p := sample.Params{Temperature: 1, Stop: r.Stop}
	set := func(to *float32, from *float32) {
		if from != nil {
			*to = *from
		}
	}
	set(&p.Temperature, r.Temperature)
	set(&p.TopP, r.TopP)
	set(&p.MinP, r.MinP)
	set(&p.RepetitionPenalty, r.RepetitionPenalty)
	set(&p.PresencePenalty, r.PresencePenalty)
	set(&p.FrequencyPenalty, r.FrequencyPenalty)
	if r.TopP != nil && *r.TopP == 0 {
		p.TopP = 1e-9 // the most likely token: the sampler reads 0 as off
	}
	if r.TopK != nil {
		p.TopK = max(*r.TopK, 0) // -1 is "all" with some clients
	}
	if r.Temperature != nil && *r.Temperature > 2 {
		return p, invalid("temperature", "temperature is %v, expected 0 to 2", *r.Temperature)
	}
	if len(r.Stop) > 16 {
		return p, invalid("stop", "stop has %d texts, expected at most 16", len(r.Stop))
	}
	for _, text := range r.Stop {
		if text == "" {
			return p, invalid("stop", "stop has an empty text")
		}
	}
	for id, bias := range r.LogitBias {
		n, err := strconv.ParseInt(id, 10, 32)
		if err != nil || n < 0 {
			return p, invalid("logit_bias", "logit_bias: %q is not a token id", id)
		}
		if !(bias >= -100 && bias <= 100) {
			return p, invalid("logit_bias", "logit_bias of %s is %v, expected -100 to 100", id, bias)
		}
		if p.LogitBias == nil {
			p.LogitBias = map[int32]float32{}
		}
		p.LogitBias[int32(n)] = bias
	}
	if r.Seed != nil {
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

// count reads n.
func (s *Server) count(n *int) (int, error) {
	switch {
	case n == nil:
		return 1, nil
	case *n < 1 || *n > s.options.MaxChoices:
		return 0, invalid("n", "n is %d, expected 1 to %d", *n, s.options.MaxChoices)
	}
	return *n, nil
}

// limit checks a number of tokens to generate.
func limit(name string, n *int) (int, error) {
	switch {
	case n == nil:
		return 0, nil
	case *n < 1:
		return 0, invalid(name, "%s is %d, expected 1 or more", name, *n)
	}
	return *n, nil
}

// model finds the model that a request names: by its id, or BASE+ID of an adapter. With one model, no name is needed, and its
// adapters need theirs.
func (s *Server) model(name string) (Generator, error) {
	var bases []Generator
	for _, m := range s.models {
		i := m.Info()
		if i.ID == name || i.Base != "" && i.Base+"+"+i.ID == name {
			return m, nil
		}
		if i.Base == "" {
			bases = append(bases, m)
		}
	}
	if name == "" && len(bases) == 1 {
		return bases[0], nil
	}
	if name == "" {
		return nil, invalid("model", "model is missing; see /v1/models")
	}
	return nil, refusal(http.StatusNotFound, "invalid_request_error", "model_not_found", "the model %q is not served here; see /v1/models", name)
}

// start begins n replies to one prompt. If one cannot begin, those before it end.
func start(ctx context.Context, m Generator, r engine.Request, n int) ([]Stream, error) {
	var streams []Stream
	seed := r.Sample.Seed
	for i := range n {
		r.Sample.Seed = sample.Derive(seed, i)
		stream, err := m.Generate(ctx, r)
		if err != nil {
			for _, begun := range streams {
				begun.Cancel()
			}
			return nil, engineError(err)
		}
		streams = append(streams, stream)
	}
	return streams, nil
}

// engineError says whose fault an engine's error is.
func engineError(err error) error {
	switch {
	case errors.Is(err, engine.ErrContext):
		e := invalid("messages", "%v", err)
		code := "context_length_exceeded"
		e.Code = &code
		return e
	case errors.Is(err, engine.ErrClosed):
		return refusal(http.StatusServiceUnavailable, "server_error", "stopping", "the server is stopping")
	}
	return invalid("", "%v", err)
}

// finish is OpenAI's reason for an engine's; a reply that failed is an error.
func finish(r engine.Result) (string, error) {
	switch r.Finish {
	case engine.FinishStop, engine.FinishLength:
		return r.Finish, nil
	case engine.FinishConstraint:
		return "", refusal(http.StatusInternalServerError, "server_error", "constraint", "the model's vocabulary has no token that the constraint allows here")
	case engine.FinishCancelled:
		return "", refusal(http.StatusServiceUnavailable, "server_error", "cancelled", "the request was cancelled")
	}
	message := "the reply ended without a reason"
	if r.Err != nil {
		message = r.Err.Error()
	}
	return "", refusal(http.StatusInternalServerError, "server_error", "engine", "%s", message)
}

// identifier is a fresh name for a reply.
func identifier(prefix string) string {
	var b [12]byte
	rand.Read(b[:])
	return prefix + hex.EncodeToString(b[:])
}
