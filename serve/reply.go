package serve

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"lian/engine"
)

// piece is what one of several replies has new.
type piece struct {
	index  int
	token  engine.Token
	result *engine.Result // the last piece of its reply
}

// follow reads replies side by side into one channel, which is closed when all have ended. It gives up when ctx ends, and
// the replies with it.
func (s *Server) follow(ctx context.Context, m Generator, streams []Stream, begun time.Time) <-chan piece {
	out := make(chan piece)
	send := func(p piece) bool {
		select {
		case out <- p:
			return true
		case <-ctx.Done():
			return false
		}
	}
	var wait sync.WaitGroup
	for i, stream := range streams {
		wait.Go(func() {
			defer stream.Cancel()
			for first := true; ; first = false {
				token, more := stream.Next()
				if !more {
					break
				}
				if first {
					s.metrics.firstToken.observe(time.Since(begun))
				}
				if !send(piece{index: i, token: token}) {
					stream.Cancel()
					s.metrics.cancelled.Add(1)
					return
				}
			}
			result := stream.Result()
			s.metrics.generated.Add(int64(len(result.IDs)))
			send(piece{index: i, result: &result})
		})
	}
	go func() {
		wait.Wait()
		close(out)
	}()
	return out
}

func asAPIError(err error) *apiError {
	var e *apiError
	if errors.As(err, &e) {
		return e
	}
	return refusal(http.StatusInternalServerError, "server_error", "internal", "%v", err)
}
