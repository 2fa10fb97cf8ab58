package checkpoint

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lian/compute"
	"lian/compute/cpu"
	"lian/model"
	"lian/verify/shared"
)

// refused are tiny models of golden/infer/hf that Lian refuses by name: state-space models and hybrids of them.
var refused = []string{"lfm2", "mamba", "mamba2", "qwen3_next"}

// tiny is a tiny model with its reference values; the MANIFEST of golden/infer says how they were made.
type tiny struct {
	*Checkpoint
	backend compute.Backend
	golden  struct {
		IDs     [][]int32 `json:"input_ids"`
		Greedy  [][]int32 `json:"greedy"`
		Cached  [][]int32 `json:"greedy_cached"`
		Largest float64   `json:"logits_max_abs"`
	}
	logits [][]float32
}

// TestTinyModelsGiveTheirReferenceLogits runs every tiny model of golden/infer/hf in one chunk, in chunks of 1 and of 7 and in a
// ragged batch, and goes on from each prompt greedily. LIAN_TINY names further folders of such models.
func TestTinyModelsGiveTheirReferenceLogits(t *testing.T) {
	roots := []string{shared.Path(t, "testdata", "golden", "infer", "hf")}
	if more := os.Getenv("LIAN_TINY"); more != "" {
		roots = append(roots, filepath.SplitList(more)...)
	}
	for _, root := range roots {
		entries, err := os.ReadDir(root)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			t.Run(e.Name(), func(t *testing.T) {
				t.Parallel()
				checkTiny(t, filepath.Join(root, e.Name()))
			})
		}
	}
}

func checkTiny(t *testing.T, dir string) {
	b := cpu.New(1)
	c, err := Open(dir, b, Options{})
	if name := filepath.Base(dir); slices.Contains(refused, name) {
		if err == nil || !strings.Contains(err.Error(), "not known") {
			t.Errorf("opening gives %v, expected a refusal by name", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	m := &tiny{Checkpoint: c, backend: b}
	raw, err := os.ReadFile(filepath.Join(dir, "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &m.golden); err != nil {
		t.Fatal(err)
	}
	values := open(t, filepath.Join(dir, "golden.safetensors"))
	for s := range m.golden.IDs {
		want, err := values.Floats(fmt.Sprintf("logits.%d", s))
		if err != nil {
			t.Fatal(err)
		}
		m.logits = append(m.logits, want)
	}
	m.check(t)
}

// check compares the logits of both prompts, however they are computed, and the tokens that follow.
func (m *tiny) check(t *testing.T) {
	batch := &model.Batch{}
	for _, ids := range m.golden.IDs {
		batch.Add(ids, 0, nil)
	}
	ragged, vocab := m.run(t, nil, batch), m.Model.Spec.Vocab
	for s, ids := range m.golden.IDs {
		whole := &model.Batch{}
		whole.Add(ids, 0, nil)
		got := m.run(t, nil, whole)
		m.compare(t, fmt.Sprintf("sequence %d in one chunk", s), got, m.logits[s])
		if !slices.Equal(got, ragged[:len(got)]) {
			t.Errorf("sequence %d has other logits in a ragged batch", s)
		}
		ragged = ragged[len(got):]
		for _, chunk := range []int{1, 7} {
			cache := model.NewCache(m.backend, m.Model.Info(), model.KVF32, 8, slices.Repeat([]int{8}, len(m.Model.Info().CacheGroups()))...)
			blocks, chunked := []int32{5, 2, 7, 0, 3, 1, 6, 4}, []float32(nil)
			for from := 0; from < len(ids); from += chunk {
				part := &model.Batch{}
				part.AddPrompt(ids[from:min(from+chunk, len(ids))], from, windowed(cache, blocks, from), len(ids))
				chunked = append(chunked, m.run(t, cache, part)...)
			}
			if !slices.Equal(got, chunked) {
				t.Errorf("sequence %d has other logits in chunks of %d", s, chunk)
			}
			if chunk == 7 {
				m.continues(t, s, cache, blocks, chunked[len(chunked)-vocab:])
			}
		}
	}
}

// windowed are the tables of a sequence whose window groups have given back what a row at position from does not see.
func windowed(cache *model.Cache, blocks []int32, from int) [][]int32 {
	tables := cache.Alike(blocks)
	for g, group := range cache.Groups {
		tables[g] = slices.Clone(blocks)
		for i := 0; group.Window > 0 && (i+1)*cache.BlockSize <= from+1-group.Window; i++ {
			tables[g][i] = -1
		}
	}
	return tables
}

// continues goes on greedily from a prompt whose keys are cached and whose last logits are given.
func (m *tiny) continues(t *testing.T, s int, cache *model.Cache, blocks []int32, logits []float32) {
	want := m.golden.Greedy[s]
	if m.golden.Cached != nil {
		want = m.golden.Cached[s]
	}
	at, prompt := len(m.golden.IDs[s]), len(m.golden.IDs[s])
	var got []int32
	for range want {
		best := int32(0)
		for id, l := range logits {
			if l > logits[best] {
				best = int32(id)
			}
		}
		got = append(got, best)
		step := &model.Batch{}
		step.AddPrompt([]int32{best}, at, windowed(cache, blocks, at), prompt)
		logits, at = m.run(t, cache, step), at+1
	}
	if !slices.Equal(got, want) {
		t.Errorf("sequence %d goes on with %v, expected %v", s, got, want)
	}
}

// run gives the logits of all rows.
func (m *tiny) run(t *testing.T, cache *model.Cache, batch *model.Batch) []float32 {
	t.Helper()
	return m.runAs(t, cache, batch, model.Exact)
}

func (m *tiny) runAs(t *testing.T, cache *model.Cache, batch *model.Batch, precision model.Precision) []float32 {
	t.Helper()
	stream := m.backend.NewStream()
	p := &model.Pass{Stream: stream, Arena: compute.NewArena(m.backend, 1<<20), Cache: cache, Precision: precision}
	hidden, err := m.Model.Forward(p, batch)
	if err != nil {
		t.Fatal(err)
	}
	logits := make([]float32, batch.Rows()*m.Model.Spec.Vocab)
	if err := stream.Read(model.Logits(p, m.Model, hidden, nil), compute.HostBytes(logits)); err != nil {
		t.Fatal(err)
	}
	return logits
}

func (m *tiny) compare(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d logits, expected %d", what, len(got), len(want))
	}
	worst, at := 0.0, 0
	for i := range want {
		if d := math.Abs(float64(got[i]) - float64(want[i])); d > worst || d != d {
			worst, at = d, i
		}
	}
	if !(worst <= 1e-4) {
		vocab := m.Model.Spec.Vocab
		t.Errorf("%s: logits are off by up to %.3g, first at row %d: %v, expected %v (the largest is %.1f)", what, worst, at/vocab, got[at], want[at], m.golden.Largest)
	}
}
