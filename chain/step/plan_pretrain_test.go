package step

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lian/config"
	"lian/event"
	"lian/model/nn"
	"lian/tokenizer"
	"lian/train/schedule"
)

// writeVerses writes a text of lines that all differ, in Chinese and English.
func writeVerses(t *testing.T, path string, lines int) {
	t.Helper()
	var b strings.Builder
	words := []string{"明月", "清风", "river", "mountain", "春", "秋", "gate", "song", "归", "雁"}
	for i := range lines {
		for k := range 7 {
			fmt.Fprintf(&b, "%s ", words[(i*(k+3)+k*k+i/7)%len(words)])
		}
		fmt.Fprintf(&b, "of the %d night, and the lamp is low.\n", i*7919%10007)
		if i%5 == 4 {
			b.WriteByte('\n')
		}
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func smallRun(o *PretrainOptions) {
	o.Model.Hidden, o.Model.Heads, o.Model.Layers, o.Model.Context, o.Train.Steps, o.StepTokens, o.Train.MicroTokens = 32, 2, 1, 32, 50, 64, 64
}

// TestThePlanOfASmallTextIsThatOfTheTextItself: tokens are those that preparing then makes, and the parts of the time make up all of it.
func TestThePlanOfASmallTextIsThatOfTheTextItself(t *testing.T) {
	dir := t.TempDir()
	writeVerses(t, filepath.Join(dir, "诗.txt"), 2000)
	o := pretrainOptions(t, smallRun)
	plan, err := PlanPretrain(context.Background(), []string{filepath.Join(dir, "诗.txt")}, 400, filepath.Join(dir, "runs", "x"), o, PlanPretrainOptions{}, event.Discard)
	if err != nil {
		t.Fatal(err)
	}
	p, err := PrepareAll(context.Background(), []string{filepath.Join(dir, "诗.txt")}, "", 400, o.Mixture, filepath.Join(dir, "run"), event.Discard)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.Load(p.Tokenizer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := openCorpus(context.Background(), p.Shards, o.Mixture, tok, 0, event.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if off := float64(plan.TextTokens)/float64(c.tokens) - 1; math.Abs(off) > 0.01 {
		t.Errorf("the plan says %d tokens, preparing made %d", plan.TextTokens, c.tokens)
	}
	sum, seen := 0.0, map[string]bool{}
	for _, x := range plan.Time {
		sum, seen[x.Part] = sum+float64(x.Seconds), true
		if x.How == "" || strings.Contains(x.How, "%!") {
			t.Errorf("%s: %q", x.Part, x.How)
		}
	}
	if math.Abs(sum-float64(plan.Seconds)) > 1e-6*sum {
		t.Errorf("the parts are %v s together, the whole %v", sum, plan.Seconds)
	}
	for _, part := range []string{PartPreparing, PartTokenizer, PartMeasuring, PartTraining, PartSaving} {
		if !seen[part] {
			t.Errorf("no %s in %+v", part, plan.Time)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".lian-plan-*")); len(left) > 0 || exists(filepath.Join(dir, "runs")) {
		t.Errorf("the plan left %v", left)
	}
}

// TestASampleIsWholeLinesFromAllOver: of a text that is lines the share that was asked for, of other files whole ones.
func TestASampleIsWholeLinesFromAllOver(t *testing.T) {
	dir := t.TempDir()
	in := filepath.Join(dir, "in")
	if err := os.Mkdir(in, 0o755); err != nil {
		t.Fatal(err)
	}
	writeVerses(t, filepath.Join(in, "a.txt"), 6000)
	for i := range 200 {
		if err := os.WriteFile(filepath.Join(in, fmt.Sprintf("b%03d.json", i)), []byte(`[{"text":"`+strings.Repeat("字", 1000)+`"}]`), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	all, err := findText(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	part, err := all.sample(context.Background(), 0.1, filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	if share := float64(part.bytes) / float64(all.bytes); share < 0.06 || share > 0.16 {
		t.Errorf("the sample is %.3f of the text, expected about a tenth", share)
	}
	json, spans := 0, map[string]bool{}
	for _, f := range part.files {
		text, err := os.ReadFile(f.Path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(f.Path, ".json") {
			json++
			continue
		}
		for i, line := range strings.SplitAfter(string(text), "\n") {
			if line != "" && line != "\n" && !strings.HasSuffix(line, "is low.\n") {
				t.Fatalf("line %d is cut: %q", i, line)
			}
		}
		whole, _ := os.ReadFile(filepath.Join(in, "a.txt"))
		for _, line := range strings.SplitAfter(string(text), "\n") {
			if at := strings.Index(string(whole), line); len(line) > 1 && at >= 0 {
				spans[fmt.Sprint(4*at/len(whole))] = true
			}
		}
	}
	if json < 10 || json > 30 || len(spans) < 2 {
		t.Errorf("%d of 200 whole files, lines from %d quarters of the other", json, len(spans))
	}
	if _, err := findText(context.Background(), filepath.Join(dir, "nothing")); err == nil || !strings.Contains(err.Error(), "there is no such file") {
		t.Errorf("an input that is not there: %v", err)
	}
}

func paced(ramp string, minutes float64) runTime {
	var o PretrainOptions
	if err := config.Defaults(&o); err != nil {
		panic(err)
	}
	o.Mixture.BatchRamp, o.Dial.Minutes = ramp, minutes
	r, err := schedule.ParseRamp(ramp, 4096)
	if err != nil {
		panic(err)
	}
	return runTime{pace: pace{rows: 2048, micro: 0.1, move: 0.02, detail: 0.3, look: 1e-4, save: 1e-8, workers: 2, spent: 8}, ramp: r, o: &o, state: 1e8, model: 4e7, asked: true,
		text: textFacts{tokens: 1e8, heldOut: 1e6, vocabulary: 4096, preparing: preparation{clean: 20}}}
}

// TestStepsFillTheTimeThereIs: with preparing, looks and saving the whole takes the minutes, one step less than too many; a ramp's small steps make more of them.
func TestStepsFillTheTimeThereIs(t *testing.T) {
	counts := map[string]int{}
	for _, ramp := range []string{"", "512 512 100"} {
		r := paced(ramp, 10)
		n := r.within(600, math.Inf(1))
		if counts[ramp] = n; r.total(n) > 600 || r.total(n+1) <= 600 || r.total(n) < 590 {
			t.Errorf("ramp %q: %d steps take %.1f s of 600", ramp, n, r.total(n))
		}
		if n := r.within(600, 1e6); r.tokens(n) > 1e6 || r.tokens(n+1) <= 1e6 {
			t.Errorf("ramp %q: %v tokens of at most 1e6", ramp, r.tokens(n))
		}
		ramp, _ := schedule.ParseRamp(ramp, 4096)
		if n := stepsFor(ramp, 1e6); ramp.Before(n) > 1e6 || ramp.Before(n+1) <= 1e6 {
			t.Errorf("%d steps have %d tokens", n, ramp.Before(n))
		}
	}
	if counts["512 512 100"] <= counts[""] {
		t.Errorf("steps %v: small ones first make more of them", counts)
	}
	r := paced("", 10)
	r.text.preparing.clean = 10000
	if n := r.within(600, math.Inf(1)); r.training(n) < 200 || r.training(n) > 300 {
		t.Errorf("after long preparing %v s are left for training, expected about half of the time", r.training(n))
	}
}

// TestAMicroBatchThatHasNoRoomIsRefused with what it needs and what would fit.
func TestAMicroBatchThatHasNoRoomIsRefused(t *testing.T) {
	spec := func(context int) nn.Spec {
		size := shapes[4]
		size.Context, size.Theta = context, 10000
		return size.Spec(4096)
	}
	o := pretrainOptions(t, func(o *PretrainOptions) {
		o.Train.MicroTokens, o.StepTokens, o.Train.Steps, o.Train.Optimizer.Rule = 16384, 16384, 10, "adamw"
	})
	if err := o.fits(spec(256), 1e6, 64<<30); err != nil {
		t.Errorf("64 GiB are said to be too few: %v", err)
	}
	if err := o.fits(spec(256), 1e6, 0); err != nil {
		t.Errorf("a machine whose memory is not known: %v", err)
	}
	for _, c := range []struct {
		have int64
		says []string
	}{
		{300 << 20, []string{"train.micro_tokens is 16384", "of memory", "this machine has 300 MiB", "--train.micro-tokens"}},
		{64 << 20, []string{"still needs", "smaller model"}},
	} {
		err := o.fits(spec(256), 1e6, c.have)
		for _, says := range c.says {
			if err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%v expected to say %q", err, says)
			}
		}
	}
}

// TestNoiseIsCutAsTextIs: documents end where they end, rows where they are full, and every token is there.
func TestNoiseIsCutAsTextIs(t *testing.T) {
	for _, n := range []noise{{100, 32, 50, 10}, {100, 32, 50, 0}, {96, 32, 50, 1000}, {7, 32, 50, 3}} {
		sequences, _ := n.Step(3)
		total, row := 0, 0
		for _, s := range sequences {
			total, row = total+len(s.IDs), row+len(s.IDs)
			if row > n.length || n.document > 0 && len(s.IDs) > n.document {
				t.Fatalf("%+v: a sequence of %d in a row of %d", n, len(s.IDs), row)
			}
			if row == n.length {
				row = 0
			}
		}
		if total != n.tokens {
			t.Errorf("%+v gives %d tokens", n, total)
		}
	}
}
