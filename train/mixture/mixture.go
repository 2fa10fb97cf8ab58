// Package mixture draws training steps from several domains by weight.
//
// It guarantees that a step is a function of its number, the seed and the data: any
// step can be asked for in any order, at the price of arithmetic and of laying out
// its epoch. After any number of rows each domain is within one row of its share.
// What a domain gives is laid out by package pack. It refuses weights of domains
// that there are not, and domains without a token.
package mixture

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"lian/format/tokenfile"
	"lian/train"
	"lian/train/pack"
)

// Domain is a named part of the data.
type Domain struct {
	Name      string
	Documents tokenfile.Reader
	// MaxEpochs bounds how often its documents are seen; 0 does not. A domain that reaches it leaves the rest of its share to the others.
	MaxEpochs float64
}

// Phase is a mixture that holds from a share of the run on.
type Phase struct {
	From    float64            // 0 to 1
	Weights map[string]float64 // by domain; nil is by tokens
}

// Options are what a mixture is.
type Options struct {
	pack.Options
	Joined bool               // documents of a row see each other
	Before func(step int) int // tokens before a step; schedule.Ramp has it
	Steps  int                // of the run: what phases and bounds count from
	Phases []Phase            // none is one, by tokens
}

// Source gives the sequences of steps. It is safe for concurrent use.
type Source struct {
	o       Options
	domains []Domain
	layouts []pack.Layout
	phases  []phase
}

// phase is a mixture in rows.
type phase struct {
	first  int   // row of the run
	before []int // rows that each domain has given by then
	shares []float64
	*apportion
}

// New makes a source.
func New(domains []Domain, o Options) (*Source, error) {
	if len(domains) == 0 {
		return nil, fmt.Errorf("no data")
	}
	s := &Source{o: o, domains: domains}
	for i, d := range domains {
		if slices.ContainsFunc(domains[:i], func(other Domain) bool { return other.Name == d.Name }) {
			return nil, fmt.Errorf("two domains are called %s; rename a folder or file", d.Name)
		}
		packing := o.Options
		if len(domains) > 1 { // one domain alone is laid out as it always was
			packing.Seed = o.Seed + uint64(i)*0x9e3779b97f4a7c15
		}
		l, err := pack.New(d.Documents, packing)
		if err != nil {
			return nil, fmt.Errorf("domain %s: %w", d.Name, err)
		}
		s.layouts = append(s.layouts, l)
	}
	return s, s.plan()
}

// rows is where a step starts, in rows; where a row may be cut, the tokens into it as well.
func (s *Source) rows(step int) (row, within int) {
	at := s.o.Before(step)
	if s.o.Packing == pack.BestFit { // whole rows
		return (at + s.o.Row/2) / s.o.Row, 0
	}
	return at / s.o.Row, at % s.o.Row
}

// plan turns phases into rows.
func (s *Source) plan() error {
	phases := s.o.Phases
	if len(phases) == 0 {
		phases = []Phase{{}}
	}
	var names []string
	for _, d := range s.domains {
		names = append(names, d.Name)
	}
	if err := CheckNames(phases, names); err != nil {
		return err
	}
	total := s.o.Before(s.o.Steps)
	before := make([]int, len(s.domains))
	for i, p := range phases {
		if i == 0 && p.From != 0 || i > 0 && !(p.From > phases[i-1].From) || p.From >= 1 {
			return fmt.Errorf("mixture %d of %d starts at %v of the run; the first starts at 0, each later than the one before and before 1", i+1, len(phases), p.From)
		}
		weights, err := s.weights(p)
		if err != nil {
			return err
		}
		to := 1.0
		if i+1 < len(phases) {
			to = phases[i+1].From
		}
		rows := (to - p.From) * float64(total) / float64(s.o.Row)
		if weights, err = s.bound(weights, rows, before); err != nil {
			return err
		}
		a, err := newApportion(weights)
		if err != nil {
			return err
		}
		first := int(math.Round(p.From * float64(total) / float64(s.o.Row)))
		if i > 0 {
			last := s.phases[i-1]
			for d, n := range last.apportion.before(first - last.first) {
				before[d] += n
			}
		}
		s.phases = append(s.phases, phase{first: first, before: slices.Clone(before), shares: normal(weights), apportion: a})
	}
	return nil
}

