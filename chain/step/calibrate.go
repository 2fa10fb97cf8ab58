package step

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"

	"lian/chat"
	"lian/compute"
	"lian/data/instruct"
	"lian/event"
	"lian/model"
	"lian/quant"
)

// CalibrationOptions say on what text a model is watched.
type CalibrationOptions struct {
	Calibrate string `yaml:"calibrate" help:"text to watch the model on: .txt, .jsonl with texts or conversations, or a token shard; builtin is a short one that comes with Lian"`
	Chunks    int    `yaml:"chunks" help:"most pieces of the text to watch the model on" default:"128" range:"1..1000000"`
	ChunkSize int    `yaml:"chunk_size" help:"tokens of each piece" default:"512" range:"8..1000000"`
}

// builtinText is the name of the text that comes with Lian.
const builtinText = "builtin"

// Calibration says what a model was watched on.
type Calibration struct {
	Text      string `json:"text"`
	Chunks    int    `json:"chunks"`
	ChunkSize int    `json:"chunk_size"`
	// Unused are tokens of the text past the last chunk.
	Unused int `json:"unused_tokens"`
}

// calibrationChunks cuts a text as llama-imatrix does: documents one behind the other, in whole chunks that see nothing of each
// other, each begun by the model's start token if it has one. A text shorter than a chunk is one.
func (m *Opened) calibrationChunks(o CalibrationOptions) (chunks [][]int32, said Calibration, err error) {
	var all []int32
	said.Text = o.Calibrate
	before, _ := m.Tokenizer.Around()
	if o.Calibrate == builtinText {
		all = append(before, m.Tokenizer.Encode(quant.Text)...)
	} else if all, err = m.calibrationText(o.Calibrate, before); err != nil {
		return nil, said, err
	}
	size := min(o.ChunkSize, m.Model.Spec.Context, len(all))
	for len(all) >= size && len(chunks) < o.Chunks {
		chunk := append([]int32(nil), all[:size]...)
		copy(chunk, before[:min(len(before), size)])
		chunks, all = append(chunks, chunk), all[size:]
	}
	said.Chunks, said.ChunkSize, said.Unused = len(chunks), size, len(all)
	return chunks, said, nil
}

// calibrationText is a file as one run of ids.
func (m *Opened) calibrationText(file string, before []int32) (all []int32, err error) {
	if filepath.Ext(file) == ".jsonl" {
		if all, err = m.conversations(file); err != nil || len(all) > 0 {
			return all, err
		}
	}
	texts, err := m.readTexts(file)
	if err != nil {
		return nil, err
	}
	for i, t := range texts {
		if i > 0 && len(before) == 0 {
			all = append(all, m.Separator)
		}
		all = append(append(all, before...), t.IDs...)
	}
	return all, nil
}

// conversations are those of a file with one on each line, as the model's template writes them; none if its lines are texts.
func (m *Opened) conversations(file string) (all []int32, err error) {
	err = readLines(file, func(line []byte, number int) error {
		var e instruct.Example
		if bad := json.Unmarshal(line, &e); bad != nil || len(e.Messages) == 0 {
			if len(all) > 0 {
				return fmt.Errorf("%s:%d: expected a conversation with messages, as on the lines before: %v", file, number, bad)
			}
			return nil
		}
		tpl, err := m.NeedTemplate()
		if err != nil {
			return err
		}
		encoding, err := chat.Encode(m.Tokenizer, tpl, e.Messages, chat.Options{Tools: e.Tools})
		if err != nil {
			return fmt.Errorf("%s:%d: %w", file, number, err)
		}
		all = append(all, encoding.IDs...)
		return nil
	})
	return all, err
}

// watch runs a model over chunks with taps.
func (m *Opened) watch(ctx context.Context, chunks [][]int32, stage string, s compute.Stream, taps model.Taps, events event.Sink) error {
	arena := compute.NewArena(m.Backend, 1<<20)
	for i, ids := range chunks {
		events.Emit(event.KindProgress, event.Progress{Stage: stage, Done: int64(i), Total: int64(len(chunks)), Unit: "chunks"})
		if err := ctx.Err(); err != nil {
			return err
		}
		batch := &model.Batch{}
		batch.Add(ids, 0, nil)
		arena.Reset()
		hidden, err := m.Model.Forward(&model.Pass{Stream: s, Arena: arena, Precision: model.Exact, Taps: taps}, batch)
		if err != nil {
			return err
		}
		if err := s.Read(hidden, make([]byte, hidden.Bytes())); err != nil {
			return err
		}
	}
	return nil
}

// importance computes an importance matrix.
func (m *Opened) importance(ctx context.Context, o CalibrationOptions, events event.Sink) (*quant.Imatrix, Calibration, error) {
	chunks, said, err := m.calibrationChunks(o)
	if err != nil {
		return nil, said, err
	}
	s := m.Backend.NewStream()
	c := quant.NewCollector(s, m.Bindings)
	if err := m.watch(ctx, chunks, "importance", s, c.Taps(), events); err != nil {
		return nil, said, err
	}
	c.Matrix.Datasets, c.Matrix.Chunks, c.Matrix.ChunkSize = []string{o.Calibrate}, said.Chunks, said.ChunkSize
	return c.Matrix, said, c.Err()
}
