// Package index is a small full-text search: BM25 over documents held in
// memory, Chinese by pairs of characters.
//
// It guarantees the same hits in the same order for the same documents and
// query, and no allocation that grows with the query's number of matches
// beyond the documents themselves. It refuses nothing: a query without a known
// term has no hits. It imports no other package of Lian.
package index

import (
	"math"
	"slices"
	"sort"
	"strings"
	"sync"
)

// Document is what can be found.
type Document struct {
	ID     string
	Title  string // its terms weigh more; a query equal to it ranks first
	Text   string
	Source string // shown with a hit, not searched
}

// Hit is a found document.
type Hit struct {
	Document
	Score float64 // BM25, larger is better; comparable within one query only
}

// The constants of BM25 as Robertson and Zaragoza give them (Foundations and
// Trends in Information Retrieval, 2009), and how often a title's terms count.
const (
	k1          = 1.2
	b           = 0.75
	titleWeight = 4
	titleBonus  = 100 // more than any BM25 score of a query of ordinary length
)

type posting struct {
	document int32
	count    uint16
}

// Index answers queries; it is safe for concurrent use once made.
type Index struct {
	documents []Document
	lengths   []float32 // weighted terms of each document
	mean      float64
	terms     map[string]int32 // places in postings
	postings  [][]posting
	titles    map[string][]int32
	scratch   sync.Pool
}

// New indexes documents. Their order decides between equal scores.
func New(documents []Document) *Index {
	x := &Index{documents: documents, lengths: make([]float32, len(documents)), terms: map[string]int32{}, titles: map[string][]int32{}}
	total := 0.0
	var found []int32
	for i, d := range documents {
		found = found[:0]
		note := func(term string, times int) {
			id, ok := x.terms[term]
			if !ok {
				id = int32(len(x.postings))
				x.terms[strings.Clone(term)] = id // a part would keep the whole text alive
				x.postings = append(x.postings, nil)
			}
			for range times {
				found = append(found, id)
			}
		}
		eachTerm(d.Title, true, func(term string) { note(term, titleWeight) })
		eachTerm(d.Text, false, func(term string) { note(term, 1) })
		slices.Sort(found)
		for start := 0; start < len(found); {
			end := start
			for end < len(found) && found[end] == found[start] {
				end++
			}
			x.postings[found[start]] = append(x.postings[found[start]], posting{int32(i), uint16(min(end-start, math.MaxUint16))})
			start = end
		}
		length := len(found)
		if title := normal(d.Title); title != "" {
			x.titles[title] = append(x.titles[title], int32(i))
		}
		x.lengths[i] = float32(length)
		total += float64(length)
	}
	x.scratch.New = func() any { return &scores{of: make([]float64, len(documents))} }
	if len(documents) > 0 {
		x.mean = total / float64(len(documents))
	}
	return x
}

// Len is the number of documents.
func (x *Index) Len() int { return len(x.documents) }

// Search gives the k best documents for a query, best first.
func (x *Index) Search(query string, k int) []Hit {
	if k <= 0 {
		return nil
	}
	var terms []string
	seen := map[string]bool{}
	eachTerm(query, true, func(term string) {
		if !seen[term] {
			seen[term] = true
			terms = append(terms, term)
		}
	})
	scratch := x.scratch.Get().(*scores)
	defer x.scratch.Put(scratch)
	n := float64(len(x.documents))
	for _, term := range terms {
		id, ok := x.terms[term]
		if !ok {
			continue
		}
		list := x.postings[id]
		inverse := math.Log(1 + (n-float64(len(list))+0.5)/(float64(len(list))+0.5))
		for _, p := range list {
			count := float64(p.count)
			scratch.add(p.document, inverse*count*(k1+1)/(count+k1*(1-b+b*float64(x.lengths[p.document])/x.mean)))
		}
	}
	for _, i := range x.titles[normal(query)] {
		scratch.add(i, titleBonus)
	}
	best := scratch.best(min(k, len(x.documents)))
	hits := make([]Hit, len(best))
	for r, i := range best {
		hits[r] = Hit{x.documents[i], scratch.of[i]}
	}
	scratch.clear()
	return hits
}

// scores of one query: dense, with a list of what was touched.
type scores struct {
	of      []float64
	touched []int32
}

func (s *scores) add(i int32, score float64) {
	if s.of[i] == 0 {
		s.touched = append(s.touched, i)
	}
	s.of[i] += score
}

func (s *scores) clear() {
	for _, i := range s.touched {
		s.of[i] = 0
	}
	s.touched = s.touched[:0]
}

// best gives the k documents with the highest scores, the earlier of equals
// first, by insertion into a short sorted list.
func (s *scores) best(k int) []int32 {
	list := make([]int32, 0, k+1)
	before := func(a, b int32) bool { return s.of[a] > s.of[b] || s.of[a] == s.of[b] && a < b }
	for _, i := range s.touched {
		if len(list) == k && !before(i, list[k-1]) {
			continue
		}
		at := sort.Search(len(list), func(j int) bool { return before(i, list[j]) })
		list = append(list, 0)
		copy(list[at+1:], list[at:])
		list[at] = i
		list = list[:min(len(list), k)]
	}
	return list
}

func normal(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }
