package step

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"

	"lian/event"
	"lian/format/tokenfile"
	"lian/tokenizer"
	"lian/train/mixture"
	"lian/train/pack"
	"lian/train/schedule"
)

// MixtureOptions say how a training reads its data.
type MixtureOptions struct {
	Mix          string  `yaml:"mix" help:"weights of the domains, as en=0.7,zh=0.3; further mixtures follow with the share of the run that they start at: en=1,zh=1; 0.8: en=1,zh=3. Empty is by tokens"`
	DomainEpochs string  `yaml:"domain_epochs" help:"how often a document is seen at most, as 4, or by domain as en=2,zh=4; the rest of a domain's share goes to the others. Empty is no bound"`
	Packing      string  `yaml:"packing" help:"cut: one stream of documents, cut where a row ends; best-fit: whole documents fitted into rows" default:"cut" range:"cut|best-fit"`
	Documents    string  `yaml:"documents" help:"whether documents of a row are apart or see each other (joined)" default:"apart" range:"apart|joined"`
	MinLength    int     `yaml:"min_length" help:"documents with fewer tokens are dropped and counted" default:"0" range:"0..100000000"`
	BatchRamp    string  `yaml:"batch_ramp" help:"tokens of the first steps: START INCREMENT EVERY, or START double EVERY, in tokens, tokens, steps; up to step_tokens"`
	SkipBatches  string  `yaml:"skip_batches" help:"numbers of batches that are left out, from 0, as 1-3,10"`
	HeldOutShare float64 `yaml:"held_out_share" help:"share of a domain's tokens that is held out, a million at most, where no file is" default:"0.01" range:"0..0.5"`
	Field        string  `yaml:"field" help:"column or member that has the ids or the text; empty tries tokens, input_ids, text, content"`
	End          int     `yaml:"end" help:"id that stands between documents in token files; -1 is the tokenizer's, or what the format has" default:"-1" range:"-1..2147483647"`
}

// check says what cannot be read in the settings, before anything is prepared or measured.
func (o MixtureOptions) check() error {
	_, mix := parseMix(o.Mix)
	_, epochs := parseEpochs(o.DomainEpochs)
	_, skips := pack.ParseSkips(o.SkipBatches)
	_, ramp := schedule.ParseRamp(o.BatchRamp, math.MaxInt)
	return errors.Join(mix, epochs, skips, ramp)
}

// KindData is the event that says what a run takes of its data; payload []mixture.Statistics.
const KindData = "train.data"

// corpus is the data of a training, open.
type corpus struct {
	dir     string
	options MixtureOptions
	mark    int32
	domains []mixture.Domain
	content []string // of each domain's files, see tokenfile.Fingerprint
	heldOut []heldOut
	tokens  int64 // of all documents that are learnt from, and a mark for each
	readers []tokenfile.Reader
	source  *mixture.Source // once it is laid out
	ahead   *pack.Ahead
}

// heldOut is the held-out text of a domain.
type heldOut struct {
	domain string
	texts  tokenfile.Reader
}

// openCorpus opens the data of a folder that Prepare made or that has token files, and checks all ids. Nothing is laid out yet.
func openCorpus(ctx context.Context, dir string, o MixtureOptions, tok *tokenizer.Tokenizer, mark int32, events event.Sink) (c *corpus, err error) {
	opened := &corpus{dir: dir, options: o, mark: mark}
	defer func() {
		if err != nil {
			err = errors.Join(err, opened.close())
		}
	}()
	c = opened
	parts, err := corpusParts(dir)
	if err != nil {
		return nil, err
	}
	bounds, err := parseEpochs(o.DomainEpochs)
	if err != nil {
		return nil, err
	}
	open := opener{ctx: ctx, o: o, tok: tok, mark: mark, events: events}
	for _, p := range parts {
		train, held, err := c.domain(open, p)
		if err != nil {
			return nil, err
		}
		c.domains = append(c.domains, mixture.Domain{Name: p.Name, Documents: train, MaxEpochs: bounds.of(p.Name)})
		c.heldOut = append(c.heldOut, heldOut{p.Name, held})
		c.tokens += tokenfile.Count(train) + int64(train.Documents())
	}
	if err := bounds.unused(c.domains); err != nil {
		return nil, err
	}
	phases, err := parseMix(o.Mix)
	if err != nil {
		return nil, err
	}
	return c, mixture.CheckNames(phases, c.names())
}

// names are those of the domains.
func (c *corpus) names() (out []string) {
	for _, d := range c.domains {
		out = append(out, d.Name)
	}
	return out
}

// layOut decides what each step of a run reads.
func (c *corpus) layOut(row, stepTokens, steps int, seed uint64) error {
	o := c.options
	phases, err := parseMix(o.Mix)
	if err != nil {
		return err
	}
	skipped, err := pack.ParseSkips(o.SkipBatches)
	if err != nil {
		return err
	}
	ramp, err := schedule.ParseRamp(o.BatchRamp, stepTokens)
	if err != nil {
		return err
	}
	c.source, err = mixture.New(c.domains, mixture.Options{
		Options: pack.Options{Row: row, Mark: c.mark, Least: o.MinLength, Seed: seed, Packing: o.Packing},
		Joined:  o.Documents == "joined", Before: ramp.Before, Steps: steps, Phases: phases})
	if err != nil {
		return fmt.Errorf("%s: %w", c.dir, err)
	}
	c.ahead = pack.NewAhead(pack.Without(c.source, skipped))
	return nil
}

