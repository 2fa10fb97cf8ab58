package instruct

import (
	"strings"

	"lian/data/document"
)

// Facts are a document's named parts, short enough to be asked about.
//
//	go     qualified, short, package, what, signature, error, sentence
//	poem   title, short_title, author, couplet, next, form, regular, part, part_label
//	prose  heading, file, key, sentence, opening, rest, first, part, part_label
//	code   file, line, next, first, name, part, part_label
type Facts map[string]string

// FactsOf gives the views of a document: the same document with another
// sentence, couplet or part in each. Templates use all views that differ in
// what they ask.
func FactsOf(d *document.Document) []Facts {
	switch d.Kind {
	case document.KindGo:
		return goFacts(d)
	case document.KindPoem:
		return poemFacts(d)
	case document.KindCode:
		return codeFacts(d)
	}
	return proseFacts(d)
}

const (
	longestKey  = 48 // bytes of what is searched for or copied
	shortKey    = 12 // bytes that a small model copies without a slip: four Han characters
	longestLine = 160
)

// askable keeps what can stand between quotes in a question.
func askable(s string, limit int) string {
	s = strings.TrimSpace(s)
	if len(s) > limit || strings.ContainsAny(s, "\"\n\\{}<>") {
		return ""
	}
	return s
}

func with(base Facts, pairs ...string) Facts {
	f := make(Facts, len(base)+len(pairs)/2)
	for k, v := range base {
		f[k] = v
	}
	for i := 0; i < len(pairs); i += 2 {
		f[pairs[i]] = pairs[i+1]
	}
	return f
}
