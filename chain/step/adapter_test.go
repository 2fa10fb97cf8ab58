package step

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lian/dtype"
	"lian/engine"
	"lian/model"
	"lian/model/adapter"
	"lian/model/checkpoint"
	"lian/serve"
	"lian/tokenizer"
	"lian/verify/shared"
)

// TestAnAdapterBesideTheWeightsIsTheOneMergedIn: the same logits in exact precision, over weights that stay as they are.
func TestAnAdapterBesideTheWeightsIsTheOneMergedIn(t *testing.T) {
	base := shared.Path(t, "testdata", "golden", "train", "models", "llama_untied")
	ids := []int32{1, 5, 9, 200, 7, 42, 133, 11}
	for _, name := range []string{"lora_all_linear", "lora_dora", "lora_embedding_head", "lora_trainable_tokens"} {
		path := base + "+" + shared.Path(t, "testdata", "golden", "train", "peft", name)
		beside, err := openWeights(path, backend(t), checkpoint.Options{}, true)
		if err != nil {
			t.Fatal(err)
		}
		merged, err := OpenWeights(path, backend(t), checkpoint.Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, got, err := beside.forward(ids, model.Exact)
		if err != nil {
			t.Fatal(err)
		}
		_, want, err := merged.forward(ids, model.Exact)
		if err != nil {
			t.Fatal(err)
		}
		worst, most := 0.0, 0.0
		for i := range want {
			worst, most = math.Max(worst, math.Abs(float64(got[i]-want[i]))), math.Max(most, math.Abs(float64(want[i])))
		}
		if worst > 2e-5*most || beside.Adapter == nil || beside.Model.Adapter == nil || merged.Model.Adapter != nil {
			t.Errorf("%s: logits beside and merged differ by %.2g of %.2g", name, worst, most)
		}
		beside.Close()
		merged.Close()
	}
}

// TestQuantisedWeightsStayUnderAnAdapter: nothing becomes float32, and the reply is another than without.
func TestQuantisedWeightsStayUnderAnAdapter(t *testing.T) {
	base := shared.Path(t, "testdata", "golden", "infer", "gguf", "tiny-llama-q8_0.gguf")
	b := backend(t)
	m, err := OpenWeights(base, b, checkpoint.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	l, err := adapter.New(b, m.Model, m.Bindings, adapter.Config{Rank: 2, Alpha: 8}, 1)
	if err != nil {
		t.Fatal(err)
	}
	s := b.NewStream()
	for _, p := range l.Parameters().All() {
		raw := make([]byte, p.Tensor.Bytes())
		for i := range raw {
			raw[i] = []byte{0, 0, 0x80, 0x3d}[i%4] // 0.0625
		}
		s.Write(p.Tensor, raw)
	}
	out := filepath.Join(t.TempDir(), "适配")
	if err := l.Save(out, s, m.Bindings, base); err != nil {
		t.Fatal(err)
	}
	run, err := openWeights(base+"+"+out, b, checkpoint.Options{}, true)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	if w := run.Model.Parameters().Get("layers.0.attention.q"); w.Type != dtype.Q8_0 {
		t.Errorf("the weights are %v, expected Q8_0 as in the file", w.Type)
	}
	ids := []int32{1, 2, 3}
	_, plain, err := m.forward(ids, model.Fast)
	if err != nil {
		t.Fatal(err)
	}
	_, got, err := run.forward(ids, model.Fast)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Equal(plain, got) {
		t.Error("the adapter changes nothing")
	}
}

// speaking is a copy of a model of 257 tokens, with a tokenizer of bytes.
func speaking(t *testing.T, path string) string {
	t.Helper()
	b := backend(t)
	m, err := OpenWeights(path, b, checkpoint.Options{Float32: true})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	tok, err := tokenizer.New(tokenizer.Definition{Tokens: append(tokenizer.Alphabet(), "<|end|>"), Added: []tokenizer.Added{{ID: 256, Text: "<|end|>", Special: true}}})
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), filepath.Base(path))
	if err := saveModel(out, b.NewStream(), m.Family, m.Model, m.Config, tok, nil, 256, true); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestAdaptersAreServedByName: one engine, and the request's model chooses.
func TestAdaptersAreServedByName(t *testing.T) {
	base := speaking(t, shared.Path(t, "testdata", "golden", "train", "models", "llama_untied"))
	peft := shared.Path(t, "testdata", "golden", "train", "peft")
	adapters := []string{"律师=" + filepath.Join(peft, "lora_all_linear"), "rs=" + filepath.Join(peft, "lora_rs")}
	if _, err := OpenServer([]string{base, base}, ServedOptions{Adapters: adapters}, serve.Options{}, engine.Options{}, nil); err == nil || !strings.Contains(err.Error(), "one model") {
		t.Errorf("adapters of two models: %v", err)
	}
	if _, err := OpenServer([]string{base}, ServedOptions{Adapters: []string{"rs"}}, serve.Options{}, engine.Options{}, nil); err == nil || !strings.Contains(err.Error(), "NAME=PATH") {
		t.Errorf("an adapter without a name: %v", err)
	}
	s, err := OpenServer([]string{base}, ServedOptions{Adapters: adapters}, serve.Options{MaxBody: 1 << 20, MaxRequests: 10, MaxChoices: 1}, engine.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	h := httptest.NewServer(s.Server.Handler())
	defer h.Close()
	if want := []string{"llama_untied", "律师", "rs"}; !slices.Equal(s.IDs, want) {
		t.Errorf("served are %q, expected %q", s.IDs, want)
	}
	ask := func(name string) (int, string) {
		body, _ := json.Marshal(map[string]any{"model": name, "prompt": "ab", "max_tokens": 12, "temperature": 0})
		r, err := http.Post(h.URL+"/v1/completions", "application/json", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		var answer struct{ Choices []struct{ Text string } }
		if json.Unmarshal(raw, &answer); len(answer.Choices) == 1 {
			return r.StatusCode, answer.Choices[0].Text
		}
		return r.StatusCode, string(raw)
	}
	_, plain := ask("")
	_, named := ask("llama_untied")
	_, lawyer := ask("律师")
	_, whole := ask("llama_untied+律师")
	if plain != named || lawyer != whole || plain == lawyer {
		t.Errorf("replies of the model %q and %q, of the adapter %q and %q", plain, named, lawyer, whole)
	}
	if status, text := ask("nobody"); status != http.StatusNotFound {
		t.Errorf("an unknown model: %d %s", status, text)
	}
}
