package step

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"lian/config"
	"lian/data"
	"lian/event"
	"lian/format/tokenfile"
	"lian/tokenizer"
)

// textFacts are what is known of a run's text: counted where it is tokens already, estimated from a sample where it is not.
type textFacts struct {
	tokens     float64 // of one pass over what is learnt from, marks between documents included
	heldOut    float64 // tokens that are held out
	length     float64 // mean tokens of a document; 0 is not known
	perByte    float64 // tokens for a byte of text; 0 is not known
	vocabulary int
	preparing  preparation
}

// preparation is what making shards of files takes.
type preparation struct {
	raw       int64   // bytes of files
	clean     float64 // seconds to read, clean, judge, look for duplicates and write
	tokenizer float64 // seconds to learn tokens
	encode    float64 // seconds to write text as tokens
	memory    int64   // bytes, the program's own included
	spent     float64 // seconds that all of it took, where it is over
}

func (p preparation) seconds() float64 { return p.clean + p.tokenizer + p.encode + p.spent }

// What a sample is, and what preparing holds: so much of memory, so much for each byte of text and for each document (docs/log.md).
const (
	sampleBytes          = 4 << 20
	preparingBytes       = ownBytes + 14<<20
	preparingByteBytes   = 5.6
	preparingRecordBytes = 2400
)

// planText says what is known of inputs before a run reads them: token files say how much they hold; of files that have to be prepared a sample of a few
// megabytes, all of them where they are no larger, is prepared for a trial, so that how long that takes and what comes of it are measured. No input has no text.
func planText(ctx context.Context, inputs []string, tokenizerPath string, vocabulary int, o MixtureOptions, events event.Sink) (t textFacts, err error) {
	if tokenizerPath == "" {
		tokenizerPath = besides(inputs)
	}
	var tok *tokenizer.Tokenizer
	if tokenizerPath != "" {
		if tok, err = tokenizer.Load(tokenizerPath); err != nil {
			return t, err
		}
		vocabulary = tok.VocabSize()
	}
	t.vocabulary = vocabulary
	var raw []rawText
	all := int64(0)
	for _, input := range inputs {
		domains, err := tokenFiles(input)
		if err != nil {
			return t, err
		}
		if domains == nil {
			r, err := findText(ctx, input)
			if err != nil {
				return t, err
			}
			raw, all = append(raw, r), all+r.bytes
			continue
		}
		tokens, heldOut, documents, err := corpusSize(domains, o, tok)
		if err != nil {
			return t, err
		}
		t.add(tokens, heldOut, documents)
	}
	if len(raw) == 0 {
		return t, nil
	}
	defer collectOften()()
	dir, err := os.MkdirTemp("", "lian-plan-*")
	if err != nil {
		return t, err
	}
	defer os.RemoveAll(dir)
	t.preparing.raw = all
	return t, t.sample(ctx, dir, raw, tokenizerPath, events)
}

// add is one more text.
func (t *textFacts) add(tokens, heldOut, documents float64) {
	before := 0.0
	if t.length > 0 {
		before = t.tokens / t.length
	}
	t.tokens, t.heldOut = t.tokens+tokens, t.heldOut+heldOut
	if documents += before; documents > 0 {
		t.length = t.tokens / documents
	}
}

// sample prepares a sample of each text in dir, as PrepareAll prepares all of it, and scales what that took.
func (t *textFacts) sample(ctx context.Context, dir string, texts []rawText, tokenizerPath string, events event.Sink) error {
	events.Emit(event.KindProgress, event.Progress{Stage: "measure", Done: 0, Unit: "sizes"})
	trials := make([]*trial, len(texts))
	var o TokenizerOptions
	if err := config.Defaults(&o); err != nil {
		return err
	}
	share := min(1, sampleBytes/float64(max(t.preparing.raw, 1)))
	for i, text := range texts {
		x := &trial{folder: filepath.Join(dir, fmt.Sprint(i))}
		if err := x.clean(ctx, text, max(share, min(1, 64<<10/float64(max(text.bytes, 1)))), filepath.Join(dir, fmt.Sprintf("files-%d", i))); err != nil {
			return err
		}
		trials[i], t.preparing.clean = x, t.preparing.clean+x.seconds*x.scale
		t.preparing.memory = max(t.preparing.memory, preparingBytes+int64(preparingByteBytes*x.text+preparingRecordBytes*x.records))
		o.More = append(o.More, x.documents)
	}
	o.Data, o.More, o.VocabSize = o.More[0], o.More[1:], t.vocabulary
	fit := 1.0
	if tokenizerPath == "" {
		var err error
		if t.preparing.tokenizer, fit, err = learning(ctx, dir, o, trials); err != nil {
			return err
		}
		tokenizerPath = filepath.Join(dir, "tokenizer.json")
	}
	shardTokens, shardBytes := 0.0, 0.0
	for _, x := range trials {
		began := time.Now()
		r, err := Shards(x.documents, tokenizerPath, x.folder, event.Discard)
		if err != nil {
			return err
		}
		t.preparing.encode += time.Since(began).Seconds() * x.scale
		tokens, records := float64(r.TrainTokens+r.HeldOutTokens)*x.scale*fit, float64(x.train+x.held)*x.scale
		held := float64(r.HeldOutTokens) * fit
		if x.scale > 1 {
			held = tokens * max(x.share, min(0.25, x.least/max(records, 1)))
		}
		documents := records * (1 - held/max(tokens, 1))
		t.add(tokens-held+documents, held, documents)
		shardTokens, shardBytes = shardTokens+tokens, shardBytes+float64(r.TrainBytes+r.HeldOutBytes)*x.scale
	}
	t.perByte = shardTokens / max(shardBytes, 1)
	return nil
}

