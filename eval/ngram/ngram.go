// Package ngram is the yardstick beside a small language model: an interpolated
// Witten–Bell model over bytes, which needs seconds to train and no settings.
//
// The probability of byte w after the context h of n−1 bytes is
//
//	P(w|h) = (c(h,w) + T(h)·P(w|h′)) / (c(h) + T(h))
//
// where c counts occurrences in the training text, T(h) is the number of different
// bytes seen after h, and h′ is h without its oldest byte; a context that was never
// seen passes on to the shorter one, and below the empty context lies 1/256 for
// every byte. Source: Witten & Bell, IEEE Transactions on Information Theory 37(4),
// 1991, method C; interpolation as in Chen & Goodman, TR-10-98, section 2.2.
//
// It guarantees that the probabilities of the 256 bytes sum to 1 after any context,
// that counts are exact, and that the same texts in any order give the same model.
// Documents are apart: no context reaches over a document's edge, and its end is
// not predicted. It refuses orders outside 1 to 8.
package ngram

import (
	"fmt"
	"iter"
	"math"
	"sort"
)

// MaxOrder is the longest n-gram, in bytes.
const MaxOrder = 8

// Model holds the counts of all n-grams up to its order, so that one training
// serves every smaller order too.
type Model struct {
	levels []level // levels[k] has contexts of k bytes
	bytes  int64
}

// level is the n-grams with contexts of one length. Contexts are sorted; the grams
// of contexts[i] are grams[first[i]:first[i+1]], sorted by their last byte.
type level struct {
	contexts []uint64 // the bytes, oldest in the highest place
	first    []int32
	total    []int64 // c(h)
	next     []byte
	count    []int32
}

// Train counts the n-grams of texts up to the given order (3: contexts of two bytes).
func Train(order int, texts iter.Seq[string]) (*Model, error) {
	if order < 1 || order > MaxOrder {
		return nil, fmt.Errorf("n-gram order %d: expected 1 to %d", order, MaxOrder)
	}
	var all []byte
	var edges []int // where documents end in all
	for text := range texts {
		all = append(all, text...)
		edges = append(edges, len(all))
	}
	if len(all) > math.MaxInt32 {
		return nil, fmt.Errorf("n-gram training text has %d bytes; at most %d can be counted", len(all), math.MaxInt32)
	}
	m := &Model{levels: make([]level, order), bytes: int64(len(all))}
	keys, spare := make([]uint64, 0, len(all)), make([]uint64, len(all))
	for k := range m.levels {
		keys = keys[:0]
		mask := ^uint64(0)
		if k+1 < 8 {
			mask = 1<<(8*(k+1)) - 1
		}
		start := 0
		for _, end := range edges {
			var key uint64
			for i, b := range all[start:end] {
				key = (key<<8 | uint64(b)) & mask
				if i >= k {
					keys = append(keys, key)
				}
			}
			start = end
		}
		m.levels[k] = count(sortKeys(keys, spare[:len(keys)], k+1))
	}
	return m, nil
}

// sortKeys sorts by the lowest n bytes, least significant first, and returns the
// slice of the two that holds the result.
func sortKeys(keys, spare []uint64, n int) []uint64 {
	for b := range n {
		var start [256]int
		for _, k := range keys {
			start[byte(k>>(8*b))]++
		}
		sum := 0
		for i, c := range start {
			start[i] = sum
			sum += c
		}
		for _, k := range keys {
			i := byte(k >> (8 * b))
			spare[start[i]] = k
			start[i]++
		}
		keys, spare = spare, keys
	}
	return keys
}

// count turns sorted n-grams, the predicted byte lowest, into a level.
func count(keys []uint64) level {
	var l level
	for i, key := range keys {
		context := key >> 8
		if i == 0 || context != keys[i-1]>>8 {
			l.contexts = append(l.contexts, context)
			l.first = append(l.first, int32(len(l.next)))
			l.total = append(l.total, 0)
		}
		if i == 0 || key != keys[i-1] {
			l.next = append(l.next, byte(key))
			l.count = append(l.count, 0)
		}
		l.total[len(l.total)-1]++
		l.count[len(l.count)-1]++
	}
	l.first = append(l.first, int32(len(l.next)))
	return l
}

// Order is the longest n-gram that was counted.
func (m *Model) Order() int { return len(m.levels) }

// TrainedOn is the number of bytes that were counted.
func (m *Model) TrainedOn() int64 { return m.bytes }

// Probability is that of next after context, of which the last order−1 bytes
// matter. An order of 0 or above the model's is the model's.
func (m *Model) Probability(context []byte, next byte, order int) float64 {
	if order <= 0 || order > len(m.levels) {
		order = len(m.levels)
	}
	p := 1.0 / 256
	var key uint64
	for k := range min(order, len(context)+1) {
		if k > 0 {
			key |= uint64(context[len(context)-k]) << (8 * (k - 1))
		}
		l := &m.levels[k]
		at := sort.Search(len(l.contexts), func(i int) bool { return l.contexts[i] >= key })
		if at == len(l.contexts) || l.contexts[at] != key {
			break // no longer context was seen either
		}
		from, to := int(l.first[at]), int(l.first[at+1])
		var c float64
		followers := l.next[from:to]
		if i := sort.Search(len(followers), func(i int) bool { return followers[i] >= next }); i < len(followers) && followers[i] == next {
			c = float64(l.count[from+i])
		}
		different := float64(len(followers))
		p = (c + different*p) / (float64(l.total[at]) + different)
	}
	return p
}

// Bits is the information of a document under the model: −Σ log₂ P.
func (m *Model) Bits(document string, order int) float64 {
	text := []byte(document)
	bits := 0.0
	for i, b := range text {
		bits -= math.Log2(m.Probability(text[max(0, i-MaxOrder):i], b, order))
	}
	return bits
}

// BitsPerByte is the mean over all bytes of the documents, 0 when there are none.
func (m *Model) BitsPerByte(documents iter.Seq[string], order int) float64 {
	bits, bytes := 0.0, 0
	for d := range documents {
		bits += m.Bits(d, order)
		bytes += len(d)
	}
	if bytes == 0 {
		return 0
	}
	return bits / float64(bytes)
}
