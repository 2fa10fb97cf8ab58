// Package servetest has a model for tests of servers and pages: it needs no weights, answers at once or slowly, and obeys
// sampling, stops and constraints as an engine does. Its words mean nothing unless a script gives them.
package servetest

import (
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"lian/chat"
	"lian/engine"
	"lian/engine/grammar"
	"lian/engine/sample"
	"lian/serve"
)

// Fake is a generator whose tokens are bytes, some words, and a stop token.
type Fake struct {
	Name        string
	Context     int                        // 0 is 4096
	Delay       time.Duration              // per token
	Script      func(prompt string) string // the reply to a prompt; nil or "" is babble
	Suggestions string                     // path of a file
	Speaks      string                     // its tool dialect; "" is the one that engine/grammar writes

	once       sync.Once
	words      []string
	vocabulary *grammar.Vocabulary
	mu         sync.Mutex
	running    int
	cancelled  int
}

const (
	stopID    = 256
	firstWord = 257
)

func (f *Fake) prepare() {
	f.once.Do(func() {
		f.words = []string{" the", " sea", " one", " two", " three", " four", " five", "hello", " world", " red", " green", " blue", ",", ". ", " and",
			" 海", "你好", " a", " cat", " dog", " story", " long", " of", " in"}
		f.vocabulary = grammar.NewVocabulary(f.TokenBytes, firstWord+len(f.words), []int32{stopID})
	})
}

// Info implements serve.Generator.
func (f *Fake) Info() serve.Info {
	return serve.Info{ID: f.Name, Description: "a stand-in without weights", Parameters: 1_234_567, Type: "F32", Context: f.context(), Created: 1,
		Temperature: 0.7, Suggestions: f.Suggestions, ChatTemplate: true}
}

func (f *Fake) context() int {
	if f.Context == 0 {
		return 4096
	}
	return f.Context
}

// Dialect implements serve.Generator.
func (f *Fake) Dialect() *chat.Dialect {
	if d, err := chat.DialectNamed(f.Speaks); err == nil {
		return d
	}
	return chat.DialectOf("")
}

// EncodeChat renders in a plain form.
func (f *Fake) EncodeChat(messages []chat.Message, tools []chat.Tool) ([]int32, string, error) {
	var b strings.Builder
	for _, t := range tools {
		fmt.Fprintf(&b, "[tool %s]\n", t.Name)
	}
	for _, m := range messages {
		fmt.Fprintf(&b, "%s: %s\n", m.Role, m.Content)
	}
	b.WriteString("assistant: ")
	return f.Encode(b.String()), b.String(), nil
}

// Encode gives one token for each byte.
func (f *Fake) Encode(text string) []int32 {
	ids := make([]int32, len(text))
	for i := range len(text) {
		ids[i] = int32(text[i])
	}
	return ids
}

// TokenBytes implements serve.Generator.
func (f *Fake) TokenBytes(id int32) []byte {
	switch {
	case id >= 0 && id < stopID:
		return []byte{byte(id)}
	case id >= firstWord && int(id) < firstWord+len(f.words):
		return []byte(f.words[id-firstWord])
	}
	return nil
}

// StopIDs implements serve.Generator.
func (f *Fake) StopIDs() []int32 { return []int32{stopID} }

// Load implements serve.Generator.
func (f *Fake) Load() (running, waiting int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.running, 0
}

// Cancelled is the number of replies that were ended from outside.
func (f *Fake) Cancelled() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cancelled
}

