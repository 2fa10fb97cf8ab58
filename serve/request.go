package serve

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"

	"lian/engine"
	"lian/engine/sample"
)

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
		r.PromptLogProbs = false // those of one are enough
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
		e := invalid("", "%v", err)
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
