package step

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"lian/chain"
	"lian/chain/report"
	"lian/data"
	"lian/data/read"
	"lian/event"
)

// DataOptions are what the recipe's data step takes: data.Options, and a folder
// that may be left empty.
type DataOptions struct {
	data.Options `yaml:",inline"`
	Corpus       string `yaml:"corpus" help:"one more input; empty adds none"`
}

// inputs are the files and folders to read; none means the Go distribution.
func (o DataOptions) inputs() []string {
	if o.Corpus == "" {
		return o.Input
	}
	return append(append([]string{}, o.Input...), o.Corpus)
}

// Data reads, cleans, judges, deduplicates and splits documents into dir.
func Data(ctx context.Context, dir string, o DataOptions, events event.Sink) (*data.Report, error) {
	options := o.Options
	options.Input, options.Output = o.inputs(), dir
	for _, input := range options.Input {
		if _, err := os.Stat(input); err != nil {
			return nil, fmt.Errorf("corpus: %w; pass a folder of txt, md, html, jsonl, json, csv or source files with --corpus", err)
		}
	}
	return data.Run(ctx, options, func(p data.Progress) {
		events.Emit(event.KindProgress, event.Progress{Stage: p.Stage, Done: int64(p.Done), Total: int64(p.Total), Unit: "documents"})
	})
}

func dataKind() chain.Kind {
	k := chain.NewKind("data", "1", "raw files to clean documents", func(ctx context.Context, c *chain.Context, o *DataOptions) error {
		r, err := Data(ctx, c.Dir, *o, c.Events)
		if err != nil {
			return err
		}
		for key, value := range map[string]any{"kind": r.Kind, "language": r.Language, "train_bytes": r.Train.Bytes, "heldout_bytes": r.HeldOut.Bytes} {
			if err := c.SetValue(key, value); err != nil {
				return err
			}
		}
		if r.TooSmall != "" {
			c.Note(r.TooSmall)
		}
		return c.WriteCard(report.Card{Lang: r.Language, Data: dataCard(r, o.inputs())})
	})
	k.Outside = func(config any) ([]string, error) {
		if inputs := config.(*DataOptions).inputs(); len(inputs) > 0 {
			return inputs, nil
		}
		root, err := read.GoRoot(context.Background())
		if err != nil {
			return nil, err
		}
		// The distribution is released as a whole: its version file stands for it.
		if version := filepath.Join(root, "VERSION"); exists(version) {
			return []string{version}, nil
		}
		return []string{filepath.Join(root, "src")}, nil
	}
	return k
}

func dataCard(r *data.Report, inputs []string) *report.Data {
	count := func(c data.Count) report.Count { return report.Count{Documents: c.Documents, Bytes: c.Bytes} }
	d := &report.Data{
		Source: sourceName(inputs), Files: r.Files.Seen, FilesRead: r.Files.Read, FileBytes: r.Files.Bytes, Unread: r.Files.Rejected, Encodings: r.Files.Encoding,
		Train: count(r.Train), HeldOut: count(r.HeldOut), Rejected: count(r.Rejected), Language: r.Language, Kind: r.Kind,
		TooSmall: r.TooSmall, Notes: r.Notes,
	}
	for _, s := range r.Stages {
		stage := report.DataStage{Name: s.Name, In: count(s.In), Out: count(s.Out)}
		for _, reason := range s.Rejected {
			stage.Reasons = append(stage.Reasons, report.Reason{Name: reason.Reason, Count: count(reason.Count)})
		}
		d.Stages = append(d.Stages, stage)
	}
	return d
}

// sourceName is what people call the inputs.
func sourceName(inputs []string) string {
	switch len(inputs) {
	case 0:
		version := runtime.Version()
		if root, err := read.GoRoot(context.Background()); err == nil {
			if text, err := os.ReadFile(filepath.Join(root, "VERSION")); err == nil {
				version = firstLine(string(text))
			}
		}
		return "Go (" + version + ")"
	case 1:
		if absolute, err := filepath.Abs(inputs[0]); err == nil {
			return filepath.Base(absolute)
		}
	}
	return fmt.Sprintf("%s + %d", filepath.Base(inputs[0]), len(inputs)-1)
}

func firstLine(text string) string {
	for i, c := range text {
		if c == '\n' || c == '\r' {
			return text[:i]
		}
	}
	return text
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
