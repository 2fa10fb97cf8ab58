package train

import "lian/model"

// Sequence is what is learnt from at one go: tokens, and for each the token that should follow; a negative target is not asked.
type Sequence struct {
	IDs, Targets []int32
	Weight       float32 // what each label counts; 0 means 1
	Origin       Origin
	Parts        []Part // further documents in a sequence whose documents see each other; nil where there is one
}

// Part is where another document starts in a sequence.
type Part struct {
	At     int // first row
	Origin Origin
}

// Origins are where all of a sequence comes from.
func (s Sequence) Origins() []Origin {
	out := []Origin{s.Origin}
	for _, p := range s.Parts {
		out = append(out, p.Origin)
	}
	return out
}

// Origin is where a sequence's tokens come from, so that a bad batch can be traced to its documents.
type Origin struct {
	Domain   int // number of the domain in a mixture; 0 where there is one
	Document int // number of the document in its domain
	First    int // first token of the sequence in the document
}

func (s Sequence) weight() float32 {
	if s.Weight == 0 {
		return 1
	}
	return s.Weight
}

// Labels is the number of targets asked.
func (s Sequence) Labels() int {
	n := 0
	for _, t := range s.Targets {
		if t >= 0 {
			n++
		}
	}
	return n
}

// Source gives the sequences of each batch, by number from 0: a function of the number, so that a run can go on anywhere. Batch n is that
// of step n unless batches before it have been passed over.
type Source interface {
	Step(batch int) ([]Sequence, error)
}

// micro is a part of a step that fits one forward: sequences side by side that do not see each other.
type micro struct {
	batch    *model.Batch
	rows     []int32   // that have a target
	targets  []int32   // of those rows
	weights  []float32 // of those rows
	sequence []int     // of those rows, as a number in the step
}

// split cuts a step's sequences into micro-batches of at most tokens rows; a longer sequence has one of its own.
func split(sequences []Sequence, tokens int) []micro {
	var out []micro
	for number, s := range sequences {
		if len(s.IDs) == 0 {
			continue
		}
		if len(out) == 0 || out[len(out)-1].batch.Rows()+len(s.IDs) > tokens {
			out = append(out, micro{batch: &model.Batch{}})
		}
		m := &out[len(out)-1]
		for i, target := range s.Targets {
			if target >= 0 {
				m.rows = append(m.rows, int32(m.batch.Rows()+i))
				m.targets = append(m.targets, target)
				m.weights = append(m.weights, s.weight())
				m.sequence = append(m.sequence, number)
			}
		}
		m.batch.Add(s.IDs, 0, nil)
	}
	return out
}