// corpusSize counts the tokens to learn from with the marks between documents, those that are held out, and the documents, without looking at the ids; of what
// is not read in place it takes two bytes for an id and knows no documents. tok may be nil.
func corpusSize(domains []tokenfile.Domain, o MixtureOptions, tok *tokenizer.Tokenizer) (tokens, heldOut, documents float64, err error) {
	p := opener{o: o, tok: tok, mark: tokenfile.None}
	if tok != nil {
		if mark, ok := tok.Special(Separator); ok {
			p.mark = mark
		}
	}
	for _, d := range domains {
		train, n, err := p.sizes(d.Train)
		if err != nil {
			return 0, 0, 0, err
		}
		held, _, err := p.sizes(d.HeldOut)
		if err != nil {
			return 0, 0, 0, err
		}
		if len(d.HeldOut) == 0 {
			held = min(train*o.HeldOutShare, heldOutMost)
			train -= held
		}
		tokens, heldOut, documents = tokens+train, heldOut+held, documents+n
	}
	return tokens, heldOut, documents, nil
}

// sizes are the tokens of files, and their documents.
func (p opener) sizes(files []tokenfile.File) (tokens, documents float64, err error) {
	for _, f := range files {
		if !f.Kind.InPlace() {
			bytes, err := folderBytes(f.Path)
			if err != nil {
				return 0, 0, err
			}
			tokens += float64(bytes) / 2
			continue
		}
		r, err := tokenfile.Open(f, p.options())
		if err != nil {
			return 0, 0, err
		}
		tokens, documents = tokens+float64(tokenfile.Count(r))+float64(r.Documents()), documents+float64(r.Documents())
		if err := r.Close(); err != nil {
			return 0, 0, err
		}
	}
	return tokens, documents, nil
}

// domain opens a domain's files and its held-out text: its own files, or some of its documents.
func (c *corpus) domain(open opener, p tokenfile.Domain) (train, held tokenfile.Reader, err error) {
	files := func(list []tokenfile.File) (tokenfile.Reader, error) {
		var readers []tokenfile.Reader
		for _, f := range list {
			r, err := open.file(f)
			if err != nil {
				return nil, err
			}
			c.readers = append(c.readers, r)
			readers = append(readers, r)
		}
		return tokenfile.Join(readers...), nil
	}
	if train, err = files(p.Train); err != nil {
		return nil, nil, err
	}
	content, err := tokenfile.Fingerprint(train)
	if err != nil {
		return nil, nil, err
	}
	c.content = append(c.content, content)
	if len(p.HeldOut) > 0 {
		held, err = files(p.HeldOut)
		return train, held, err
	}
	train, held = tokenfile.HoldOut(train, open.o.HeldOutShare, heldOutMost)
	return train, held, nil
}

// heldOutMost bounds the tokens that are held out of a domain.
const heldOutMost = 1_000_000

// close waits for what is being read and closes the files.
func (c *corpus) close() (err error) {
	if c.ahead != nil {
		c.ahead.Close()
	}
	for _, r := range c.readers {
		err = errors.Join(err, r.Close())
	}
	return err
}

// opener opens token files and holds them against the tokenizer.
type opener struct {
	ctx    context.Context
	o      MixtureOptions
	tok    *tokenizer.Tokenizer
	mark   int32
	events event.Sink
}

func (p opener) options() tokenfile.Options {
	o := tokenfile.Options{End: p.mark, Field: p.o.Field}
	if p.tok != nil {
		o.Vocabulary = p.tok.VocabSize()
	}
	if p.o.End >= 0 {
		o.End = int32(p.o.End)
	}
	return o
}

func (p opener) file(f tokenfile.File) (tokenfile.Reader, error) {
	if f.Kind == tokenfile.Lian {
		r, err := openShard(f.Path, p.tok)
		if err != nil {
			return nil, err
		}
		return tokenfile.OfShard(r, f.Path, tokenfile.Options{Vocabulary: p.tok.VocabSize(), End: tokenfile.None}), nil
	}
	r, err := tokenfile.Open(f, p.options())
	if err != nil {
		return nil, err
	}
	total, done := r.Documents(), 0
	check := func(n int) {
		done = n
		p.events.Emit(event.KindProgress, event.Progress{Stage: "check of " + filepath.Base(f.Path), Done: int64(done), Total: int64(total), Unit: "documents"})
	}
	if f.Kind == tokenfile.NanoGPT {
		if n, metaErr := tokenfile.MetaVocabulary(f.Path); metaErr == nil && n > 0 && n != p.tok.VocabSize() {
			r.Close()
			return nil, fmt.Errorf("%s: meta.pkl beside it says a vocabulary of %d, the tokenizer has %d: the ids are of another tokenizer", f.Path, n, p.tok.VocabSize())
		}
	}
	if err = errors.Join(tokenfile.Check(r, check), p.ctx.Err()); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}
