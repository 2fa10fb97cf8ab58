package step

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"lian/engine"
	"lian/event"
	"lian/format/shard"
	"lian/model"
)

// PerplexityOptions are the settings of lian perplexity.
type PerplexityOptions struct {
	engine.Windows `yaml:",inline"`
	SelfExtension  `yaml:",inline"`
	Against        string          `yaml:"against" help:"model that this one was made of: how far its predictions are from that one's (KL divergence, agreement)"`
	KV             model.KVType    `yaml:"kv" help:"read keys and values as a cache of this type holds them; auto is bf16 for fast and f32 for exact" default:"auto" range:"auto|f32|bf16|int8|int4"`
	Precision      model.Precision `yaml:"precision" help:"fast rounds activations to int8 where weights are quantised; exact never does" default:"exact" range:"exact|fast"`
}

// PerplexityRow is how well a model foretells a file.
type PerplexityRow struct {
	File        string  `json:"file"` // or PerplexityTotal
	Model       string  `json:"model"`
	BitsPerByte float64 `json:"bits_per_byte"`
	Perplexity  float64 `json:"perplexity"`       // of a token
	Error       float64 `json:"perplexity_error"` // its standard error
	Tokens      int     `json:"tokens"`           // asked for
	Bytes       int     `json:"bytes"`            // of the text that those tokens stand for
	Documents   int     `json:"documents"`
	Rule        string  `json:"rule"` // see PerplexityOptions.rule
	Precision   string  `json:"precision"`
	KV          string  `json:"kv"`
	Seconds     float64 `json:"seconds"`
	nats        float64
	squares     float64 // of the losses
}

// PerplexityTotal stands for all of several files.
const PerplexityTotal = "total"

// Perplexity measures a model on files: .txt (a document each), .jsonl (an object with "text" on each line) and token shards.
// After several files comes a row for all of them.
func Perplexity(ctx context.Context, path string, files []string, o PerplexityOptions, sink event.Sink) ([]PerplexityRow, error) {
	b, err := Backend()
	if err != nil {
		return nil, err
	}
	m, err := OpenToRun(path, b)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	if err := o.apply(m); err != nil {
		return nil, err
	}
	if err := o.Check(m.Model.Spec.Context); err != nil {
		return nil, fmt.Errorf("%s: %w", m.Name, err)
	}
	var rows []PerplexityRow
	total := PerplexityRow{File: PerplexityTotal}
	for _, file := range files {
		texts, err := m.readTexts(file)
		if err != nil {
			return nil, err
		}
		begun := time.Now()
		row, err := m.perplexity(ctx, texts, o, func(done, of int64) {
			sink.Emit(event.KindProgress, event.Progress{Stage: "perplexity", Done: done, Total: of, Unit: "tokens"})
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		row.File, row.Seconds = file, time.Since(begun).Seconds()
		rows = append(rows, row)
		total.nats += row.nats
		total.squares += row.squares
		total.Tokens += row.Tokens
		total.Bytes += row.Bytes
		total.Documents += row.Documents
		total.Seconds += row.Seconds
	}
	if len(files) > 1 {
		rows = append(rows, total)
	}
	for i := range rows {
		r := &rows[i]
		r.Model, r.Precision, r.KV, r.Rule = m.Name, string(o.Precision), string(o.KV.For(o.Precision)), o.rule()
		p := engine.Perplexity{Tokens: r.Tokens, Bytes: r.Bytes, Nats: r.nats}
		r.BitsPerByte, r.Perplexity = p.BitsPerByte(), p.PerToken()
		r.Error = r.standardError()
		if math.IsNaN(r.BitsPerByte) || math.IsInf(r.Perplexity, 0) {
			return nil, fmt.Errorf("%s: the loss of %s is %v nats over %d bytes, no finite number; lian inspect %s --verify looks for broken weights", r.File, m.Name, r.nats, r.Bytes, path)
		}
	}
	return rows, nil
}

// readTexts are the documents of a file as token ids.
func (m *Opened) readTexts(file string) (texts []engine.Text, err error) {
	add := func(text string) {
		texts = append(texts, engine.Text{IDs: m.Tokenizer.Encode(text), Bytes: len(text)})
	}
	switch filepath.Ext(file) {
	case ".jsonl":
		err = readTextLines(file, add)
	case ".shard":
		texts, err = m.readShard(file)
	default:
		var raw []byte
		if raw, err = os.ReadFile(file); err == nil {
			if !utf8.Valid(raw) {
				if shards, bad := m.readShard(file); bad == nil {
					return shards, nil
				}
				return nil, fmt.Errorf("%s: not UTF-8 text; expected text, documents as .jsonl, or a token shard", file)
			}
			add(string(raw))
		}
	}
	if err != nil {
		return nil, err
	}
	for _, t := range texts {
		if len(t.IDs) > 0 {
			return texts, nil
		}
	}
	return nil, fmt.Errorf("%s: there is no text in it", file)
}

// readTextLines reads JSON lines that have a text.
func readTextLines(file string, add func(text string)) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<20)
	for number := 1; ; number++ {
		line, err := r.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("%s:%d: %w", file, number, err)
		}
		if strings.TrimSpace(line) != "" {
			var record struct {
				Text *string `json:"text"`
			}
			if bad := json.Unmarshal([]byte(line), &record); bad != nil {
				return fmt.Errorf("%s:%d: expected a JSON object with \"text\": %w", file, number, bad)
			}
			if record.Text == nil {
				return fmt.Errorf("%s:%d: the object has no \"text\"; perplexity is of documents (conversations are scored by lian eval)", file, number)
			}
			add(*record.Text)
		}
		if err != nil {
			return nil
		}
	}
}

