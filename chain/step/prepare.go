package step

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"lian/config"
	"lian/data"
	"lian/event"
)

// Prepared is data that a model can be trained on.
type Prepared struct {
	What      string // how DATA was understood: shards, documents, files
	Shards    string // folder
	Tokenizer string // file
}

// Prepare makes token shards of whatever DATA is: a folder of shards as it is; cleaned documents through a tokenizer; anything
// else through lian data run first. tokenizerPath may be empty: then DATA's own is taken, or one is trained with so many tokens.
// What is made lies in dir, and is not made again.
func Prepare(ctx context.Context, input, tokenizerPath string, vocabulary int, dir string, events event.Sink) (Prepared, error) {
	p := Prepared{Tokenizer: tokenizerPath}
	if exists(filepath.Join(input, "train.shard")) {
		p.What, p.Shards = "shards", input
		if p.Tokenizer == "" {
			p.Tokenizer = filepath.Join(input, "tokenizer.json")
		}
		if !exists(p.Tokenizer) {
			return p, fmt.Errorf("%s: the shards' tokenizer is not beside them; pass --tokenizer", input)
		}
		return p, nil
	}
	documents, what, err := documentsOf(ctx, input, dir, events)
	if err != nil {
		return p, err
	}
	p.What, p.Shards = what, filepath.Join(dir, "shards")
	if err := os.MkdirAll(p.Shards, 0o755); err != nil {
		return p, err
	}
	if p.Tokenizer == "" {
		p.Tokenizer = filepath.Join(p.Shards, "tokenizer.json")
		if !exists(p.Tokenizer) {
			var o TokenizerOptions
			if err := config.Defaults(&o); err != nil {
				return p, err
			}
			o.Data, o.VocabSize = documents, vocabulary
			if _, err := Tokenizer(ctx, p.Shards, o, events); err != nil {
				return p, err
			}
		}
	}
	if !exists(filepath.Join(p.Shards, "heldout.shard")) {
		if _, err := Shards(documents, p.Tokenizer, p.Shards, events); err != nil {
			return p, err
		}
	}
	return p, nil
}

// documentsOf is the folder of cleaned documents that an input is, or that lian data run makes of it in dir, and what the input was.
func documentsOf(ctx context.Context, input, dir string, events event.Sink) (documents, what string, err error) {
	if exists(filepath.Join(input, data.TrainFile)) {
		return input, "documents", nil
	}
	documents = filepath.Join(dir, "data")
	if exists(filepath.Join(documents, data.TrainFile)) {
		return documents, "files", nil
	}
	var o DataOptions
	if err := config.Defaults(&o); err != nil {
		return "", "", err
	}
	o.Input = []string{input}
	_, err = Data(ctx, documents, o, events)
	return documents, "files", err
}
