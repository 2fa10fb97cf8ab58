package serve

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// metrics counts what the server did, and writes it in the text format of Prometheus (exposition format 0.0.4).
type metrics struct {
	prompt     atomic.Int64 // tokens
	generated  atomic.Int64
	cancelled  atomic.Int64 // replies whose client hung up
	inFlight   atomic.Int64
	firstToken histogram
	duration   histogram

	mu       sync.Mutex
	requests map[requestKey]int64
	ignored  map[string]int64 // fields
}

type requestKey struct {
	path   string
	status int
}

func (m *metrics) request(path string, status int, took time.Duration) {
	m.duration.observe(took)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.requests == nil {
		m.requests = map[requestKey]int64{}
	}
	m.requests[requestKey{path, status}]++
}

// maxIgnored bounds the names that strangers can put into the metrics.
const maxIgnored = 100

func (m *metrics) ignore(field string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ignored == nil {
		m.ignored = map[string]int64{}
	}
	if _, known := m.ignored[field]; !known && len(m.ignored) >= maxIgnored {
		field = "(others)"
	}
	m.ignored[field]++
}

// buckets are upper bounds in seconds.
var buckets = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300}

type histogram struct {
	mu     sync.Mutex
	counts [15]int64 // one more than buckets
	sum    float64
}

func (h *histogram) observe(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i, _ := slices.BinarySearch(buckets, d.Seconds())
	h.counts[i]++
	h.sum += d.Seconds()
}

func (h *histogram) write(w io.Writer, name, help string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s histogram\n", name, help, name)
	total := int64(0)
	for i, bound := range buckets {
		total += h.counts[i]
		fmt.Fprintf(w, "%s_bucket{le=\"%s\"} %d\n", name, strconv.FormatFloat(bound, 'g', -1, 64), total)
	}
	total += h.counts[len(buckets)]
	fmt.Fprintf(w, "%s_bucket{le=\"+Inf\"} %d\n%s_sum %g\n%s_count %d\n", name, total, name, h.sum, name, total)
}

func (s *Server) writeMetrics(w io.Writer) {
	m := &s.metrics
	simple := func(name, kind, help string, value int64) {
		fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n%s %d\n", name, help, name, kind, name, value)
	}
	simple("lian_prompt_tokens_total", "counter", "Tokens of prompts.", m.prompt.Load())
	simple("lian_generated_tokens_total", "counter", "Tokens generated.", m.generated.Load())
	simple("lian_cancelled_replies_total", "counter", "Replies whose client hung up.", m.cancelled.Load())
	simple("lian_requests_in_flight", "gauge", "HTTP requests being answered.", m.inFlight.Load())
	m.firstToken.write(w, "lian_time_to_first_token_seconds", "From the request to the first token of a reply.")
	m.duration.write(w, "lian_request_duration_seconds", "From the request to the end of the answer.")

	fmt.Fprint(w, "# HELP lian_sequences Sequences by state.\n# TYPE lian_sequences gauge\n")
	for _, model := range s.models {
		if model.Info().Base != "" { // counted with its base, whose engine it shares
			continue
		}
		running, waiting := model.Load()
		fmt.Fprintf(w, "lian_sequences{model=%q,state=\"running\"} %d\nlian_sequences{model=%q,state=\"waiting\"} %d\n", model.Info().ID, running, model.Info().ID, waiting)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	fmt.Fprint(w, "# HELP lian_requests_total HTTP requests by path and status.\n# TYPE lian_requests_total counter\n")
	for _, key := range slices.SortedFunc(maps.Keys(m.requests), func(a, b requestKey) int {
		if a.path != b.path {
			return int(slices.Compare([]byte(a.path), []byte(b.path)))
		}
		return a.status - b.status
	}) {
		fmt.Fprintf(w, "lian_requests_total{path=%q,status=\"%d\"} %d\n", key.path, key.status, m.requests[key])
	}
	fmt.Fprint(w, "# HELP lian_ignored_fields_total Unknown request fields that were ignored.\n# TYPE lian_ignored_fields_total counter\n")
	for _, field := range slices.Sorted(maps.Keys(m.ignored)) {
		fmt.Fprintf(w, "lian_ignored_fields_total{field=%s} %d\n", strconv.QuoteToASCII(field), m.ignored[field])
	}
}
