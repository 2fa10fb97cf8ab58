package sample

import (
	"bufio"
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"lian/verify/shared"
)

// goldenCase is one line of the sampler vectors: the candidates an engine kept of a logit row, and their values.
type goldenCase struct {
	Engine  string          `json:"engine"`
	Name    string          `json:"name"`
	Params  json.RawMessage `json:"params"`
	Logits  string          `json:"logits"`
	History []int32         `json:"history"`
	Kept    []int32         `json:"kept"`
	Out     []float32       `json:"out"`
}

// goldenParams holds every parameter name of the three files.
type goldenParams struct {
	Temperature  float32            `json:"temperature"`
	T            float32            `json:"t"`
	TopK         int                `json:"top_k"`
	K            int                `json:"k"`
	TopP         float32            `json:"top_p"`
	MinP         float32            `json:"min_p"`
	P            float32            `json:"p"`
	MinKeep      int                `json:"min_tokens_to_keep"`
	MinKeepLlama int                `json:"min_keep"`
	Penalty      float32            `json:"penalty"`
	Presence     float32            `json:"presence_penalty"`
	Frequency    float32            `json:"frequency_penalty"`
	LogitBias    map[string]float32 `json:"logit_bias"`
	LastN        int                `json:"last_n"`
	Repeat       float32            `json:"repeat"`
	LlamaFreq    float32            `json:"frequency"`
	LlamaPres    float32            `json:"presence"`
	Order        []string           `json:"order"`
}

func goldenLogits(t *testing.T) map[string][]float32 {
	data, err := os.ReadFile(shared.Path(t, "testdata", "golden", "infer", "samplers", "inputs.json"))
	if err != nil {
		t.Fatal(err)
	}
	var raw map[string][]*float32
	if err := json.Unmarshal(data, &raw); err != nil {
		t.Fatal(err)
	}
	rows := map[string][]float32{}
	for name, values := range raw {
		for _, v := range values {
			if v == nil {
				rows[name] = append(rows[name], float32(math.Inf(-1)))
			} else {
				rows[name] = append(rows[name], *v)
			}
		}
	}
	return rows
}

// run maps a golden case to our sampler; ok is false for samplers Lian does not have.
func run(c goldenCase, p goldenParams, logits []float32) (list []candidate, ok bool) {
	params := Params{Temperature: 1}
	minKeep := max(p.MinKeep, p.MinKeepLlama)
	if minKeep > 1 {
		return nil, false // min_keep is no option of ours: always 1
	}
	s := New(params)
	switch c.Engine + " " + c.Name {
	case "transformers temperature":
		s.params.Temperature = p.Temperature
	case "llama.cpp temp":
		if p.T <= 0 {
			id := argmax(logits)
			return []candidate{{id, logits[id]}}, true
		}
		s.params.Temperature = p.T
	case "llama.cpp greedy_ties":
		id := argmax(logits)
		return []candidate{{id, logits[id]}}, true
	case "transformers top_k":
		s.params.TopK = p.TopK
	case "llama.cpp top_k":
		s.params.TopK = p.K
	case "transformers top_p":
		s.params.TopP = p.TopP
	case "llama.cpp top_p":
		s.params.TopP = p.P
	case "transformers min_p":
		s.params.MinP = p.MinP
	case "llama.cpp min_p":
		s.params.MinP = p.P
	case "transformers repetition_penalty":
		s.params.RepetitionPenalty = p.Penalty
		s.Prompt(c.History)
	case "formula presence_frequency":
		s.params.PresencePenalty, s.params.FrequencyPenalty = p.Presence, p.Frequency
		for _, id := range c.History {
			s.Record(id)
		}
	case "formula logit_bias":
		s.params.LogitBias = map[int32]float32{}
		for id, bias := range p.LogitBias {
			var n int32
			if json.Unmarshal([]byte(id), &n) != nil {
				return nil, false
			}
			s.params.LogitBias[n] = bias
		}
	case "llama.cpp penalties": // repeat first, then frequency and presence; windows shorter than the history are not ours
		if p.LastN < len(c.History) && p.LastN != -1 || p.Repeat != 1 && (p.LlamaFreq != 0 || p.LlamaPres != 0) {
			return nil, false
		}
		s.params.RepetitionPenalty, s.params.PresencePenalty, s.params.FrequencyPenalty = p.Repeat, p.LlamaPres, p.LlamaFreq
		for _, id := range c.History {
			s.Record(id)
		}
	case "transformers chain":
		if !slices.Equal(p.Order, []string{"repetition_penalty 1.2", "temperature 0.8", "top_k 20", "top_p 0.9", "min_p 0.05"}) {
			return nil, false
		}
		if c.Logits == "ties" { // its top-k keeps all ties of the last, ours exactly k
			return nil, false
		}
		s.params = Params{RepetitionPenalty: 1.2, Temperature: 0.8, TopK: 20, TopP: 0.9, MinP: 0.05}
		s.Prompt(c.History)
	default:
		return nil, false
	}
	return s.candidates(s.adjust(logits)), true
}