// readShard reads a token shard of the model's own tokenizer.
func (m *Opened) readShard(file string) ([]engine.Text, error) {
	r, err := shard.Open(file)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if r.Meta().TokenizerHash != m.Tokenizer.Hash() {
		return nil, fmt.Errorf("%s: made with another tokenizer (%.12s…) than %s has (%.12s…); measure on the documents instead", file, r.Meta().TokenizerHash, m.Name, m.Tokenizer.Hash())
	}
	texts := make([]engine.Text, r.Documents())
	for i := range texts {
		texts[i] = engine.Text{IDs: r.Document(i), Bytes: int(r.DocumentTextBytes(i))}
	}
	return texts, nil
}

// rule says how texts are cut.
func (o PerplexityOptions) rule() string {
	switch {
	case o.Chunk > 0:
		return fmt.Sprintf("chunks of %d", o.Chunk)
	case o.Stride > 0:
		return fmt.Sprintf("windows of %d every %d", o.Window, o.Stride)
	case o.Window > 0:
		return fmt.Sprintf("windows of %d", o.Window)
	}
	return "documents"
}

func (o PerplexityOptions) numbers() engine.Numbers {
	return engine.Numbers{Precision: o.Precision, KV: o.KV}
}

// portion is about how many tokens are measured between two looks at the progress.
const portion = 2048

// perplexity measures the documents of a file, window by window. A document is foretold after the model's separator, which is asked for at
// its end, as pretraining does; with o.Chunk it is cut as llama.cpp's llama-perplexity does, and what is left over is not measured.
func (m *Opened) perplexity(ctx context.Context, texts []engine.Text, o PerplexityOptions, progress func(done, of int64)) (row PerplexityRow, err error) {
	all, done, waiting := int64(0), int64(0), 0
	for _, t := range texts {
		all += int64(len(t.IDs))
	}
	progress(0, all)
	var windows [][]int32
	var starts []int
	measure := func() error {
		scored, err := engine.ScoreAs(ctx, m.Backend, m.Model, windows, starts, o.numbers())
		for _, s := range scored {
			row.add(s)
		}
		windows, starts, waiting = windows[:0], starts[:0], 0
		progress(done, all)
		return err
	}
	for _, t := range texts {
		row.Documents++
		ids, before := t.IDs, done
		if o.Chunk == 0 {
			ids = append(append([]int32{m.Separator}, ids...), m.Separator)
			row.Bytes += t.Bytes
		}
		for _, span := range o.Spans(len(ids), m.Model.Spec.Context) {
			if o.Chunk > 0 {
				row.Bytes += len(m.Tokenizer.Decode(ids[span.Start:span.To]))
			}
			windows, starts = append(windows, ids[span.From:span.To]), append(starts, span.Start-span.From)
			waiting += span.To - span.From
			done = before + int64(min(span.To, len(t.IDs)))
			if waiting >= portion {
				if err := measure(); err != nil {
					return row, err
				}
			}
		}
		done = before + int64(len(t.IDs))
	}
	if err := measure(); err != nil {
		return row, err
	}
	if row.Tokens == 0 {
		return row, fmt.Errorf("no text of it has %d tokens, so there is no chunk to measure; use a smaller --chunk, or none", o.Chunk)
	}
	return row, nil
}

// add counts a window's tokens.
func (r *PerplexityRow) add(s engine.Scored) {
	r.nats -= s.Sum
	r.Tokens += len(s.LogProbs)
	for _, l := range s.LogProbs {
		r.squares += float64(l) * float64(l)
	}
}

// standardError is that of the perplexity, tokens taken as drawn one by one, as llama-perplexity gives it: perplexity times the
// standard error of the mean loss.
func (r *PerplexityRow) standardError() float64 {
	n := float64(r.Tokens)
	mean := r.nats / n
	return r.Perplexity * math.Sqrt(max(r.squares/n-mean*mean, 0)/max(n-1, 1))
}
