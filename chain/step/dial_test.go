package step

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lian/compute"
	"lian/compute/cpu"
	"lian/config"
	"lian/event"
	"lian/model/nn"
	"lian/store"
	"lian/tokenizer"
	"lian/tokenizer/train"
)

func pretrainOptions(t *testing.T, change func(*PretrainOptions)) PretrainOptions {
	t.Helper()
	var o PretrainOptions
	if err := config.Defaults(&o); err != nil {
		t.Fatal(err)
	}
	change(&o)
	return o
}

func textOf(vocabulary int, tokens float64) textFacts {
	return textFacts{vocabulary: vocabulary, tokens: tokens, length: 1000}
}

// TestTheDialChoosesWhatWasLeftOpen: sizes within a tenth of what was asked, at most four passes over the text, and never a number that was set by hand.
func TestTheDialChoosesWhatWasLeftOpen(t *testing.T) {
	b := cpu.New(1)
	for _, c := range []struct {
		params     string
		vocabulary int
		parameters float64
	}{{"1M", 512, 1e6}, {"5M", 4096, 5e6}, {"30M", 8192, 30e6}, {"124M", 32000, 124e6}, {"1.1B", 32000, 1.1e9}} {
		o := pretrainOptions(t, func(o *PretrainOptions) { o.Dial.Parameters = c.params })
		_, choices, err := o.choose(context.Background(), b, textOf(c.vocabulary, 1e6), "", false, event.Discard)
		if err != nil {
			t.Errorf("%s: %v", c.params, err)
			continue
		}
		s, err := o.shape(c.vocabulary)
		if err != nil {
			t.Fatal(err)
		}
		if off := float64(s.Count())/c.parameters - 1; math.Abs(off) > 0.1 {
			t.Errorf("%s: %d parameters (%+.0f %%)", c.params, s.Count(), 100*off)
		}
		if epochs := float64(o.Train.Steps*o.StepTokens) / 1e6; epochs > 4.1 || o.Train.Schedule.LearningRate <= 0 || o.Train.Schedule.LearningRate > 0.01 {
			t.Errorf("%s: %.1f passes, rate %v", c.params, epochs, o.Train.Schedule.LearningRate)
		}
		for _, x := range choices {
			if x.Why == "" || x.Value == "" {
				t.Errorf("%s: choice %+v lacks its reason", c.params, x)
			}
			t.Logf("%s: %s: %s (%s)", c.params, x.Name, x.Value, x.Why)
		}
	}
	o := pretrainOptions(t, func(o *PretrainOptions) {
		o.Train.Steps, o.StepTokens, o.Train.Schedule.LearningRate, o.Train.Optimizer.Rule = 7, 100, 0.5, "sgd"
	})
	if _, choices, err := o.choose(context.Background(), b, textOf(512, 1e6), "", false, event.Discard); err != nil || len(choices) != 0 || o.Train.Steps != 7 || o.StepTokens != 100 || o.Train.Schedule.LearningRate != 0.5 {
		t.Errorf("everything set by hand: %v, %v, %+v", choices, err, o.Train)
	}
	for says, change := range map[string]func(*PretrainOptions){
		"expected a number":   func(o *PretrainOptions) { o.Dial.Parameters = "large" },
		"the embedding alone": func(o *PretrainOptions) { o.Dial.Parameters = "10k" },
		"set by hand":         func(o *PretrainOptions) { o.Dial.Parameters, o.Model.Hidden = "5M", 64 },
		"give one of them":    func(o *PretrainOptions) { o.Dial.Minutes, o.Train.Steps, o.Model.Hidden = 5, 100, 64 },
	} {
		o := pretrainOptions(t, change)
		if _, _, err := o.choose(context.Background(), b, textOf(4096, 1e6), "", false, event.Discard); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("says %v, expected %q", err, says)
		}
	}
}

