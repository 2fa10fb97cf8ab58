package data

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"sync"
	"time"

	"lian/data/document"
	"lian/data/read"
	"lian/data/rule"
)

// Run reads, cleans, judges, deduplicates and splits, and writes the four
// files of Options.Output. Equal inputs, options and seed give equal bytes.
//
// Errors: an input that does not exist, no input and no Go distribution,
// nothing readable in any file, a disk that cannot be written, a cancelled ctx.
// A corpus too small to train on is no error: see Report.TooSmall.
func Run(ctx context.Context, o Options, progress func(Progress)) (*Report, error) {
	start := time.Now()
	if o.Output == "" {
		return nil, errors.New("output: no folder given; say where documents.jsonl is to be written")
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Similarity <= 0 {
		o.Similarity = 1
	}
	if progress == nil {
		progress = func(Progress) {}
	}
	p := &pipeline{Options: o, progress: progress, report: &Report{Languages: map[string]Count{}, Kinds: map[string]Count{}}}
	steps := []func(context.Context) error{p.read, p.limit, p.judge, p.exact, p.near, p.split, p.write}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	p.report.Seconds = time.Since(start).Seconds()
	return p.report, nil
}

// pipeline is the state that the stages hand on.
type pipeline struct {
	Options
	progress func(Progress)
	report   *Report
	standard bool                // the input is the Go distribution
	kept     []document.Document // in reading order
	gone     []document.Document // rejected, in the order of the stages
}

// read lists and reads the input files in parallel.
func (p *pipeline) read(ctx context.Context) error {
	files, left, err := p.list(ctx)
	if err != nil {
		return err
	}
	files, over := p.affordable(files)
	left = append(left, over...)
	units := units(files)
	results := make([][]read.Result, len(units))
	options := read.Options{MaxFileBytes: p.MaxFileBytes}
	err = each(ctx, len(units), p.Workers, func(i int) {
		if units[i].golang {
			results[i] = read.Go(units[i].files, options)
		} else {
			results[i] = []read.Result{read.One(units[i].files[0], options)}
		}
	}, func(done int) { p.progress(Progress{"read", done, len(units)}) })
	if err != nil {
		return err
	}
	all := left
	for _, r := range results {
		all = append(all, r...)
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].File.Name < all[j].File.Name })
	p.count(all)
	if len(p.kept) == 0 {
		return p.nothing(all)
	}
	return nil
}

func (p *pipeline) list(ctx context.Context) ([]read.File, []read.Result, error) {
	if len(p.Input) > 0 {
		for _, input := range p.Input {
			p.report.Inputs = append(p.report.Inputs, filepath.Base(filepath.Clean(input)))
		}
		return read.Walk(ctx, p.Input)
	}
	root, err := read.GoRoot(ctx)
	if err != nil {
		return nil, nil, err
	}
	p.standard = true
	p.report.Inputs = []string{"Go distribution " + runtimeVersion(root)}
	return read.Distribution(ctx, root)
}

// unit is what one worker reads at a time: a file, or the Go files of a folder.
type unit struct {
	golang bool
	files  []read.File
}

func units(files []read.File) []unit {
	var out []unit
	folders := map[string]int{}
	for _, f := range files {
		if read.FormatOf(f.Name) != "go" {
			out = append(out, unit{files: []read.File{f}})
			continue
		}
		folder := f.Name[:max(strings.LastIndexByte(f.Name, '/'), 0)]
		i, ok := folders[folder]
		if !ok {
			i = len(out)
			folders[folder] = i
			out = append(out, unit{golang: true})
		}
		out[i].files = append(out[i].files, f)
	}
	return out
}

