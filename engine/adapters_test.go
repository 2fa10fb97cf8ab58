package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"lian/compute"
	"lian/compute/ref"
	"lian/engine/sample"
	"lian/model"
	"lian/model/adapter"
)

// adapted starts an engine with the adapters one and two.
func adapted(t *testing.T, o Options) *Engine {
	t.Helper()
	b := ref.New()
	m, tok := tiny(t, b, 96)
	e, err := New(b, m, tok, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	var bindings []model.Binding
	for _, p := range m.Parameters().All() {
		bindings = append(bindings, model.Binding{Parameter: p.Name, Shape: p.Tensor.Shape, Hub: model.View{Name: p.Name}, Adaptable: len(p.Tensor.Shape) == 2 && p.Name != "embedding"})
	}
	for i, name := range []string{"one", "two"} {
		l, err := adapter.New(b, m, bindings, adapter.Config{Rank: i + 1, Alpha: 4}, uint64(i))
		if err != nil {
			t.Fatal(err)
		}
		s := b.NewStream()
		for j, p := range l.Parameters().All() {
			values := make([]float32, p.Tensor.Elements())
			for k := range values {
				values[k] = float32((i*5+j*7+k*11)%13)/13 - 0.5
			}
			s.Write(p.Tensor, compute.HostBytes(values))
		}
		if err := l.Beside(s, m); err != nil {
			t.Fatal(err)
		}
		if err := e.AddAdapter(name, l); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

// TestRepliesOfAdaptersDependOnTheRequestAlone: the same prompts through two adapters and none, alone and all at once.
func TestRepliesOfAdaptersDependOnTheRequestAlone(t *testing.T) {
	ask := func(e *Engine, together bool) (replies [][]int32) {
		var streams []*Stream
		for i, text := range []string{"ab", "你好，世界", "a longer prompt than the others are"} {
			for _, name := range []string{"one", "", "two"} {
				s, err := e.Generate(context.Background(), Request{Prompt: e.Tokenizer.Encode(text), Adapter: name, MaxTokens: 20, Sample: sample.Params{Temperature: float32(i), Seed: 5}})
				if err != nil {
					t.Fatal(err)
				}
				if !together {
					s.Result()
				}
				streams = append(streams, s)
			}
		}
		for _, s := range streams {
			if r := s.Result(); r.Err != nil {
				t.Fatal(r.Err)
			} else {
				replies = append(replies, r.IDs)
			}
		}
		return replies
	}
	want := ask(adapted(t, Options{}), false)
	for i := range want {
		for j := range i {
			if i/3 == j/3 && slices.Equal(want[i], want[j]) {
				t.Errorf("replies %d and %d are the same: an adapter changes nothing", j, i)
			}
		}
	}
	for _, o := range []Options{{}, {StepTokens: 5}, {CacheTokens: 96}, {Sequences: 4}} {
		if got := ask(adapted(t, o), true); !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%+v: together the replies are %v, alone %v", o, got, want)
		}
	}
}

// TestAdaptersAreNamed: unknown and double names are errors; a removed adapter ends nothing that runs.
func TestAdaptersAreNamed(t *testing.T) {
	e := adapted(t, Options{})
	ask := func(name string) (*Stream, error) {
		return e.Generate(context.Background(), Request{Prompt: e.Tokenizer.Encode("x"), Adapter: name, MaxTokens: 60})
	}
	if _, err := ask("three"); !errors.Is(err, ErrAdapter) {
		t.Errorf("an unknown adapter: %v", err)
	}
	s, err := ask("one")
	if err != nil {
		t.Fatal(err)
	}
	before := e.adapters["one"]
	if err := e.AddAdapter("one", before); err == nil {
		t.Error("a second adapter got the first one's name")
	}
	if err := e.RemoveAdapter("one"); err != nil {
		t.Fatal(err)
	}
	if r := s.Result(); r.Finish != FinishLength || len(r.IDs) != 60 {
		t.Errorf("a reply whose adapter was removed finished with %q after %d tokens", r.Finish, len(r.IDs))
	}
	if _, err := ask("one"); !errors.Is(err, ErrAdapter) {
		t.Errorf("a removed adapter: %v", err)
	}
	if err := e.RemoveAdapter("one"); !errors.Is(err, ErrAdapter) {
		t.Errorf("removing it again: %v", err)
	}
	if got := fmt.Sprint(e.Adapters()); got != "[two]" {
		t.Errorf("the engine has %s", got)
	}
}
