// Package alert tells people far away of what needs them: by a webhook and by a command.
//
// It guarantees that training never waits for it, that the same trouble is told once in a while and not once a step, with the number of times
// it came since, and that what could not be delivered is an event of the run. The text is English, as logs are. It refuses to run
// a shell: a command is a program and its arguments.
package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"time"

	"lian/event"
)

// Options say who is told.
type Options struct {
	Webhook string        `yaml:"webhook" help:"address that alerts are posted to as JSON"`
	Shape   string        `yaml:"shape" help:"JSON that the webhook expects: kind, run, text and details; or that of Feishu or Slack" default:"plain" range:"plain|feishu|slack"`
	Command []string      `yaml:"command" help:"program with its arguments that is run for each alert; the text comes on its standard input"`
	Again   time.Duration `yaml:"again" help:"the same kind of alert is told once in so much time" default:"30m"`
}

// Check says what is wrong with the options.
func (o Options) Check() error {
	if o.Webhook != "" && !strings.HasPrefix(o.Webhook, "http://") && !strings.HasPrefix(o.Webhook, "https://") {
		return fmt.Errorf("alert.webhook is %q, expected an address that begins with http:// or https://", o.Webhook)
	}
	if len(o.Command) > 0 {
		if _, err := exec.LookPath(o.Command[0]); err != nil {
			return fmt.Errorf("alert.command: %w", err)
		}
	}
	return nil
}

// KindFailed is told of an alert that could not be delivered; the payload is a Failed.
const KindFailed = "alert.failed"

// Failed is an alert that did not arrive.
type Failed struct {
	By    string `json:"by"` // "webhook" or "command"
	Error string `json:"error"`
}

// Message is an alert.
type Message struct {
	Kind  string `json:"kind"` // of the event
	Run   string `json:"run"`
	Text  string `json:"text"`
	Count int    `json:"count"` // of this kind since it was told last
	About any    `json:"about,omitempty"`
}

// Sink is an event.Sink that tells of the kinds it knows. Close it to have what is on its way delivered.
type Sink struct {
	options Options
	run     string
	kinds   []string
	failed  event.Sink
	client  http.Client
	now     func() time.Time

	mu      sync.Mutex
	told    map[string]time.Time
	counts  map[string]int
	closed  bool
	waiting chan Message
	done    chan struct{}
}

const (
	deliver = 20 * time.Second // for one alert
	queue   = 32
)

// New tells of events of some kinds; what cannot be delivered is emitted to failed.
func New(o Options, run string, kinds []string, failed event.Sink) *Sink {
	s := &Sink{options: o, run: run, kinds: kinds, failed: failed, client: http.Client{Timeout: deliver}, now: time.Now,
		told: map[string]time.Time{}, counts: map[string]int{}, waiting: make(chan Message, queue), done: make(chan struct{})}
	go s.work()
	return s
}

// Emit implements event.Sink.
func (s *Sink) Emit(kind string, payload any) {
	known := false
	for _, k := range s.kinds {
		known = known || k == kind
	}
	if !known || s.options.Webhook == "" && len(s.options.Command) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[kind]++
	if at, ok := s.told[kind]; s.closed || ok && s.now().Sub(at) < s.options.Again {
		return
	}
	about, err := json.Marshal(payload)
	if err != nil {
		about, _ = json.Marshal(fmt.Sprint(payload))
	}
	m := Message{Kind: kind, Run: s.run, Count: s.counts[kind], About: json.RawMessage(about), Text: fmt.Sprintf("lian: %s: %s (%d times): %s", s.run, kind, s.counts[kind], about)}
	select {
	case s.waiting <- m:
		s.told[kind], s.counts[kind] = s.now(), 0
	default: // the last ones are still on their way; the next of this kind tells the count
	}
}

func (s *Sink) work() {
	defer close(s.done)
	for m := range s.waiting {
		if s.options.Webhook != "" {
			s.report("webhook", s.post(m))
		}
		if len(s.options.Command) > 0 {
			s.report("command", s.execute(m))
		}
	}
}

func (s *Sink) report(by string, err error) {
	if err != nil {
		s.failed.Emit(KindFailed, Failed{by, err.Error()})
	}
}

// post sends an alert in the shape that is expected.
func (s *Sink) post(m Message) error {
	var body any = m
	switch s.options.Shape {
	case "feishu": // open.feishu.cn, custom bots
		body = map[string]any{"msg_type": "text", "content": map[string]string{"text": m.Text}}
	case "slack": // api.slack.com, incoming webhooks
		body = map[string]string{"text": m.Text}
	}
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := s.client.Post(s.options.Webhook, "application/json", bytes.NewReader(data))
	if err != nil {
		return err
	}
	defer r.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(r.Body, 200))
	if r.StatusCode/100 != 2 {
		return fmt.Errorf("the webhook answered %s: %s", r.Status, answer)
	}
	return nil
}

// execute runs the command with the text on its standard input.
func (s *Sink) execute(m Message) error {
	ctx, cancel := context.WithTimeout(context.Background(), deliver)
	defer cancel()
	c := exec.CommandContext(ctx, s.options.Command[0], s.options.Command[1:]...)
	c.Stdin = strings.NewReader(m.Text + "\n")
	c.WaitDelay = time.Second
	if out, err := c.CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", s.options.Command[0], err), textError(out))
	}
	return nil
}

func textError(out []byte) error {
	if out = bytes.TrimSpace(out); len(out) == 0 {
		return nil
	}
	return fmt.Errorf("it said: %.200s", out)
}

// Close delivers what is on its way, as long as an alert may take.
func (s *Sink) Close() {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.waiting)
	}
	s.mu.Unlock()
	select {
	case <-s.done:
	case <-time.After(2 * deliver):
	}
}
