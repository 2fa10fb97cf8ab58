package serve

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Server answers requests for its models.
type Server struct {
	options  Options
	models   []Generator
	grammars grammars
	metrics  metrics
	log      *slog.Logger
	begun    time.Time
	loopback bool // listening on this machine only: strangers' pages are kept out
}

// New makes a server for models with different ids. log may be nil.
func New(models []Generator, o Options, log *slog.Logger) (*Server, error) {
	if len(models) == 0 {
		return nil, errors.New("there is no model to serve")
	}
	seen := map[string]bool{}
	for _, m := range models {
		id := m.Info().ID
		if id == "" || seen[id] {
			return nil, fmt.Errorf("two models are called %q, or one has no name; each needs a name of its own", id)
		}
		seen[id] = true
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Server{options: o.withDefaults(), models: models, log: log, begun: time.Now(), loopback: true}, nil
}

// Listen opens the address of the options. A port in use is an error that says what to do.
func (s *Server) Listen() (net.Listener, error) {
	address := net.JoinHostPort(s.options.Host, strconv.Itoa(s.options.Port))
	l, err := net.Listen("tcp", address)
	if err != nil {
		const inUseOnWindows = syscall.Errno(10048)
		if errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, inUseOnWindows) {
			return nil, fmt.Errorf("port %d is in use by another program; stop it, or choose another port (0 takes a free one)", s.options.Port)
		}
		return nil, fmt.Errorf("listening on %s: %w", address, err)
	}
	s.loopback = isLoopback(l.Addr())
	return l, nil
}

// URL is where a listener is reached.
func URL(l net.Listener) string {
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return "http://" + l.Addr().String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}

func isLoopback(a net.Addr) bool {
	t, ok := a.(*net.TCPAddr)
	return ok && t.IP.IsLoopback()
}

// Serve answers on a listener until ctx ends; then it takes no more requests, gives running ones the drain time, and
// returns nil.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	s.loopback = isLoopback(l.Addr())
	if !s.loopback && s.options.APIKey == "" {
		s.log.Warn("listening beyond this machine without an API key", "address", l.Addr().String())
	}
	base, cancel := context.WithCancel(context.Background())
	defer cancel()
	h := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 5 * time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, BaseContext: func(net.Listener) context.Context { return base }, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn)}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		drain, done := context.WithTimeout(context.Background(), s.options.Drain)
		defer done()
		err := h.Shutdown(drain)
		if err != nil { // the time is over: running requests end now
			cancel()
			err = h.Close()
		}
		stopped <- err
	}()
	if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}

// Handler is the server's routes.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /v1/chat/completions", s.api("/v1/chat/completions", s.chatCompletions))
	mux.Handle("POST /v1/completions", s.api("/v1/completions", s.completions))
	mux.Handle("POST /v1/embeddings", s.api("/v1/embeddings", s.embeddings))
	for _, path := range []string{"/v1/rerank", "/v2/rerank", "/rerank"} { // vLLM and Jina, Cohere, llama.cpp
		mux.Handle("POST "+path, s.api("/v1/rerank", s.rerank))
	}
	mux.Handle("GET /v1/models", s.api("/v1/models", s.listModels))
	mux.Handle("GET /v1/models/{id...}", s.api("/v1/models/{id}", s.oneModel))
	mux.Handle("GET /lian/info", s.api("/lian/info", s.info))
	mux.Handle("GET /lian/suggestions", s.api("/lian/suggestions", s.suggestions))
	mux.Handle("GET /metrics", s.api("/metrics", func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		s.writeMetrics(w)
		return nil
	}))
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]any{"status": "ok", "uptime_seconds": int64(time.Since(s.begun).Seconds())})
	})
	s.addPage(mux)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, refusal(http.StatusNotFound, "invalid_request_error", "unknown_url", "there is no %s %s here", r.Method, r.URL.Path))
	})
	return s.guard(mux)
}

// guard keeps other web sites out: on loopback the Host must be this machine's (a page that rebinds its name cannot
// know another), and a request that a page sends must come from a page of this server.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		host = strings.Trim(host, "[]")
		ip := net.ParseIP(host)
		if s.loopback && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			writeError(w, refusal(http.StatusForbidden, "invalid_request_error", "foreign_host", "the host %q is not this machine", r.Host))
			return
		}
		if origin := r.Header.Get("Origin"); origin != "" {
			if u, err := url.Parse(origin); err != nil || u.Host != r.Host {
				writeError(w, refusal(http.StatusForbidden, "invalid_request_error", "foreign_origin", "pages of %s may not use this server", origin))
				return
			}
		}
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		next.ServeHTTP(w, r)
	})
}

// statusWriter remembers the status for the metrics.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// api wraps a handler with the key, the limit, the metrics and the form of errors.
func (s *Server) api(path string, handle func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(plain http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		w := &statusWriter{ResponseWriter: plain}
		defer func() {
			if failure := recover(); failure != nil && failure != http.ErrAbortHandler {
				s.log.Error("a request failed", "path", path, "panic", failure, "stack", string(debug.Stack()))
				if w.status == 0 {
					writeError(w, refusal(http.StatusInternalServerError, "server_error", "internal", "internal error"))
				}
			}
			s.metrics.inFlight.Add(-1)
			s.metrics.request(path, max(w.status, http.StatusOK), time.Since(begun))
		}()
		running := s.metrics.inFlight.Add(1)
		if !s.authorised(r) {
			writeError(w, refusal(http.StatusUnauthorized, "invalid_request_error", "invalid_api_key", "the API key is missing or wrong; send it as Authorization: Bearer KEY"))
			return
		}
		if r.Method == http.MethodPost && running > int64(s.options.MaxRequests) {
			writeError(w, refusal(http.StatusServiceUnavailable, "server_error", "overloaded", "%d requests are being worked on already; try again", s.options.MaxRequests))
			return
		}
		if err := handle(w, r); err != nil {
			e := asAPIError(err)
			if e.status >= 500 {
				s.log.Warn("a request was not answered", "path", path, "status", e.status, "error", e.Message)
			}
			writeError(w, e)
		}
	})
}

func (s *Server) authorised(r *http.Request) bool {
	if s.options.APIKey == "" {
		return true
	}
	key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return ok && subtle.ConstantTimeCompare([]byte(key), []byte(s.options.APIKey)) == 1
}

// noteIgnored tells the client which fields had no effect.
func (s *Server) noteIgnored(w http.ResponseWriter, fields []string) {
	if len(fields) == 0 {
		return
	}
	var names []string
	for _, f := range fields {
		s.metrics.ignore(f)
		names = append(names, url.QueryEscape(f))
	}
	slices.Sort(names)
	w.Header().Set("Lian-Ignored", strings.Join(names, ", "))
}
