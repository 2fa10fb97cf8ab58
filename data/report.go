package data

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"lian/data/document"
)

// Count is a number of documents and the bytes of their text.
type Count struct {
	Documents int   `json:"documents"`
	Bytes     int64 `json:"bytes"`
}

func (c *Count) add(bytes int64) {
	c.Documents++
	c.Bytes += bytes
}

func add(counts map[string]Count, name string, bytes int64) {
	c := counts[name]
	c.add(bytes)
	counts[name] = c
}

// most gives the name with the largest number, the first by name of equals.
func most(sizes map[string]int64) string {
	best := ""
	for name, size := range sizes {
		if best == "" || size > sizes[best] || size == sizes[best] && name < best {
			best = name
		}
	}
	return best
}

// Reason says how much one reason took away in a stage.
type Reason struct {
	Reason string `json:"reason"` // the rule's name
	Count
}

// Stage is one row of the retention table. In = Out + the sum of Rejected, in
// documents; in bytes too, but for the quality stage, whose cleaning shortens text.
type Stage struct {
	Name     string   `json:"name"` // read, size, quality, exact_duplicates, near_duplicates
	In       Count    `json:"in"`
	Out      Count    `json:"out"`
	Rejected []Reason `json:"rejected,omitempty"` // most documents first
}

// Files counts input files. Seen = Read + the sum of Rejected.
type Files struct {
	Seen     int            `json:"seen"`
	Read     int            `json:"read"`               // gave at least one document
	Rejected map[string]int `json:"rejected,omitempty"` // files that gave none, by reason
	Bytes    int64          `json:"bytes"`
	Repaired int            `json:"repaired"`           // files that had invalid UTF-8 replaced by U+FFFD
	Encoding map[string]int `json:"encoding,omitempty"` // files by encoding when not plain UTF-8
}

// Report is what Run found: the funnel of the report card. It does not hold
// times, so that equal runs write equal reports.
type Report struct {
	Inputs    []string         `json:"inputs"`
	Files     Files            `json:"files"`
	Stages    []Stage          `json:"stages"`
	Train     Count            `json:"train"`
	HeldOut   Count            `json:"held_out"`
	Rejected  Count            `json:"rejected"`            // lines of rejected.jsonl: records, and files that gave none
	Languages map[string]Count `json:"languages"`           // of kept documents
	Kinds     map[string]Count `json:"kinds"`               // of kept documents
	Kind      string           `json:"kind"`                // the kind with most documents
	Language  string           `json:"language"`            // "zh" or "en": the language to ask questions in
	Clusters  int              `json:"clusters"`            // near-duplicate clusters found
	TooSmall  string           `json:"too_small,omitempty"` // what to do when the corpus cannot teach a language model
	Notes     []string         `json:"notes,omitempty"`     // limits a reader of the figures should know
	Seconds   float64          `json:"-"`
}

// check proves that nothing was lost silently.
func (r *Report) check() error {
	files := r.Files.Read
	for _, n := range r.Files.Rejected {
		files += n
	}
	if files != r.Files.Seen {
		return fmt.Errorf("internal: %d files seen, but %d read or rejected; please report this", r.Files.Seen, files)
	}
	for i, s := range r.Stages {
		sum := s.Out.Documents
		for _, reason := range s.Rejected {
			sum += reason.Documents
		}
		if sum != s.In.Documents || i > 0 && s.In.Documents != r.Stages[i-1].Out.Documents {
			return fmt.Errorf("internal: stage %s: %d documents in, %d out or rejected; please report this", s.Name, s.In.Documents, sum)
		}
	}
	if last := r.Stages[len(r.Stages)-1].Out.Documents; last != r.Train.Documents+r.HeldOut.Documents {
		return fmt.Errorf("internal: %d documents after the last stage, %d written; please report this", last, r.Train.Documents+r.HeldOut.Documents)
	}
	return nil
}

// stageRow gathers one row of the retention table.
type stageRow struct {
	row     Stage
	reasons map[string]Count
}

func stage(name string) *stageRow {
	return &stageRow{row: Stage{Name: name}, reasons: map[string]Count{}}
}

func (s *stageRow) in(d *document.Document) { s.row.In.add(int64(len(d.Text))) }

func (s *stageRow) reject(d *document.Document) {
	v, _ := d.Rejected()
	add(s.reasons, v.Rule, int64(len(d.Text)))
}

func (p *pipeline) finish(s *stageRow) {
	for i := range p.kept {
		s.row.Out.add(int64(len(p.kept[i].Text)))
	}
	for reason, count := range s.reasons {
		s.row.Rejected = append(s.row.Rejected, Reason{reason, count})
	}
	sort.Slice(s.row.Rejected, func(i, j int) bool {
		a, b := s.row.Rejected[i], s.row.Rejected[j]
		return a.Documents > b.Documents || a.Documents == b.Documents && a.Reason < b.Reason
	})
	p.report.Stages = append(p.report.Stages, s.row)
}

func runtimeVersion(root string) string {
	content, err := os.ReadFile(filepath.Join(root, "VERSION"))
	if err != nil {
		return "of unknown version"
	}
	line, _, _ := strings.Cut(string(content), "\n")
	return strings.TrimSpace(line)
}
