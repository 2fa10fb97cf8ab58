package step

import (
	"iter"
	"os"
	"path/filepath"

	"lian/data"
	"lian/event"
	"lian/format/shard"
	"lian/tokenizer"
)

// ShardsReport is what became of cleaned documents as tokens.
type ShardsReport struct {
	TrainTokens   int64   `json:"train_tokens"`
	TrainBytes    int64   `json:"train_bytes"`
	HeldOutTokens int64   `json:"held_out_tokens"`
	HeldOutBytes  int64   `json:"held_out_bytes"`
	BytesPerToken float64 `json:"bytes_per_token"` // held out
}

// Shards turns the documents of a data folder into dir/train.shard and dir/heldout.shard.
func Shards(documents, tokenizerPath, dir string, events event.Sink) (ShardsReport, error) {
	var r ShardsReport
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return r, err
	}
	tok, err := tokenizer.Load(tokenizerPath)
	if err != nil {
		return r, err
	}
	for _, split := range []struct {
		file, name    string
		tokens, bytes *int64
	}{
		{"documents.jsonl", "train", &r.TrainTokens, &r.TrainBytes},
		{"heldout.jsonl", "heldout", &r.HeldOutTokens, &r.HeldOutBytes},
	} {
		done := int64(0)
		encoded := func(yield func(shard.Document, error) bool) {
			for d, err := range data.ReadDocuments(filepath.Join(documents, split.file)) {
				ids := tok.Encode(d.Text)
				*split.tokens += int64(len(ids))
				*split.bytes += int64(len(d.Text))
				if done++; done%500 == 0 {
					events.Emit(event.KindProgress, event.Progress{Stage: "tokens of " + split.name, Done: done, Unit: "documents"})
				}
				if !yield(shard.Document{Tokens: ids, TextBytes: int64(len(d.Text))}, err) {
					return
				}
			}
		}
		meta := shard.Meta{VocabSize: tok.VocabSize(), TokenizerHash: tok.Hash(), Split: split.name}
		if err := shard.Write(filepath.Join(dir, split.name+".shard"), iter.Seq2[shard.Document, error](encoded), meta); err != nil {
			return r, err
		}
	}
	if r.HeldOutTokens > 0 {
		r.BytesPerToken = float64(r.HeldOutBytes) / float64(r.HeldOutTokens)
	}
	return r, nil
}
