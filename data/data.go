// Package data turns files into clean, deduplicated documents: the first link
// of the chain.
//
// It guarantees that every file and every record seen is either kept or kept
// as rejected with a reason (the sums are checked), that the output has the
// same bytes for any number of workers, and that no near duplicate or
// neighbour of a held-out document is trained on. It refuses nothing silently:
// what it cannot read (.docx, binaries, unreadable files) is a rejected record.
//
// The record type is in data/document, readers in data/read, quality rules in
// data/rule, duplicates in data/dedup, instruction pairs in data/instruct.
package data

import (
	"iter"

	"lian/data/document"
)

// The record and its parts; see package document.
type (
	Document = document.Document
	Source   = document.Source
	Verdict  = document.Verdict
)

// ReadDocuments gives the documents of a file that Run wrote, in order.
func ReadDocuments(path string) iter.Seq2[Document, error] { return document.Read(path) }

// Names of the files that Run writes to Options.Output.
const (
	TrainFile    = "documents.jsonl"
	HeldOutFile  = "heldout.jsonl"
	RejectedFile = "rejected.jsonl"
	ReportFile   = "report.json"
)
