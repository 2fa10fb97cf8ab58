package sample

import (
	"bufio"
	"encoding/json"
	"errors"
	"math"
	"os"
	"slices"
	"strconv"
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
	Temperature float32            `json:"temperature"`
	T           float32            `json:"t"`
	TopK        int                `json:"top_k"`
	K           int                `json:"k"`
	TopP        float32            `json:"top_p"`
	MinP        float32            `json:"min_p"`
	P           float32            `json:"p"`
	N           float32            `json:"n"`
	TypicalP    float32            `json:"typical_p"`
	TopH        float32            `json:"top_h"`
	Epsilon     float32            `json:"epsilon"`
	Eta         float32            `json:"eta"`
	MinKeep     int                `json:"min_tokens_to_keep"`
	LlamaKeep   int                `json:"min_keep"`
	Penalty     float32            `json:"penalty"`
	Presence    float32            `json:"presence_penalty"`
	Frequency   float32            `json:"frequency_penalty"`
	LogitBias   map[string]float32 `json:"logit_bias"`
	Bias        [][2]any           `json:"bias"`
	Tokens      []int32            `json:"tokens"`
	Prompt      int                `json:"prompt_length"`
	MinNew      int                `json:"min_new_tokens"`
	EOS         int32              `json:"eos"`
	LastN       int                `json:"last_n"`
	Repeat      float32            `json:"repeat"`
	LlamaFreq   float32            `json:"frequency"`
	LlamaPres   float32            `json:"presence"`
	Delta       float32            `json:"delta"`
	Exponent    float32            `json:"exponent"`
	Multiplier  float32            `json:"multiplier"`
	Base        float32            `json:"base"`
	Allowed     int                `json:"allowed_length"`
	DRYLastN    int                `json:"penalty_last_n"`
	Breakers    []string           `json:"breakers"`
	Colon       int32              `json:"colon_token"`
	Order       []string           `json:"order"`
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

// run maps a golden case to our sampler.
func run(t *testing.T, c goldenCase, p goldenParams, logits []float32) []candidate {
	t.Helper()
	params := Params{Temperature: 1, MinKeep: max(p.MinKeep, p.LlamaKeep)}
	if c.Engine == "llama.cpp" {
		params.Order = []string{LlamaCpp}
	}
	prompt, reply, stops := c.History, []int32(nil), []int32(nil)
	switch c.Engine + " " + c.Name {
	case "transformers temperature":
		params.Temperature = p.Temperature
	case "llama.cpp temp":
		params.Temperature = p.T
	case "llama.cpp temp_ext":
		params.Temperature, params.DynatempRange, params.DynatempExponent = p.T, p.Delta, p.Exponent
	case "llama.cpp greedy_ties":
		params.TopK = 1
	case "transformers top_k":
		params.TopK = p.TopK
	case "llama.cpp top_k":
		params.TopK = p.K
	case "transformers top_p":
		params.TopP = p.TopP
	case "llama.cpp top_p":
		params.TopP = p.P
	case "transformers min_p":
		params.MinP = p.MinP
	case "llama.cpp min_p":
		params.MinP = p.P
	case "transformers typical":
		params.TypicalP = p.TypicalP
	case "llama.cpp typical":
		params.TypicalP = p.P
	case "transformers epsilon":
		params.EpsilonCutoff = p.Epsilon
	case "transformers eta":
		params.EtaCutoff = p.Eta
	case "transformers top_h":
		params.TopH = p.TopH
	case "llama.cpp top_n_sigma":
		params.TopNSigma = max(p.N, 0)
	case "llama.cpp xtc":
		params.XTCProbability, params.XTCThreshold = p.P, p.T
	case "transformers repetition_penalty":
		params.RepetitionPenalty = p.Penalty
	case "transformers no_repeat_ngram":
		params.NoRepeatNGram = int(p.N)
	case "transformers min_new_tokens":
		params.MinTokens, stops = p.MinNew, []int32{p.EOS}
		prompt, reply = c.History[:p.Prompt], c.History[p.Prompt:]
	case "transformers suppress":
		for _, id := range p.Tokens {
			params.Banned = append(params.Banned, []int32{id})
		}
	case "transformers sequence_bias":
		for _, b := range p.Bias {
			var ids []int32
			for _, id := range b[0].([]any) {
				ids = append(ids, int32(id.(float64)))
			}
			params.SequenceBias = append(params.SequenceBias, SequenceBias{ids, float32(b[1].(float64))})
		}
	case "formula presence_frequency":
		params.PresencePenalty, params.FrequencyPenalty = p.Presence, p.Frequency
		prompt, reply = nil, c.History
	case "formula logit_bias":
		params.LogitBias = map[int32]float32{}
		for id, bias := range p.LogitBias {
			n, err := strconv.Atoi(id)
			if err != nil {
				t.Fatal(err)
			}
			params.LogitBias[int32(n)] = bias
		}
	case "llama.cpp penalties":
		params.RepeatLastN, params.RepetitionPenalty, params.PresencePenalty, params.FrequencyPenalty = p.LastN, p.Repeat, p.LlamaPres, p.LlamaFreq
		if p.LastN == 0 { // off there, all tokens here
			params.RepetitionPenalty, params.PresencePenalty, params.FrequencyPenalty = 1, 0, 0
		}
	case "llama.cpp dry":
		params.DRYMultiplier, params.DRYBase, params.DRYAllowedLength, params.DRYLastN, params.DRYBreakers = p.Multiplier, p.Base, p.Allowed, p.DRYLastN, p.Breakers
	case "transformers chain":
		if !slices.Equal(p.Order, []string{"repetition_penalty 1.2", "temperature 0.8", "top_k 20", "top_p 0.9", "min_p 0.05"}) {
			t.Fatalf("another chain: %v", p.Order)
		}
		params = Params{RepetitionPenalty: 1.2, Temperature: 0.8, TopK: 20, TopP: 0.9, MinP: 0.05}
	default:
		t.Fatalf("%s %s: a sampler that is not Lian's", c.Engine, c.Name)
	}
	if err := params.Validate(); err != nil {
		t.Fatalf("%s %s %s: %v", c.Engine, c.Name, c.Params, err)
	}
	s := New(params)
	s.Stops(stops)
	s.Texts(func(id int32) []byte {
		if id == p.Colon {
			return []byte(":")
		}
		return []byte{'a' + byte(id%26)}
	})
	s.Prompt(prompt)
	for _, id := range reply {
		s.Record(id)
	}
	row := slices.Clone(logits)
	s.adjust(row)
	s.begin(row, nil)
	s.narrow()
	return s.pool.all()
}

func TestStepsKeepWhatTransformersAndLlamaCppKeep(t *testing.T) {
	rows := goldenLogits(t)
	done := map[string]int{}
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
			if err := errors.Join(json.Unmarshal(lines.Bytes(), &c), json.Unmarshal(c.Params, &p)); err != nil {
				t.Fatal(err)
			}
			done[c.Engine+" "+c.Name]++
			compareKept(t, c, run(t, c, p, rows[c.Logits]))
		}
	}
	t.Logf("compared %v", done)
	if len(done) != 27 {
		t.Errorf("%d kinds of vectors were compared, expected 27", len(done))
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
