package serve_test

import (
	"context"
	"log/slog"
	"os"
	"strconv"
	"testing"
	"time"

	"lian/serve"
	"lian/serve/servetest"
)

// TestHoldAServerForOtherClients keeps a server with a stand-in for a model open, for clients that are not Go:
//
//	LIAN_HOLD=18080 LIAN_HOLD_SECONDS=60 go test -run TestHoldAServer ./serve
func TestHoldAServerForOtherClients(t *testing.T) {
	port, err := strconv.Atoi(os.Getenv("LIAN_HOLD"))
	if err != nil {
		t.Skip("needs LIAN_HOLD=PORT")
	}
	seconds, _ := strconv.Atoi(os.Getenv("LIAN_HOLD_SECONDS"))
	s, err := serve.New([]serve.Generator{&servetest.Fake{Name: "fake", Delay: time.Millisecond}}, serve.Options{Port: port}, slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(max(seconds, 5))*time.Second)
	defer cancel()
	if err := s.Serve(ctx, l); err != nil {
		t.Fatal(err)
	}
}
