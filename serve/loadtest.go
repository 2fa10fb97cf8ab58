package serve

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// LoadReport is what a load test measured. Latencies of single requests are sorted; percentiles are nearest rank.
type LoadReport struct {
	Streams      int     `json:"streams"`  // requests at one time
	Requests     int     `json:"requests"` // all that were sent
	Failed       int     `json:"failed"`
	FirstError   string  `json:"first_error,omitempty"`
	Seconds      float64 `json:"seconds"`           // wall time of all
	PromptTokens int     `json:"prompt_tokens"`     // as the server counts
	Tokens       int     `json:"tokens"`            // generated, as the server counts
	TokensPerSec float64 `json:"tokens_per_second"` // generated, over all streams and the wall time
	FirstP50     float64 `json:"ttft_p50_seconds"`  // from sending to the first text
	FirstP95     float64 `json:"ttft_p95_seconds"`
	BetweenP50   float64 `json:"token_p50_seconds"` // mean time per further token of a request
	BetweenP95   float64 `json:"token_p95_seconds"`
}

// LoadOptions say what each request asks; the zero value is 64 tokens at temperature 0.
type LoadOptions struct {
	MaxTokens   int
	Temperature float32
	APIKey      string
	Completions bool // ask /v1/completions, for models that do not chat
}

// LoadTest sends every prompt once to a server on this machine, with at most streams requests at one time, and measures
// what a client sees. Another machine's server is refused: load is not for strangers.
func LoadTest(ctx context.Context, baseURL, model string, prompts []string, streams int) (LoadReport, error) {
	return LoadTestWith(ctx, baseURL, model, prompts, streams, LoadOptions{})
}

// LoadTestWith is LoadTest with options.
func LoadTestWith(ctx context.Context, baseURL, model string, prompts []string, streams int, o LoadOptions) (LoadReport, error) {
	report := LoadReport{Streams: streams, Requests: len(prompts)}
	base, err := url.Parse(strings.TrimSuffix(strings.TrimSuffix(baseURL, "/"), "/v1"))
	if err != nil {
		return report, fmt.Errorf("load test: %w", err)
	}
	if ip := net.ParseIP(base.Hostname()); base.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return report, fmt.Errorf("load test: %s is not this machine; only loopback addresses are tested", base.Hostname())
	}
	if streams < 1 || len(prompts) == 0 {
		return report, fmt.Errorf("load test: %d streams and %d prompts, expected at least one of each", streams, len(prompts))
	}
	if o.MaxTokens == 0 {
		o.MaxTokens = 64
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: streams, Proxy: nil}}
	defer client.CloseIdleConnections()
	var (
		mu             sync.Mutex
		first, between []float64
		queue          = make(chan string)
		wait           sync.WaitGroup
	)
	begun := time.Now()
	for range streams {
		wait.Go(func() {
			for prompt := range queue {
				one, err := measure(ctx, client, base.String(), model, prompt, o)
				mu.Lock()
				if err != nil {
					report.Failed++
					if report.FirstError == "" {
						report.FirstError = err.Error()
					}
				} else {
					report.Tokens += one.tokens
					report.PromptTokens += one.prompt
					first = append(first, one.first.Seconds())
					if one.tokens > 1 {
						between = append(between, (one.total-one.first).Seconds()/float64(one.tokens-1))
					}
				}
				mu.Unlock()
			}
		})
	}
send:
	for _, prompt := range prompts {
		select {
		case queue <- prompt:
		case <-ctx.Done():
			break send
		}
	}
	close(queue)
	wait.Wait()
	if err := ctx.Err(); err != nil {
		return report, err
	}
	report.Seconds = time.Since(begun).Seconds()
	report.TokensPerSec = float64(report.Tokens) / report.Seconds
	report.FirstP50, report.FirstP95 = percentile(first, 50), percentile(first, 95)
	report.BetweenP50, report.BetweenP95 = percentile(between, 50), percentile(between, 95)
	if report.Failed == report.Requests {
		return report, fmt.Errorf("load test: every request failed; the first: %s", report.FirstError)
	}
	return report, nil
}

// percentile is the nearest-rank percentile, 0 of nothing. It sorts its argument.
func percentile(list []float64, p int) float64 {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	rank := (p*len(list) + 99) / 100
	return list[max(rank, 1)-1]
}

type measured struct {
	first, total   time.Duration
	prompt, tokens int
}

// measure streams one reply.
func measure(ctx context.Context, client *http.Client, base, model, prompt string, o LoadOptions) (measured, error) {
	ask := map[string]any{"model": model, "max_tokens": o.MaxTokens, "temperature": o.Temperature, "stream": true,
		"stream_options": map[string]bool{"include_usage": true}}
	path := "/v1/chat/completions"
	if o.Completions {
		path, ask["prompt"] = "/v1/completions", prompt
	} else {
		ask["messages"] = []map[string]string{{"role": "user", "content": prompt}}
	}
	body, err := json.Marshal(ask)
	if err != nil {
		return measured{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, base+path, bytes.NewReader(body))
	if err != nil {
		return measured{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	if o.APIKey != "" {
		request.Header.Set("Authorization", "Bearer "+o.APIKey)
	}
	begun := time.Now()
	response, err := client.Do(request)
	if err != nil {
		return measured{}, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 4096))
		return measured{}, fmt.Errorf("status %d: %s", response.StatusCode, bytes.TrimSpace(text))
	}
	var m measured
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		if data == "[DONE]" {
			m.total = time.Since(begun)
			if m.first == 0 { // an empty reply: its end is the first thing that came
				m.first = m.total
			}
			return m, nil
		}
		var chunk struct {
			Choices []struct {
				Text  string
				Delta struct{ Content string }
			}
			Usage *usage
			Error *apiError
		}
		if err := json.Unmarshal([]byte(data), &chunk); err != nil {
			return m, err
		}
		if chunk.Error != nil {
			return m, chunk.Error
		}
		if chunk.Usage != nil {
			m.prompt, m.tokens = chunk.Usage.PromptTokens, chunk.Usage.CompletionTokens
		}
		if m.first == 0 && len(chunk.Choices) > 0 && chunk.Choices[0].Text+chunk.Choices[0].Delta.Content != "" {
			m.first = time.Since(begun)
		}
	}
	if err := lines.Err(); err != nil {
		return m, err
	}
	return m, errors.New("the stream ended before [DONE]")
}