// count fills the report's figures about files and its first stage.
func (p *pipeline) count(results []read.Result) {
	files := Files{Rejected: map[string]int{}, Encoding: map[string]int{}}
	stage := stage("read")
	for _, r := range results {
		files.Seen++
		files.Bytes += r.File.Size
		if len(r.Documents) > 0 {
			files.Read++
		} else if len(r.Rejected) > 0 {
			files.Rejected[r.Rejected[0].Verdicts[0].Rule]++
		}
		if r.Encoding != "" {
			files.Encoding[r.Encoding]++
		}
		if r.Repaired > 0 {
			files.Repaired++
			p.note("%s: %d runs of invalid UTF-8 were replaced by U+FFFD", r.File.Name, r.Repaired)
		}
		p.kept = append(p.kept, r.Documents...)
		p.gone = append(p.gone, r.Rejected...)
		for i := range r.Documents {
			stage.in(&r.Documents[i])
		}
		if len(r.Documents) > 0 { // records of files that were read; files that were not are in Files
			for i := range r.Rejected {
				stage.in(&r.Rejected[i])
				stage.reject(&r.Rejected[i])
			}
		}
	}
	p.report.Files = files
	p.finish(stage)
}

func (p *pipeline) note(format string, args ...any) {
	const most = 50
	if len(p.report.Notes) < most {
		p.report.Notes = append(p.report.Notes, fmt.Sprintf(format, args...))
	} else if len(p.report.Notes) == most {
		p.report.Notes = append(p.report.Notes, "and more of the same kind; rejected.jsonl has every record")
	}
}

// nothing explains an input of which nothing could be read.
func (p *pipeline) nothing(results []read.Result) error {
	if len(results) == 0 {
		return fmt.Errorf("%s: no files in it; give a folder with txt, md, html, json, jsonl, csv or source code", strings.Join(p.Input, ", "))
	}
	var reasons []string
	for reason, n := range p.report.Files.Rejected {
		reasons = append(reasons, fmt.Sprintf("%d %s", n, reason))
	}
	sort.Strings(reasons)
	first := results[0].Rejected[0]
	return fmt.Errorf("%s: none of %d files could be read (%s); %s: %s", strings.Join(p.Input, ", "), len(results), strings.Join(reasons, ", "), first.Source.Path, first.Verdicts[0].Reason)
}

// judge cleans the text, tells its language and applies the rules.
func (p *pipeline) judge(ctx context.Context) error {
	rules := rule.Documents()
	err := each(ctx, len(p.kept), p.Workers, func(i int) {
		d := &p.kept[i]
		d.Text = rule.Clean(d.Text)
		d.Title = strings.ReplaceAll(rule.Clean(d.Title), "\n", " ")
		for name, value := range d.Fields {
			d.Fields[name] = rule.Clean(value)
		}
		d.Language = rule.Language(d.Kind, d.Text)
		d.Verdicts = append(d.Verdicts, rules.Judge(d)...)
	}, func(done int) { p.progress(Progress{"clean", done, len(p.kept)}) })
	if err != nil {
		return err
	}
	p.drop("quality")
	return nil
}

// drop moves rejected documents out and writes the stage's row.
func (p *pipeline) drop(name string) {
	stage := stage(name)
	kept := p.kept[:0]
	for _, d := range p.kept {
		stage.in(&d)
		if _, rejected := d.Rejected(); rejected {
			stage.reject(&d)
			p.gone = append(p.gone, d)
			continue
		}
		kept = append(kept, d)
	}
	p.kept = kept
	p.finish(stage)
}

// each calls f(0) … f(n-1) on some workers; progress is told about now and then.
func each(ctx context.Context, n, workers int, f func(int), progress func(done int)) error {
	var mutex sync.Mutex
	var wait sync.WaitGroup
	next := 0
	for range max(workers, 1) {
		wait.Go(func() {
			for ctx.Err() == nil {
				mutex.Lock()
				i := next
				next++
				if i < n && (n < 200 || i%(n/100) == 0) {
					progress(i)
				}
				mutex.Unlock()
				if i >= n {
					return
				}
				f(i)
			}
		})
	}
	wait.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	progress(n)
	return nil
}
