package step

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lian/compute/cpu"
	"lian/data"
	"lian/event"
	"lian/model/checkpoint"
)

// TestTwoTextsOneTokenizerAndALargerModel: several texts share a tokenizer learnt from all of them; a pretraining goes on from a model with that model's
// tokenizer, and grows it on the way.
func TestTwoTextsOneTokenizerAndALargerModel(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	texts := map[string]string{"en": "The moon is bright before my bed. I lift my head and see the moon, I bow it and think of home. ", "诗": "床前明月光，疑是地上霜。举头望明月，低头思故乡。"}
	var inputs []string
	for name, text := range texts {
		folder := filepath.Join(dir, name)
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{data.TrainFile, data.HeldOutFile} {
			var lines strings.Builder
			for i := range 10 {
				line, err := json.Marshal(map[string]any{"id": fmt.Sprint(name, file, i), "text": strings.Repeat(text, 1+i%3)})
				if err != nil {
					t.Fatal(err)
				}
				lines.Write(append(line, '\n'))
			}
			if err := os.WriteFile(filepath.Join(folder, file), []byte(lines.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		inputs = append(inputs, folder)
	}
	run := func(name, tokenizer string, inputs []string, change func(*PretrainOptions)) string {
		t.Helper()
		o := pretrainOptions(t, change)
		out := filepath.Join(dir, name)
		p, err := PrepareAll(ctx, inputs, tokenizer, 300, o.Mixture, out, event.Discard)
		if err != nil {
			t.Fatal(err)
		}
		o.Shards, o.Tokenizer = p.Shards, p.Tokenizer
		if _, err := Pretrain(ctx, out, o, event.Discard); err != nil {
			t.Fatal(err)
		}
		return out
	}
	small := func(o *PretrainOptions) {
		o.Model.Hidden, o.Model.Heads, o.Model.Layers, o.Model.Context = 32, 2, 1, 32
		o.Train.Steps, o.StepTokens, o.Looks, o.HeldOutTokens = 3, 64, 1, 64
	}
	first := run("first", "", inputs, small)
	from := FromOptions{Model: first, Grow: "preserve"}
	file, err := from.TokenizerFile(filepath.Join(dir, "second"))
	if err != nil {
		t.Fatal(err)
	}
	second := run("second", file, inputs[:1], func(o *PretrainOptions) {
		small(o)
		o.From, o.Model.Layers, o.Model.Hidden, o.Model.Heads = from, 3, 64, 4
	})
	c, err := checkpoint.Open(filepath.Join(second, "model"), cpu.New(1), checkpoint.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.Model.Spec.Layers != 3 || c.Model.Spec.Hidden != 64 {
		t.Errorf("the larger model is %+v", c.Model.Spec)
	}
	words := func(dir string) string {
		data, err := os.ReadFile(filepath.Join(dir, "model", "tokenizer.json"))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	if words(first) != words(second) {
		t.Error("the model that goes on has another tokenizer")
	}
}
