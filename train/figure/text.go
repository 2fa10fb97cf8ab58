package figure

import (
	"math"
	"sync"

	"lian/train"
)

// text is what a batch consists of, apart from its tokens: what figures are measured against.
type text struct {
	lengths []int
	labels  int
	bytes   []int // that the targets stand for, by domain
}

// watched is a source that remembers what its latest batches consist of. Batches may be read ahead of their step.
type watched struct {
	train.Source
	bytesOf []int32 // by token id; nil: not known
	mu      sync.Mutex
	texts   map[int]text
}

// Step passes a batch on.
func (w *watched) Step(batch int) ([]train.Sequence, error) {
	sequences, err := w.Source.Step(batch)
	if err != nil {
		return nil, err
	}
	t := text{}
	for _, q := range sequences {
		t.lengths = append(t.lengths, len(q.IDs))
		for len(t.bytes) <= q.Origin.Domain {
			t.bytes = append(t.bytes, 0)
		}
		for _, target := range q.Targets {
			if target < 0 {
				continue
			}
			t.labels++
			if int(target) < len(w.bytesOf) {
				t.bytes[q.Origin.Domain] += int(w.bytesOf[target])
			}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.texts[batch] = t
	return sequences, nil
}

// take is what a batch consisted of; earlier ones are forgotten.
func (w *watched) take(batch int) text {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.texts[batch]
	for b := range w.texts {
		if b <= batch {
			delete(w.texts, b)
		}
	}
	return t
}

// bits is a sum of nats over so many bytes; 0 where those are not known.
func bits(nats float64, bytes int) float64 {
	if bytes == 0 {
		return 0
	}
	return nats / float64(bytes) / math.Ln2
}