// TestARunKeepsWhatTheDialChose: going on does not choose again; other settings do.
func TestARunKeepsWhatTheDialChose(t *testing.T) {
	b, dir := cpu.New(1), t.TempDir()
	first := pretrainOptions(t, func(o *PretrainOptions) {
		o.Dial.Minutes, o.Model.Hidden, o.Model.Heads, o.Model.Layers, o.Model.Context = 1, 32, 2, 1, 16
	})
	again, other := first, first
	if err := first.chooseOnce(context.Background(), dir, b, textOf(64, 1e9), event.Discard); err != nil {
		t.Fatal(err)
	}
	var kept chosen
	if err := store.ReadJSON(filepath.Join(dir, ChoicesFile), &kept); err != nil || kept.Steps != first.Train.Steps || len(kept.Choices) == 0 {
		t.Fatalf("%+v, %v", kept, err)
	}
	if err := again.chooseOnce(context.Background(), dir, b, textOf(64, 1e9), event.Discard); err != nil || again.Train.Steps != first.Train.Steps || again.StepTokens != first.StepTokens {
		t.Errorf("going on chose %d steps of %d, before %d of %d (%v)", again.Train.Steps, again.StepTokens, first.Train.Steps, first.StepTokens, err)
	}
	other.Dial.Minutes = 0
	if err := other.chooseOnce(context.Background(), dir, b, textOf(64, 1000), event.Discard); err != nil || other.Train.Steps != 20 {
		t.Errorf("another amount of text: %d steps, %v", other.Train.Steps, err)
	}
}

// TestGoingOnWithAnotherVocabulary: tokens that both have keep their rows, new ones begin as the mean of what their text was, and the model may grow on the way.
func TestGoingOnWithAnotherVocabulary(t *testing.T) {
	b := cpu.New(1)
	learn := func(size int, text string) *tokenizer.Tokenizer {
		t.Helper()
		tok, err := train.Train(context.Background(), slices.Values([]string{strings.Repeat(text, 20)}), train.Options{VocabSize: size, Special: SpecialTokens})
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	old, tok := learn(280, "the hat\nthe dog\n"), learn(300, "静夜思\nthe cat\n")
	id := func(of *tokenizer.Tokenizer, text string) int {
		t.Helper()
		ids := of.Encode(text)
		if len(ids) != 1 {
			t.Fatalf("%q is %v, expected one token", text, ids)
		}
		return int(ids[0])
	}
	s, _, err := modelOptions(t, func(o *ModelOptions) { o.Hidden, o.Heads, o.Layers, o.Context = 16, 2, 1, 8 }).Spec(embeddingRows(old.VocabSize()))
	if err != nil {
		t.Fatal(err)
	}
	m, err := nn.Initialise(b, s, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	extended, kept, err := otherVocabulary(b, m, old, tok)
	if err != nil {
		t.Fatal(err)
	}
	rows := func(d *nn.Decoder) func(int) []float32 {
		values := make([]float32, d.Parameters().Get("embedding").Elements())
		if err := b.NewStream().Read(d.Parameters().Get("embedding"), compute.HostBytes(values)); err != nil {
			t.Fatal(err)
		}
		return func(i int) []float32 { return values[i*s.Hidden : (i+1)*s.Hidden] }
	}
	before, after := rows(m), rows(extended)
	if !slices.Equal(before(id(old, "the")), after(id(tok, "the"))) {
		t.Error("a token that both have lost its row")
	}
	want := make([]float32, s.Hidden)
	pieces := old.Encode("静夜思")
	for _, p := range pieces {
		for i, x := range before(int(p)) {
			want[i] += x / float32(len(pieces))
		}
	}
	for i, x := range after(id(tok, "静夜思")) {
		if math.Abs(float64(x-want[i])) > 1e-6 {
			t.Fatalf("a new token's row is %v at %d, expected the mean of its pieces, %v", x, i, want[i])
		}
	}
	if kept < 256+len(SpecialTokens) || kept >= tok.VocabSize() || extended.Spec.Vocab != embeddingRows(tok.VocabSize()) {
		t.Errorf("%d of %d tokens kept, vocabulary %d", kept, tok.VocabSize(), extended.Spec.Vocab)
	}
}
