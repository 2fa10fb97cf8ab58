// Package document defines the one record type of Lian's data stage and its
// form on disk: one JSON object a line (docs/format/document.md).
//
// It guarantees that what Write puts down Read gives back, that a damaged line
// is reported with file and line number, and that no field is guessed. It
// refuses lines that are not JSON objects and records without an id.
//
// It is a package of its own so that readers, rules and deduplication can share
// the type without importing the pipeline; package data aliases every name.
package document

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
)

// Document is a text with its identity, where it came from, what was noted
// about it and what was decided.
type Document struct {
	// ID names the record: a hash of Source, so it survives edits of the text
	// and is the same on every machine. 16 hexadecimal digits.
	ID     string `json:"id"`
	Source Source `json:"source"`
	// Kind is one of the Kind constants and says which Fields to expect.
	Kind string `json:"kind"`
	// Title is a short name for people; it need not be unique.
	Title string `json:"title,omitempty"`
	// Text is what a model is trained on: valid UTF-8, \n line ends.
	Text string `json:"text"`
	// Language is "zh", "en", "code" or "other" (see rule.Language).
	Language string `json:"language,omitempty"`
	// Fields are the record's parts by name; instruction pairs are made of them.
	Fields map[string]string `json:"fields,omitempty"`
	// Group names what must stay on one side of the held-out split: the source
	// file, or the smallest id of a near-duplicate cluster.
	Group string `json:"group,omitempty"`
	// Verdicts are what the rules measured, in the order in which they ran.
	Verdicts []Verdict `json:"verdicts,omitempty"`
	// Split is "train" or "heldout"; empty for rejected records.
	Split string `json:"split,omitempty"`
}

// Kinds of documents.
const (
	KindGo       = "go"       // a documented Go symbol or example; fields symbol, name, package, signature, doc, what
	KindMarkdown = "markdown" // a section under a heading; fields file, heading, section
	KindText     = "text"     // plain text; fields file, heading (first line or file name), section
	KindHTML     = "html"     // main text of a page; fields file, heading, section
	KindRecord   = "record"   // an object of a JSON, JSON-lines or CSV file; fields as found
	KindPoem     = "poem"     // fields title, author, lines
	KindCode     = "code"     // source code; field file
)

// Languages, as far as the data stage tells them apart.
const (
	Chinese = "zh"
	English = "en"
	Code    = "code"
	Other   = "other"
)

// Splits.
const (
	Train   = "train"
	HeldOut = "heldout"
)

// Source says where a record came from.
type Source struct {
	// Path is relative to the input it was found under, with forward slashes,
	// and starts with that input's base name.
	Path string `json:"path"`
	// Record counts the records of one file from 0.
	Record int `json:"record"`
	// Format is what the file was read as: txt, md, html, json, jsonl, csv, tsv, go, source.
	Format string `json:"format"`
	// Encoding is set when the bytes were not UTF-8 already.
	Encoding string `json:"encoding,omitempty"`
}

// Verdict is what one rule found. Value lies beside its limits so that
// thresholds can be moved later without reading the text again.
type Verdict struct {
	Rule   string  `json:"rule"`
	Value  float64 `json:"value"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	Keep   bool    `json:"keep"`
	Reason string  `json:"reason,omitempty"` // empty when kept
}

// Identity derives a document's id from its source alone.
func Identity(s Source) string {
	sum := sha256.Sum256([]byte(s.Path + "\x00" + strconv.Itoa(s.Record)))
	return hex.EncodeToString(sum[:8])
}

// Rejected returns the first verdict that drops the document.
func (d *Document) Rejected() (Verdict, bool) {
	for _, v := range d.Verdicts {
		if !v.Keep {
			return v, true
		}
	}
	return Verdict{}, false
}
