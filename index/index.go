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
	"sort"
	"strings"
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
	postings  map[string][]posting
	titles    map[string][]int32
}

// New indexes documents. Their order decides between equal scores.
func New(documents []Document) *Index {
	x := &Index{documents: documents, lengths: make([]float32, len(documents)), postings: map[string][]posting{}, titles: map[string][]int32{}}
	total := 0.0
	counts := map[string]int{}
	for i, d := range documents {
		clear(counts)
		length := 0
		eachTerm(d.Title, true, func(term string) {
			counts[term] += titleWeight
			length += titleWeight
		})
		eachTerm(d.Text, false, func(term string) {
			counts[term]++
			length++
		})
		for term, n := range counts {
			if list, ok := x.postings[term]; ok {
				x.postings[term] = append(list, posting{int32(i), uint16(min(n, math.MaxUint16))})
			} else { // the term would keep the whole text alive
				x.postings[strings.Clone(term)] = []posting{{int32(i), uint16(min(n, math.MaxUint16))}}
			}
		}
		if title := normal(d.Title); title != "" {
			x.titles[title] = append(x.titles[title], int32(i))
		}
		x.lengths[i] = float32(length)
		total += float64(length)
	}
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
	scores := map[int32]float64{}
	n := float64(len(x.documents))
	for _, term := range terms {
		list := x.postings[term]
		inverse := math.Log(1 + (n-float64(len(list))+0.5)/(float64(len(list))+0.5))
		for _, p := range list {
			count := float64(p.count)
			scores[p.document] += inverse * count * (k1 + 1) / (count + k1*(1-b+b*float64(x.lengths[p.document])/x.mean))
		}
	}
	for _, i := range x.titles[normal(query)] {
		scores[i] += titleBonus
	}
	order := make([]int32, 0, len(scores))
	for i := range scores {
		order = append(order, i)
	}
	sort.Slice(order, func(i, j int) bool {
		a, b := order[i], order[j]
		return scores[a] > scores[b] || scores[a] == scores[b] && a < b
	})
	hits := make([]Hit, 0, min(k, len(order)))
	for _, i := range order[:min(k, len(order))] {
		hits = append(hits, Hit{x.documents[i], scores[i]})
	}
	return hits
}

func normal(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }
