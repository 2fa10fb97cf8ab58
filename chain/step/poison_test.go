package step

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"lian/config"
	"lian/event"
	"lian/format/shard"
	"lian/random"
	"lian/tokenizer"
	bpe "lian/tokenizer/train"
	"lian/train"
	"lian/train/figure"
	"lian/train/guard"
)

// sentences are documents that a small model learns something from, in two languages.
func sentences(n int) (docs []string) {
	r := random.New(3, "sentences")
	words := [][]string{{"the cat", "a dog", "春风", "the old man", "明月"}, {" sees ", " hears ", "照", " finds ", "吹"}, {"the river", "山", "a house", "花", "the sea"}, {". ", "。", " again. ", "，又一年。"}}
	for i := range n {
		var b strings.Builder
		for j := range 40 + r.Int(i, 40) {
			w := words[j%4]
			b.WriteString(w[r.Int(i*1000+j+7, len(w))])
		}
		docs = append(docs, b.String())
	}
	return docs
}

// writeShards makes shards of documents; change may alter the ids of a document.
func writeShards(t *testing.T, dir string, tok *tokenizer.Tokenizer, docs []string, change func(i int, ids []int32)) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, part := range map[string][]string{"train.shard": docs[:len(docs)*9/10], "heldout.shard": docs[len(docs)*9/10:]} {
		each := func(yield func(shard.Document, error) bool) {
			for i, d := range part {
				ids := tok.Encode(d)
				if change != nil && name == "train.shard" {
					change(i, ids)
				}
				if !yield(shard.Document{Tokens: ids, TextBytes: int64(len(d))}, nil) {
					return
				}
			}
		}
		if err := shard.Write(filepath.Join(dir, name), each, shard.Meta{VocabSize: tok.VocabSize(), TokenizerHash: tok.Hash()}); err != nil {
			t.Fatal(err)
		}
	}
	if err := tok.Save(filepath.Join(dir, "tokenizer.json")); err != nil {
		t.Fatal(err)
	}
}

// followed keeps what a run told.
type followed struct {
	mu      sync.Mutex
	losses  map[int]float64
	refused []train.RefusedEvent
}

func (f *followed) Emit(_ string, payload any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch e := payload.(type) {
	case figure.Step:
		f.losses[e.Step] = e.Loss
	case train.RefusedEvent:
		f.refused = append(f.refused, e)
	}
}

// TestAPoisonedShardIsFoundAndDoesNotHurt: the documents of one step are replaced by garbage of the same length; the guard names them, and
// the model is as good as that of the clean shard.
func TestAPoisonedShardIsFoundAndDoesNotHurt(t *testing.T) {
	steps, at := 130, 90
	if os.Getenv("LIAN_LONG") != "" {
		steps, at = 400, 300
	}
	work := t.TempDir()
	docs := sentences(400)
	tok, err := bpe.Train(context.Background(), slices.Values(docs), bpe.Options{VocabSize: 300, Special: SpecialTokens})
	if err != nil {
		t.Fatal(err)
	}
	var o PretrainOptions
	if err := config.Defaults(&o); err != nil {
		t.Fatal(err)
	}
	o.Model.Hidden, o.Model.Layers, o.Model.Heads, o.Model.KVHeads, o.Model.FeedForward, o.Model.Context = 64, 2, 2, 1, 128, 64
	o.Train.Steps, o.StepTokens, o.Train.SaveEvery, o.Looks = steps, 512, 25, 1
	o.Train.Guard.Answer = guard.Rollback
	run := func(name string, change func(i int, ids []int32)) (*followed, PretrainReport) {
		dir := filepath.Join(work, name)
		writeShards(t, filepath.Join(dir, "shards"), tok, docs, change)
		o.Shards, o.Tokenizer = filepath.Join(dir, "shards"), filepath.Join(dir, "shards", "tokenizer.json")
		f := &followed{losses: map[int]float64{}}
		r, err := Pretrain(context.Background(), dir, o, f)
		if err != nil {
			t.Fatal(err)
		}
		return f, r
	}
	clean, want := run("clean", nil)
	if len(clean.refused) > 0 {
		t.Errorf("on clean data the guard refused %+v", clean.refused)
	}
	separator, _ := tok.Special(Separator)
	text, err := openCorpus(context.Background(), filepath.Join(work, "clean", "shards"), o.Mixture, tok, separator, event.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer text.close()
	if err := text.layOut(o.Model.Context, o.StepTokens, steps, o.Train.Seed); err != nil {
		t.Fatal(err)
	}
	batch, err := text.source.Step(at)
	if err != nil {
		t.Fatal(err)
	}
	garbage := map[int]bool{}
	for _, q := range batch {
		garbage[q.Origin.Document] = true
	}
	r := random.New(9, "garbage")
	poisoned, got := run("poisoned", func(i int, ids []int32) {
		if garbage[i] {
			for j := range ids {
				ids[j] = int32(r.Int(i*10000+j, 256))
			}
		}
	})
	if len(poisoned.refused) == 0 {
		t.Fatal("the guard saw nothing")
	}
	named := map[int]bool{}
	for _, e := range poisoned.refused {
		t.Logf("step %d, batch %d: %s; skipped %v, went on from %d, documents %v", e.Step, e.Batch, e.Reason, e.Skipped, e.To, e.Documents)
		for _, d := range e.Documents {
			named[d.Document] = true
			if !garbage[d.Document] {
				t.Errorf("document %d is named and is sound", d.Document)
			}
		}
	}
	if fmt.Sprint(len(named)) != fmt.Sprint(len(garbage)) {
		t.Errorf("named %v of the documents %v", named, garbage)
	}
	if math.Abs(got.BitsPerByte-want.BitsPerByte) > 0.01*want.BitsPerByte {
		t.Errorf("held out, %.4f bits a byte, with the clean shard %.4f", got.BitsPerByte, want.BitsPerByte)
	}
	t.Logf("bits a byte: %.4f, clean %.4f", got.BitsPerByte, want.BitsPerByte)
	e := poisoned.refused[0]
	var first train.Refused
	lines, err := train.ReadRefused(filepath.Join(work, "poisoned", train.BatchesFolder, fmt.Sprintf("%d.jsonl", e.Step)))
	if err == nil && len(lines) > 0 {
		first = lines[0]
	}
	if err != nil || first.Text == "" || !strings.Contains(first.Source, "train.shard") || first.Batch != e.Batch {
		t.Errorf("batches/%d.jsonl begins with %+v, %v", e.Step, first, err)
	}
}