func TestStepsKeepWhatTransformersAndLlamaCppKeep(t *testing.T) {
	rows := goldenLogits(t)
	done, skipped := map[string]int{}, map[string]int{}
	for _, file := range []string{"hf.jsonl", "llamacpp.jsonl", "openai.jsonl"} {
		f, err := os.Open(shared.Path(t, "testdata", "golden", "infer", "samplers", file))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var c goldenCase
			var p goldenParams
			if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
				t.Fatal(err)
			}
			key := c.Engine + " " + c.Name
			if json.Unmarshal(c.Params, &p) != nil {
				skipped[key]++
				continue
			}
			got, ok := run(c, p, rows[c.Logits])
			if !ok {
				skipped[key]++
				continue
			}
			done[key]++
			compareKept(t, c, got)
		}
	}
	t.Logf("compared %v", done)
	t.Logf("not ours %v", skipped)
	if len(done) < 13 {
		t.Errorf("only %d kinds of vectors were compared", len(done))
	}
}

// compareKept asks for equal token sets and values within 1e-5. Where rows have equal logits the engines break ties
// by their sort's whim, so there the values alone must agree, in falling order.
func compareKept(t *testing.T, c goldenCase, got []candidate) {
	t.Helper()
	want := make([]candidate, len(c.Kept))
	for i := range want {
		want[i] = candidate{c.Kept[i], c.Out[i]}
	}
	tied := c.Logits == "ties" || c.Logits == "one"
	order := func(a, b candidate) int {
		switch {
		case tied && a.logit != b.logit:
			if a.logit > b.logit {
				return -1
			}
			return 1
		default:
			return int(a.id) - int(b.id)
		}
	}
	got = slices.Clone(got)
	slices.SortFunc(got, order)
	slices.SortFunc(want, order)
	if c.Engine == "transformers" && c.Name == "top_k" && tied && len(want) > len(got) {
		for _, extra := range want[len(got):] { // transformers keeps all that equal the k-th
			if extra.logit != want[len(got)-1].logit {
				t.Errorf("%s %s %s on %s: kept %d, want %d", c.Engine, c.Name, c.Params, c.Logits, len(got), len(want))
				return
			}
		}
		want = want[:len(got)]
	}
	if len(got) != len(want) {
		t.Errorf("%s %s %s on %s: kept %d tokens, want %d", c.Engine, c.Name, c.Params, c.Logits, len(got), len(want))
		return
	}
	for i := range got {
		if !tied && got[i].id != want[i].id {
			t.Errorf("%s %s %s on %s: kept token %d, want %d", c.Engine, c.Name, c.Params, c.Logits, got[i].id, want[i].id)
			return
		}
		if d := math.Abs(float64(got[i].logit - want[i].logit)); d > 1e-5*max(1, math.Abs(float64(want[i].logit))) {
			t.Errorf("%s %s %s on %s: token %d has logit %v, want %v", c.Engine, c.Name, c.Params, c.Logits, got[i].id, got[i].logit, want[i].logit)
			return
		}
	}
}
