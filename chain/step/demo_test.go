package step

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lian/chain"
	"lian/chain/report"
	"lian/event"
	"lian/recipes"
)

// TestTheDemoRunsOnThirtyNotes runs the whole recipe on a corpus that is too small to
// learn from, and looks at what a change reruns.
func TestTheDemoRunsOnThirtyNotes(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a few seconds: the whole chain")
	}
	runs := t.TempDir()
	run := func(set ...string) (ran []string, status chain.Status) {
		t.Helper()
		recipe, err := chain.Parse(recipes.Demo, "recipes/demo.yaml")
		if err != nil {
			t.Fatal(err)
		}
		set = append([]string{
			"corpus=" + filepath.Join("..", "..", "data", "instruct", "testdata", "notes"), "minutes=0.05",
			"plan.reference_speed=10", "eval.answers.limit=4", "agent.limit=4", "serve.requests=2", "serve.tokens=8",
		}, set...)
		status, err = chain.Run(context.Background(), recipe, Kinds(), chain.Options{
			Runs: runs, Set: set,
			Sink: event.Func(func(kind string, payload any) {
				if s, ok := payload.(chain.StepStatus); ok && kind == chain.KindStep && s.State == chain.Done {
					ran = append(ran, s.Name)
				}
			}),
			Refresh: func(s chain.Status) error {
				card, err := report.Collect(s, "")
				if err != nil {
					return err
				}
				return report.Write(s.Dir, card)
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		return ran, status
	}
	ran, status := run()
	if want := []string{"data", "instruct", "plan", "tokenizer", "shards", "pretrain", "finetune", "lora", "merge", "quantize", "eval", "serve", "agent"}; !slices.Equal(ran, want) {
		t.Errorf("ran %v, want %v", ran, want)
	}
	card, err := report.Collect(status, "")
	if err != nil {
		t.Fatal(err)
	}
	if card.Lang != "zh" || card.Data == nil || card.Tokenizer == nil || card.Pretrain.Bits() == 0 || card.Pretrain.TrigramBits == 0 || len(card.Pretrain.Prompts) != 5 ||
		card.Instruct == nil || card.SFT == nil || card.LoRA == nil || card.Merge == nil || len(card.Quantize.Variants) != 3 || len(card.Eval.Models) != 5 ||
		len(card.Serve.Loads) != 2 || card.Serve.Failed != 0 || card.Agent.Malformed != 0 || card.Environment == nil {
		t.Errorf("the report card lacks something: %+v", card)
	}
	unread := 0
	for _, n := range card.Data.Unread {
		unread += n
	}
	if card.Data.Files != card.Data.FilesRead+unread {
		t.Errorf("%d files, %d read, %d not: something is lost", card.Data.Files, card.Data.FilesRead, unread)
	}
	page, err := os.ReadFile(filepath.Join(status.Dir, report.HTMLFile))
	if err != nil || strings.Contains(string(page), `http-equiv="refresh"`) {
		t.Errorf("the page of a finished run refreshes itself (%v)", err)
	}
	if ran, _ := run(); len(ran) != 0 {
		t.Errorf("a second run ran %v", ran)
	}
	ran, _ = run("finetune.lr=0.0005")
	if want := []string{"finetune", "quantize", "eval", "serve", "agent"}; !slices.Equal(ran, want) {
		t.Errorf("another learning rate of fine-tuning ran %v, want %v", ran, want)
	}
	for _, name := range []string{"state", filepath.Join("pretrain", "state")} {
		if exists(filepath.Join(status.Dir, name)) {
			t.Errorf("%s was left behind", name)
		}
	}
}
