package step

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"

	"lian/chain"
	"lian/chain/report"
	"lian/chat"
	"lian/data/instruct"
	"lian/engine"
	"lian/event"
	"lian/model/adapter"
	"lian/serve"
	"lian/store"
)

// Served is a server with its models. Close it when it has ended.
type Served struct {
	Server *serve.Server
	IDs    []string // of the models, as clients name them
	// StandIns are models that do not use a chat template of their own, with the template that they use.
	StandIns [][2]string
	Notes    []string // what of the models' files could not be followed
	close    []func() error
}

// Close ends the engines and closes the models.
func (s *Served) Close() error {
	var errs []error
	for i := len(s.close) - 1; i >= 0; i-- {
		errs = append(errs, s.close[i]())
	}
	return errors.Join(errs...)
}

// ServedOptions say how the models of a server are opened.
type ServedOptions struct {
	Template      string   `yaml:"template" help:"chat template instead of the model's own: the name of one that comes with Lian, or a file"`
	Adapters      []string `yaml:"adapters" help:"adapters of the model, NAME=PATH, each served as a model of its own beside it"`
	SelfExtension `yaml:",inline"`
}

// OpenServer opens models and makes a server for them. Adapters stand beside the weights of one model and are served with it, each as a
// model of its own. log may be nil.
func OpenServer(models []string, how ServedOptions, o serve.Options, e engine.Options, log *slog.Logger) (*Served, error) {
	s := &Served{}
	if len(models) > 1 && len(how.Adapters) > 0 {
		return nil, fmt.Errorf("adapters belong to one model, and %d are to be served; serve one, or name it with each: MODEL+ADAPTER", len(models))
	}
	var generators []serve.Generator
	for _, path := range models {
		list, err := s.generators(path, how, e)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		generators = append(generators, list...)
	}
	for _, g := range generators {
		s.IDs = append(s.IDs, g.Info().ID)
	}
	var err error
	if s.Server, err = serve.New(generators, o, log); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// generators are a model, and the same with each adapter.
func (s *Served) generators(path string, how ServedOptions, o engine.Options) ([]serve.Generator, error) {
	b, err := Backend()
	if err != nil {
		return nil, err
	}
	m, err := OpenToRun(path, b)
	if err != nil {
		return nil, err
	}
	s.close = append(s.close, m.Close)
	if err := how.apply(m); err != nil {
		return nil, err
	}
	if err := m.UseTemplate(how.Template); err != nil {
		return nil, err
	}
	if m.StandIn != "" {
		s.StandIns = append(s.StandIns, [2]string{m.Name, m.StandIn})
	}
	stop, err := m.ChatStopIDs()
	if err != nil {
		return nil, err
	}
	e, err := m.engine(o)
	if err != nil {
		return nil, err
	}
	s.close = append(s.close, func() error { e.Close(); return nil })
	info := serve.Info{ID: m.Name, Parameters: int64(m.Model.Parameters().Count())}
	if stat, err := os.Stat(m.Path); err == nil {
		info.Created = stat.ModTime().Unix()
	}
	suggestions := filepath.Join(m.Path, "suggestions.json")
	if m.gguf {
		suggestions = strings.TrimSuffix(m.Path, ".gguf") + ".suggestions.json"
	}
	if exists(suggestions) {
		info.Suggestions = suggestions
	}
	if info.Pooling, err = m.pooling(); err != nil {
		s.Notes = append(s.Notes, err.Error()) // embeddings are then asked for by their pooling
	}
	list := []serve.Generator{serve.NewGenerator(e, m.Template, stop, info)}
	go e.PrepareConstraints(list[0].StopIDs()) // beside the first requests
	for _, named := range how.Adapters {
		name, path, err := namedAdapter(named)
		if err != nil {
			return nil, err
		}
		l, err := m.adapterBeside(path)
		if err == nil {
			err = e.AddAdapter(name, l)
		}
		if err != nil {
			return nil, fmt.Errorf("adapter %s: %w", name, err)
		}
		list = append(list, serve.WithAdapter(list[0], name))
	}
	return list, nil
}

// adapterBeside opens an adapter that is to stand beside the model's weights.
func (m *Opened) adapterBeside(path string) (*adapter.LoRA, error) {
	dir, _, err := locate(path)
	if err != nil {
		return nil, err
	}
	l, err := adapter.Load(dir, m.Backend, m.Model, m.Bindings)
	if err != nil {
		return nil, err
	}
	return l, l.Beside(m.Backend.NewStream(), m.Model)
}

// LoadOptions are what a load test takes.
type LoadOptions struct {
	Model     string `yaml:"model" help:"model to serve"`
	Questions string `yaml:"questions" help:"folder with heldout.jsonl: the conversations whose questions are asked"`
	Streams   []int  `yaml:"streams" help:"numbers of requests at one time" default:"1,8"`
	Requests  int    `yaml:"requests" help:"requests for each stream" default:"8" range:"1..100000"`
	Tokens    int    `yaml:"tokens" help:"most tokens of each reply" default:"48" range:"1..100000"`
}

// Load starts a server on a free port of this machine and measures what clients see.
func Load(ctx context.Context, o LoadOptions, events event.Sink) (reports []serve.LoadReport, err error) {
	asked, err := loadPrompts(o.Questions)
	if err != nil {
		return nil, err
	}
	served, err := OpenServer([]string{o.Model}, ServedOptions{}, serve.Options{Host: "127.0.0.1", MaxBody: 8 << 20, MaxRequests: 256, MaxChoices: 1}, engine.Options{}, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, served.Close()) }()
	listener, err := served.Server.Listen()
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func(l net.Listener) { ended <- served.Server.Serve(ctx, l) }(listener)
	defer func() { stop(); err = errors.Join(err, <-ended) }()
	warm := asked[:1]
	if _, err := serve.LoadTestWith(ctx, serve.URL(listener), served.IDs[0], warm, 1, serve.LoadOptions{MaxTokens: 4}); err != nil {
		return nil, err
	}
	for i, streams := range o.Streams {
		events.Emit(event.KindProgress, event.Progress{Stage: "load", Done: int64(i), Total: int64(len(o.Streams)), Unit: "levels"})
		prompts := make([]string, o.Requests*streams)
		for j := range prompts {
			prompts[j] = asked[j%len(asked)]
		}
		r, err := serve.LoadTestWith(ctx, serve.URL(listener), served.IDs[0], prompts, streams, serve.LoadOptions{MaxTokens: o.Tokens})
		if err != nil {
			return nil, err
		}
		reports = append(reports, r)
	}
	return reports, ctx.Err()
}