// trial is a sample of a text, cleaned.
type trial struct {
	folder, documents string
	scale             float64 // how many times as much text as the sample will be kept
	seconds           float64 // that cleaning took
	text, records     float64 // bytes and documents of all of the text as it is read
	train, held       int     // documents of the sample
	bytes             int64   // of text in them
	share, least      float64 // of the text that is to be held out, and documents
}

// clean takes so large a share of a text and cleans it, unless it is clean already.
func (x *trial) clean(ctx context.Context, text rawText, share float64, files string) error {
	taken, err := text.sample(ctx, share, files)
	if err != nil {
		return err
	}
	x.scale = float64(text.bytes) / float64(max(taken.bytes, 1))
	if text.cleaned {
		x.documents = taken.path
		for i, name := range []string{data.TrainFile, data.HeldOutFile} {
			for d, err := range data.ReadDocuments(filepath.Join(x.documents, name)) {
				if err != nil {
					return err
				}
				x.bytes += int64(len(d.Text))
				if i == 0 {
					x.train++
				} else {
					x.held++
				}
			}
		}
		x.share = float64(x.held) / float64(max(x.train+x.held, 1))
		return nil
	}
	var o DataOptions
	if err := config.Defaults(&o); err != nil {
		return err
	}
	o.Input, x.documents, x.share, x.least = []string{taken.path}, filepath.Join(x.folder, "data"), o.HeldOut, leastHeldOut
	began := time.Now()
	r, err := Data(ctx, x.documents, o, event.Discard)
	if err != nil {
		return fmt.Errorf("a sample of %s: %w", text.path, err)
	}
	x.seconds, x.train, x.held, x.bytes = time.Since(began).Seconds(), r.Train.Documents, r.HeldOut.Documents, r.Train.Bytes+r.HeldOut.Bytes
	read := r.Stages[0].Out
	x.text, x.records = float64(read.Bytes)*x.scale, float64(read.Documents)*x.scale
	if most := float64(o.MaxBytes); x.text > most { // the rest is read and left out
		x.scale *= most / x.text
	}
	return nil
}

// leastHeldOut are the documents that data run holds out at least, of up to a quarter of them.
const leastHeldOut = 100

// learning learns tokens from the sample, in dir, and says how long learning them from all of the texts will take, and how many times as many tokens a text will
// have then. Both come of learning from every other document too: twice the text has fewer than twice the words, and a tokenizer fits the text that it was learnt
// from better than it will fit all of it, and what it has not seen less well.
func learning(ctx context.Context, dir string, o TokenizerOptions, trials []*trial) (seconds, fit float64, err error) {
	learn := func(dir string, o TokenizerOptions) (float64, error) {
		began := time.Now()
		_, err := Tokenizer(ctx, dir, o, event.Discard)
		return time.Since(began).Seconds(), err
	}
	sampled, text := 0.0, 0.0
	for _, x := range trials {
		sampled, text = sampled+float64(x.bytes), text+float64(x.bytes)*x.scale
	}
	whole, err := learn(dir, o)
	if err != nil || text < 1.2*sampled {
		return whole, 1, err
	}
	halves, every := filepath.Join(dir, "halves"), o
	every.Data, every.More = "", nil
	for i, x := range trials {
		folder := filepath.Join(halves, fmt.Sprint(i))
		if err := x.halve(folder); err != nil {
			return 0, 0, err
		}
		if i == 0 {
			every.Data = folder
		} else {
			every.More = append(every.More, folder)
		}
	}
	half, err := learn(halves, every)
	if err != nil {
		return 0, 0, err
	}
	seen, unseen := 0.0, 0.0 // tokens of all texts, as if each were like those learnt from, and like those not
	for i, x := range trials {
		r, err := Shards(filepath.Join(halves, fmt.Sprint(i)), filepath.Join(halves, "tokenizer.json"), filepath.Join(halves, fmt.Sprint(i)), event.Discard)
		if err != nil {
			return 0, 0, err
		}
		seen += x.scale * float64(r.TrainTokens) / float64(max(r.TrainBytes, 1))
		unseen += x.scale * float64(r.HeldOutTokens) / float64(max(r.HeldOutBytes, 1))
	}
	growth := min(1, max(0.4, math.Log2(whole/half)))
	return whole * math.Pow(min(text, float64(o.MaxBytes))/sampled, growth), max(1, (1+unseen/max(seen, 1e-9))/2), nil
}

// halve writes every other document of a sample to a folder as what is learnt from, and the rest as what is held out.
func (x *trial) halve(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(x.documents, data.TrainFile))
	if err != nil {
		return err
	}
	var halves [2][]byte
	n := 0
	for line := range bytes.Lines(text) {
		halves[n%2] = append(halves[n%2], line...)
		n++
	}
	return errors.Join(os.WriteFile(filepath.Join(folder, data.TrainFile), halves[0], 0o644), os.WriteFile(filepath.Join(folder, data.HeldOutFile), halves[1], 0o644))
}

// facts are those of an open corpus that took so long to prepare.
func (c *corpus) facts(vocabulary int, spent time.Duration) (t textFacts) {
	t.vocabulary, t.preparing.spent = vocabulary, spent.Seconds()
	documents := 0
	for _, d := range c.domains {
		documents += d.Documents.Documents()
	}
	held := 0.0
	for _, h := range c.heldOut {
		held += float64(tokenfile.Count(h.texts))
	}
	t.add(float64(c.tokens), held, float64(documents))
	return t
}
