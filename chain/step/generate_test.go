package step

import (
	"context"
	"path/filepath"
	"slices"
	"testing"

	"lian/engine/sample"
	"lian/event"
	"lian/model"
	"lian/verify/shared"
)

// TestGreedyTextIsTheReference continues real prompts in one batch and compares ids with those of a float32 forward, up to the
// first step where the two best tokens are closer than rounding.
func TestGreedyTextIsTheReference(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	path := shared.Path(t, "testdata", "models", "smollm2-135m-instruct-q4_1.gguf")
	type row struct {
		Prompt string    `json:"prompt"`
		IDs    []int32   `json:"ids"`
		Reply  []int32   `json:"f32"`
		Gap    []float64 `json:"f32_gap"`
	}
	var golden struct {
		Rows []row `json:"rows"`
	}
	readJSON(t, filepath.Join(shared.Path(t, "testdata", "golden", "infer", "smollm2"), "greedy.json"), &golden)
	golden.Rows = slices.DeleteFunc(golden.Rows, func(r row) bool { return r.Prompt == "" }) // conversations
	if len(golden.Rows) == 0 {
		t.Fatal("no prompts in greedy.json")
	}
	var prompts []string
	for _, r := range golden.Rows {
		prompts = append(prompts, r.Prompt)
	}
	shown := make([]string, len(prompts))
	var got []Generated
	err := Generate(context.Background(), path, TextPrompts(prompts...), GenerateOptions{Sample: sample.Params{MaxTokens: 12}, LogProbs: -1, Precision: model.Exact},
		func(i int, piece string) { shown[i] += piece }, func(r Generated) error {
			got = append(got, r)
			return nil
		}, event.Discard)
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for i, r := range golden.Rows {
		if shown[i] != got[i].Text {
			t.Errorf("%q: pieces join to %q, the text is %q", r.Prompt, shown[i], got[i].Text)
		}
		for k, id := range got[i].IDs {
			if r.Gap[k] < 1e-3 {
				break
			}
			compared++
			if id != r.Reply[k] {
				t.Errorf("%q: token %d is %d, expected %d (gap %.3g)", r.Prompt, k, id, r.Reply[k], r.Gap[k])
				break
			}
		}
	}
	t.Logf("%d tokens of %d prompts compared", compared, len(prompts))
}
