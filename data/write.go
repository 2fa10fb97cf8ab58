package data

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"lian/data/document"
	"lian/store"
)

// write checks the sums and puts the four files down, the report last: a
// folder without it is not finished.
func (p *pipeline) write(ctx context.Context) error {
	r := p.report
	if err := os.MkdirAll(p.Output, 0o755); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	kinds, languages := map[string]int64{}, map[string]int64{}
	for i := range p.kept {
		d := &p.kept[i]
		size := int64(len(d.Text))
		add(r.Kinds, d.Kind, size)
		add(r.Languages, d.Language, size)
		kinds[d.Kind]++
		languages[d.Language] += size
		if d.Split == document.HeldOut {
			r.HeldOut.add(size)
		} else {
			r.Train.add(size)
		}
	}
	for i := range p.gone {
		r.Rejected.add(int64(len(p.gone[i].Text)))
	}
	r.Kind = most(kinds)
	r.Language = document.English
	if languages[document.Chinese] > languages[document.English] {
		r.Language = document.Chinese
	}
	if len(p.kept) == 0 {
		return fmt.Errorf("every one of %d documents was rejected; the first, %s: %s", len(p.gone), p.gone[0].Source.Path, reason(&p.gone[0]))
	}
	if r.Train.Bytes < p.MinTrainBytes {
		r.TooSmall = fmt.Sprintf("%d bytes of text to train on, and a language model wants at least %d: what it says will be poor. Add documents, or fine-tune a published model on these instead of training from nothing", r.Train.Bytes, p.MinTrainBytes)
	}
	if err := r.check(); err != nil {
		return err
	}
	p.progress(Progress{"write", 0, len(p.kept) + len(p.gone)})
	for _, out := range []struct {
		name string
		list []document.Document
		want func(*document.Document) bool
	}{
		{TrainFile, p.kept, func(d *document.Document) bool { return d.Split == document.Train }},
		{HeldOutFile, p.kept, func(d *document.Document) bool { return d.Split == document.HeldOut }},
		{RejectedFile, p.gone, func(*document.Document) bool { return true }},
	} {
		if err := p.writeList(ctx, out.name, out.list, out.want); err != nil {
			return err
		}
	}
	content, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return store.WriteFile(filepath.Join(p.Output, ReportFile), append(content, '\n'))
}

// writeList encodes in parallel, by blocks, and writes in order.
func (p *pipeline) writeList(ctx context.Context, name string, list []document.Document, want func(*document.Document) bool) error {
	const block = 256
	blocks := make([]bytes.Buffer, (len(list)+block-1)/block)
	problems := make([]error, len(blocks))
	err := each(ctx, len(blocks), p.Workers, func(b int) {
		for i := b * block; i < min((b+1)*block, len(list)); i++ {
			if want(&list[i]) && problems[b] == nil {
				problems[b] = document.Append(&blocks[b], &list[i])
			}
		}
	}, func(int) {})
	if err != nil {
		return err
	}
	file, err := store.Create(filepath.Join(p.Output, name))
	if err != nil {
		return err
	}
	defer file.Abort()
	for b := range blocks {
		if problems[b] != nil {
			return problems[b]
		}
		if _, err := file.Write(blocks[b].Bytes()); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return file.Commit()
}

func reason(d *document.Document) string {
	v, _ := d.Rejected()
	return v.Rule + ": " + v.Reason
}
