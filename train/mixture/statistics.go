package mixture

import (
	"fmt"

	"lian/format/tokenfile"
	"lian/train"
	"lian/train/pack"
)

// Statistics say what a run takes of a domain, before it starts.
type Statistics struct {
	Domain string  `json:"domain"`
	Share  float64 `json:"share"`  // of the run's tokens
	Taken  int64   `json:"taken"`  // tokens of the run, marks included
	Epochs float64 `json:"epochs"` // how often each document is seen
	pack.Counts
}

// Statistics are those of all domains, in their order.
func (s *Source) Statistics() []Statistics {
	end, _ := s.rows(s.o.Steps)
	last := s.phases[len(s.phases)-1]
	rows := last.apportion.before(max(end-last.first, 0))
	var out []Statistics
	for i, d := range s.domains {
		n := rows[i] + last.before[i]
		counts := s.layouts[i].Counts()
		t := Statistics{Domain: d.Name, Epochs: float64(n) / s.layouts[i].EpochRows(), Counts: counts}
		filled := 1 - float64(counts.Padding)/(s.layouts[i].EpochRows()*float64(s.o.Row))
		t.Taken = int64(float64(n) * float64(s.o.Row) * filled)
		if end > 0 {
			t.Share = float64(n) / float64(end)
		}
		out = append(out, t)
	}
	return out
}

// Epochs is how often the run sees its data, all domains together.
func (s *Source) Epochs(steps int) float64 {
	rows := 0.0
	for _, l := range s.layouts {
		rows += l.EpochRows()
	}
	return float64(s.o.Before(steps)) / float64(s.o.Row) / rows
}

// Tokens is the number of tokens before a step, places of best-fit rows that stay empty included.
func (s *Source) Tokens(step int) int64 { return int64(s.o.Before(step)) }

// Domains are the names of the domains, by the number that an origin has.
func (s *Source) Domains() (names []string) {
	for _, d := range s.domains {
		names = append(names, d.Name)
	}
	return names
}

// Trace is the document that a sequence comes from.
type Trace struct {
	Domain   string
	Document int             // number in the domain
	Where    tokenfile.Place // file, and line or byte
	First    int             // first token of the sequence
	IDs      []int32         // of the document, at most so many from First on
}

// Trace goes back from an origin to at most n tokens of its document.
func (s *Source) Trace(o train.Origin, n int) (Trace, error) {
	if o.Domain < 0 || o.Domain >= len(s.domains) {
		return Trace{}, fmt.Errorf("domain %d of %d: the batch is of other data", o.Domain, len(s.domains))
	}
	d := s.domains[o.Domain]
	if o.Document < 0 || o.Document >= d.Documents.Documents() || o.First < 0 || o.First > d.Documents.Length(o.Document) {
		return Trace{}, fmt.Errorf("domain %s: document %d, token %d: the domain has %d documents; the batch is of other data", d.Name, o.Document, o.First, d.Documents.Documents())
	}
	t := Trace{Domain: d.Name, Document: o.Document, Where: d.Documents.Where(o.Document), First: o.First}
	read, err := d.Documents.Read(o.Document, o.First, min(n, d.Documents.Length(o.Document)-o.First))
	t.IDs = read.IDs
	return t, err
}