// Generate implements serve.Generator.
func (f *Fake) Generate(ctx context.Context, r engine.Request) (serve.Stream, error) {
	f.prepare()
	if err := r.Sample.Validate(); err != nil {
		return nil, err
	}
	if len(r.Prompt)+max(r.MaxTokens, 1) > f.context() {
		return nil, fmt.Errorf("%w: %d tokens of prompt + %d asked > %d", engine.ErrContext, len(r.Prompt), r.MaxTokens, f.context())
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &stream{tokens: make(chan engine.Token), done: make(chan struct{}), cancel: cancel}
	f.mu.Lock()
	f.running++
	f.mu.Unlock()
	go func() {
		defer cancel()
		s.result = f.generate(ctx, r, s.tokens)
		f.mu.Lock()
		f.running--
		if s.result.Finish == engine.FinishCancelled {
			f.cancelled++
		}
		f.mu.Unlock()
		close(s.tokens)
		close(s.done)
	}()
	return s, nil
}

type stream struct {
	tokens chan engine.Token
	done   chan struct{}
	result engine.Result
	cancel func()
}

func (s *stream) Next() (engine.Token, bool) {
	t, more := <-s.tokens
	return t, more
}

func (s *stream) Result() engine.Result {
	<-s.done
	return s.result
}

func (s *stream) Cancel() { s.cancel() }

// generate is a small engine: logits are a hash of what came before, or follow the script.
func (f *Fake) generate(ctx context.Context, r engine.Request, out chan<- engine.Token) engine.Result {
	result := engine.Result{PromptTokens: len(r.Prompt), CachedTokens: len(r.Prompt) / 2}
	for i, id := range r.Prompt {
		if r.PromptLogProbs {
			result.Prompt = append(result.Prompt, engine.PromptToken{ID: id, LogProb: -float32(i) / 8})
		}
	}
	prompt := make([]byte, 0, len(r.Prompt))
	for _, id := range r.Prompt {
		prompt = append(prompt, f.TokenBytes(id)...)
	}
	script := ""
	if f.Script != nil {
		script = f.Script(string(prompt))
		if r.Constraint != nil {
			if ok, _ := r.Constraint.Match(script); !ok {
				script = ""
			}
		}
	}
	var matcher *grammar.Matcher
	if r.Constraint != nil {
		matcher = grammar.NewMatcher(r.Constraint, f.vocabulary)
	}
	sampler := sample.New(r.Sample)
	size := f.vocabulary.Size()
	mask := make([]uint64, (size+63)/64)
	var text strings.Builder
	pending, shown := "", 0
	ids := slices.Clone(r.Prompt)
	end := func(finish string) engine.Result {
		result.Finish, result.Text = finish, text.String()
		return result
	}
	emit := func(t engine.Token) bool {
		select {
		case out <- t:
			return true
		case <-ctx.Done():
			return false
		}
	}
	for {
		if f.Delay > 0 {
			select {
			case <-time.After(f.Delay):
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return end(engine.FinishCancelled)
		}
		logits := f.logits(ids, script, len(result.IDs))
		if matcher != nil {
			if matcher.Mask(mask) == 0 {
				return end(engine.FinishConstraint)
			}
			for id := range logits {
				if mask[id/64]>>(id%64)&1 == 0 {
					logits[id] = float32(math.Inf(-1))
				}
			}
			if matcher.Complete() && script == "" {
				logits[stopID] = float32(len(result.IDs)) - 4
			}
			if rest := matcher.Completion(); len(rest) > 0 && len(result.IDs) > 24 && script == "" {
				logits[rest[0]] = 20 // words without meaning would never close their quotes
			}
		}
		id := sampler.Next(logits, len(ids))
		if id < 0 || slices.Contains(r.StopIDs, id) {
			return end(engine.FinishStop)
		}
		if matcher != nil && matcher.Accept(id) != nil {
			return end(engine.FinishConstraint)
		}
		ids = append(ids, id)
		result.IDs = append(result.IDs, id)
		pending += string(f.TokenBytes(id))
		t := engine.Token{ID: id}
		if r.LogProbs {
			t.LogProb, t.Top = logProbs(logits, id, r.Top)
		}
		all := text.String() + pending
		stopped := false
		for _, stop := range r.StopText {
			if at := strings.Index(all, stop); at >= 0 {
				all, stopped = all[:at], true
			}
		}
		if stopped {
			t.Text = all[min(shown, len(all)):]
			text.Reset()
			text.WriteString(all)
			emit(t)
			return end(engine.FinishStop)
		}
		if holds(pending, r.StopText) == 0 && utf8.ValidString(pending) {
			t.Text, pending = pending, ""
			text.WriteString(t.Text)
			shown = text.Len()
		}
		if !emit(t) {
			return end(engine.FinishCancelled)
		}
		if matcher != nil && matcher.Done() {
			return end(engine.FinishStop)
		}
		if r.MaxTokens > 0 && len(result.IDs) == r.MaxTokens || len(ids) == f.context() {
			if pending != "" {
				rest := strings.ToValidUTF8(pending, "\uFFFD")
				text.WriteString(rest)
				emit(engine.Token{ID: -1, Text: rest})
			}
			return end(engine.FinishLength)
		}
	}
}

// holds is how much of the end of text begins a stop text.
func holds(text string, stops []string) int {
	most := 0
	for _, stop := range stops {
		for n := min(len(stop)-1, len(text)); n > most; n-- {
			if strings.HasSuffix(text, stop[:n]) {
				most = n
			}
		}
	}
	return most
}

func (f *Fake) logits(ids []int32, script string, position int) []float32 {
	logits := make([]float32, f.vocabulary.Size())
	if script != "" {
		for i := range logits {
			logits[i] = -50
		}
		if position < len(script) {
			logits[script[position]] = 0
		} else {
			logits[stopID] = 0
		}
		return logits
	}
	h := fnv.New64a()
	for _, id := range ids {
		h.Write([]byte{byte(id), byte(id >> 8)})
	}
	seed := h.Sum64()
	for i := range logits {
		x := (seed ^ uint64(i)*0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9
		logits[i] = float32(x>>40) / (1 << 22)
		if i < 0x20 || i >= 0x7F && i < stopID {
			logits[i] = -30 // control characters and halves of characters: only where a constraint leaves nothing else
		}
		if i >= firstWord {
			logits[i] += 3
		}
	}
	logits[stopID] = float32(position)/16 - 3
	return logits
}

func logProbs(logits []float32, id int32, top int) (float32, []engine.TopToken) {
	sum := 0.0
	for _, l := range logits {
		sum += math.Exp(float64(l))
	}
	lse := math.Log(sum)
	order := make([]int32, len(logits))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		if logits[a] != logits[b] {
			if logits[a] > logits[b] {
				return -1
			}
			return 1
		}
		return int(a - b)
	})
	var list []engine.TopToken
	for _, t := range order[:min(top, len(order))] {
		list = append(list, engine.TopToken{ID: t, LogProb: float32(float64(logits[t]) - lse)})
	}
	return float32(float64(logits[id]) - lse), list
}
