package step

import (
	"context"
	"fmt"
	"time"

	"lian/event"
	"lian/tokenizer"
	"lian/tokenizer/train"
)

// BenchTokenizerOptions are the settings of lian bench tokenizer.
type BenchTokenizerOptions struct {
	File  string `yaml:"file" help:"text, JSON lines with \"text\", or folder of documents to measure on"`
	Runs  int    `yaml:"runs" help:"runs of each measurement" default:"5" range:"1..1000"`
	Train int    `yaml:"train" help:"size of the vocabulary that is learnt to measure training; 0 measures none" default:"8192" range:"0..1000000"`
}

// BenchTokenizer measures megabytes of a text that are encoded and decoded in a second of processor time, and that a vocabulary
// is learnt from. Encoding and decoding use one processor.
func BenchTokenizer(ctx context.Context, paths []string, o BenchTokenizerOptions, show func(Benched) error, sink event.Sink) error {
	if o.File == "" {
		return fmt.Errorf("--file: name the text to measure on")
	}
	var texts []string
	size := 0
	for text, err := range readTexts([]string{o.File}) {
		if err != nil {
			return err
		}
		texts = append(texts, text)
		size += len(text)
	}
	if size == 0 {
		return fmt.Errorf("%s: there is no text in it", o.File)
	}
	var all []*tokenizer.Tokenizer
	for _, path := range paths {
		tok, err := OpenTokenizer(path)
		if err != nil {
			return err
		}
		all = append(all, tok)
	}
	done, total := int64(0), int64(len(paths)*2+min(o.Train, 1))*int64(o.Runs)
	// measure gives a figure of several runs; each repeats the work until it has taken a while.
	measure := func(name, path string, least time.Duration, work func() error, settings ...Setting) error {
		var byCPU, byClock []float64
		for range o.Runs {
			cpu, begun, times := cpuTime(), time.Now(), 0
			for times == 0 || time.Since(begun) < least {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := work(); err != nil {
					return err
				}
				times++
			}
			megabytes := float64(times) * float64(size) / 1e6
			byCPU = append(byCPU, megabytes/max(cpuTime()-cpu, time.Microsecond).Seconds())
			byClock = append(byClock, megabytes/time.Since(begun).Seconds())
			done++
			sink.Emit(event.KindProgress, event.Progress{Stage: "measuring", Done: done, Total: total, Unit: "runs"})
		}
		settings = append([]Setting{{"tokenizer", path}, {"text", o.File}, {"bytes", size}, {"mb_per_second", summed("", "", "", byClock).Value}}, settings...)
		return show(summed("tokenizer", name, "MB/CPU-s", byCPU, settings...))
	}
	const while = 50 * time.Millisecond
	for i, tok := range all {
		ids := make([][]int32, len(texts))
		tokens := 0
		encode := func() error {
			tokens = 0
			for k, text := range texts {
				ids[k] = tok.Encode(text)
				tokens += len(ids[k])
			}
			return nil
		}
		if err := encode(); err != nil {
			return err
		}
		settings := []Setting{{"tokens", tokens}, {"vocab", tok.VocabSize()}}
		if err := measure("encode", paths[i], while, encode, settings...); err != nil {
			return err
		}
		decode := func() error {
			for _, list := range ids {
				tok.Decode(list)
			}
			return nil
		}
		if err := measure("decode", paths[i], while, decode, settings...); err != nil {
			return err
		}
	}
	if o.Train == 0 {
		return nil
	}
	learn := func() error {
		each := func(yield func(string) bool) {
			for _, text := range texts {
				if !yield(text) {
					return
				}
			}
		}
		_, err := train.Train(ctx, each, train.Options{VocabSize: o.Train, MinFrequency: 2, Special: SpecialTokens})
		return err
	}
	return measure("train", "byte-level BPE", 0, learn, Setting{"vocab", o.Train})
}
