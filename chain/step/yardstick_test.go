package step

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"lian/eval/ngram"
	"lian/event"
	"lian/store"
	bpe "lian/tokenizer/train"
)

func TestYardstickCountsTheTextThatTheRunRead(t *testing.T) {
	dir, docs := t.TempDir(), sentences(100)
	tok, err := bpe.Train(context.Background(), slices.Values(docs), bpe.Options{VocabSize: 300, Special: SpecialTokens})
	if err != nil {
		t.Fatal(err)
	}
	shards := filepath.Join(dir, "shards")
	writeShards(t, shards, tok, docs, nil)
	o := PretrainOptions{Shards: shards, Tokenizer: filepath.Join(shards, "tokenizer.json"), Mixture: MixtureOptions{Packing: "cut", Documents: "apart", End: -1}}
	if y, err := measureYardstick(context.Background(), dir, event.Discard); y != nil || err != nil {
		t.Errorf("a folder without %s: %v, %v", trainingFile, y, err)
	}
	if err := store.WriteJSON(filepath.Join(dir, trainingFile), training{o, 32}); err != nil {
		t.Fatal(err)
	}
	y, err := measureYardstick(context.Background(), dir, event.Discard)
	if err != nil {
		t.Fatal(err)
	}
	m, err := ngram.Train(yardstickOrder, slices.Values(docs[:90]))
	if err != nil {
		t.Fatal(err)
	}
	if want := m.BitsPerByte(slices.Values(docs[90:]), yardstickOrder); math.Abs(y.BitsPerByte-want) > 1e-12 {
		t.Errorf("bits per byte %v, counted on the text itself %v", y.BitsPerByte, want)
	}
	if y.Cut || y.Counted != m.TrainedOn() {
		t.Errorf("counted %d bytes (cut: %v) of %d", y.Counted, y.Cut, m.TrainedOn())
	}
	text, err := openCorpus(context.Background(), shards, o.Mixture, tok, 0, event.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer text.close()
	d := decoding{corpus: text, tok: tok, events: event.Discard, most: len(docs[0]) + 1}
	if got := slices.Collect(d.texts(context.Background())); !d.cut || !slices.Equal(got, docs[:2]) {
		t.Errorf("cut: %v, after %d documents of at most one and a byte", d.cut, len(got))
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := measureYardstick(ctx, dir, event.Discard); err == nil {
		t.Error("went on after it was cancelled")
	}
}