// loadPrompts are what held-out conversations ask that have a long answer, or else
// what any of them asks: a reply of one word says little about speed.
func loadPrompts(dir string) ([]string, error) {
	var long, all []string
	for e, err := range instruct.ReadExamples(filepath.Join(dir, instruct.HeldOutFile)) {
		if err != nil {
			return nil, err
		}
		for _, m := range e.Messages {
			if m.Role != chat.RoleUser {
				continue
			}
			all = append(all, m.Content)
			if e.Task == instruct.TaskChat && len(e.Answer) > 60 {
				long = append(long, m.Content)
			}
			break
		}
	}
	switch {
	case len(long) >= 4:
		return long, nil
	case len(all) > 0:
		return all, nil
	}
	return nil, fmt.Errorf("%s: there is nothing to ask in it", filepath.Join(dir, instruct.HeldOutFile))
}

func serveKind() chain.Kind {
	k := chain.NewKind("serve", "1", "the model served, and a load test", func(ctx context.Context, c *chain.Context, o *LoadOptions) error {
		reports, err := Load(ctx, *o, c.Events)
		if err != nil {
			return err
		}
		card := &report.Serve{Model: filepath.Base(o.Model)}
		for _, r := range reports {
			card.Requests, card.Failed = card.Requests+r.Requests, card.Failed+r.Failed
			if r.FirstError != "" {
				c.Events.Emit("serve.failed", r.FirstError)
			}
			card.Loads = append(card.Loads, report.Load{Streams: r.Streams, Requests: r.Requests, FirstToken: r.FirstP50 * 1000, FirstToken95: r.FirstP95 * 1000,
				TokensPerSecond: r.TokensPerSec, PerStream: r.TokensPerSec / float64(max(r.Streams, 1))})
		}
		if card.Failed == card.Requests {
			return fmt.Errorf("load test: all of %d requests failed; the first: %s", card.Requests, reports[0].FirstError)
		}
		if err := store.WriteJSON(c.Path("load.json"), reports); err != nil {
			return err
		}
		return c.WriteCard(report.Card{Serve: card})
	})
	k.Volatile = []string{"load.json"}
	return k
}