// CheckNames says which domain of the data has no weight in a phase, or which weight has no domain.
func CheckNames(phases []Phase, names []string) error {
	for _, p := range phases {
		if p.Weights == nil {
			continue
		}
		for _, name := range names {
			if _, ok := p.Weights[name]; !ok {
				return fmt.Errorf("mix: domain %s has no weight; give it one, 0 leaves it out", name)
			}
		}
		for name := range p.Weights {
			if !slices.Contains(names, name) {
				return fmt.Errorf("mix: there is no domain %s; the data has %s", name, strings.Join(names, ", "))
			}
		}
	}
	return nil
}

// weights of a phase by the domains' numbers.
func (s *Source) weights(p Phase) ([]float64, error) {
	out := make([]float64, len(s.domains))
	var names []string
	for i, d := range s.domains {
		names = append(names, d.Name)
		out[i] = s.layouts[i].EpochRows()
		if p.Weights != nil {
			out[i] = p.Weights[d.Name]
		}
	}
	sum := 0.0
	for i, w := range out {
		if !(w >= 0) || w > 1e300 {
			return nil, fmt.Errorf("mix: domain %s has weight %v, expected a number from 0 on", names[i], w)
		}
		sum += w
	}
	if sum == 0 {
		return nil, fmt.Errorf("mix: all weights are 0")
	}
	return normal(out), nil
}

func normal(weights []float64) []float64 {
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	out := slices.Clone(weights)
	for i := range out {
		out[i] /= sum
	}
	return out
}

// bound lowers the weights of domains that would be seen too often in so many rows, and raises the others by as much.
func (s *Source) bound(weights []float64, rows float64, before []int) ([]float64, error) {
	room := make([]float64, len(weights)) // largest weight of each
	most := 0.0
	for i, d := range s.domains {
		room[i] = math.Inf(1)
		if d.MaxEpochs > 0 {
			room[i] = max(d.MaxEpochs*s.layouts[i].EpochRows()-float64(before[i]), 0) / rows
		}
		if weights[i] > 0 {
			most += room[i]
		}
	}
	if most < 1-1e-9 {
		return nil, fmt.Errorf("the run takes %.0f tokens, its data gives %.0f in as many epochs as are allowed: train fewer steps, or allow more epochs", rows*float64(s.o.Row), most*rows*float64(s.o.Row))
	}
	out := slices.Clone(weights)
	for {
		over, free := 0.0, 0.0
		for i, w := range out {
			if w > room[i] {
				over += w - room[i]
				out[i] = room[i]
			} else if w < room[i] {
				free += w
			}
		}
		if over < 1e-12 || free == 0 {
			return out, nil
		}
		for i, w := range out {
			if w < room[i] {
				out[i] = w + over*w/free
			}
		}
	}
}

// row is the domain of a row of the run, and the row's number there.
func (s *Source) row(k int) (domain, row int) {
	i := len(s.phases) - 1
	for s.phases[i].first > k {
		i--
	}
	p := s.phases[i]
	domain, row = p.row(k - p.first)
	return domain, p.before[domain] + row
}

// Step implements train.Source.
func (s *Source) Step(step int) ([]train.Sequence, error) {
	if step < 0 {
		return nil, fmt.Errorf("batch %d", step)
	}
	var out []train.Sequence
	row, from := s.rows(step)
	last, rest := s.rows(step + 1)
	for ; row < last || row == last && from < rest; row, from = row+1, 0 {
		to := s.o.Row
		if row == last {
			to = rest
		}
		domain, k := s.row(row)
		q, err := s.o.Sequences(s.domains[domain].Documents, domain, s.layouts[domain].Pieces(k, from, to), s.o.Joined)
		if err != nil {
			return nil, fmt.Errorf("domain %s: %w", s.domains[domain].Name, err)
		}
		out = append(out, q...)
	}
	return out, nil
}
