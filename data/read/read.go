// Package read turns files into documents: one reader per format, encodings
// detected, records and fields found.
//
// It guarantees that every file and every record comes out either as a document
// or as a rejected one that carries a reason, that nothing panics on damaged
// bytes, and that the same file gives the same documents. It refuses, with the
// reason, what it cannot read: office documents, archives, media, binaries.
package read

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"lian/data/document"
)

// File is an input file: where it lies and what it is called in documents.
type File struct {
	Path string // on this machine
	Name string // relative to the input, forward slashes, begins with the input's base name
	Size int64
}

// Result is what one file gave.
type Result struct {
	File      File
	Documents []document.Document
	Rejected  []document.Document // records, or the file itself, each with one verdict
	Encoding  string              // when it was not UTF-8
	Repaired  int                 // invalid UTF-8 sequences replaced by U+FFFD
}

// Reasons for which a file or record is rejected while reading.
const (
	Unreadable     = "unreadable"         // the system would not open or read it
	Empty          = "empty"              // no bytes, or none but blanks
	Unsupported    = "unsupported_format" // .docx, .pdf, archives, media
	Binary         = "binary"
	BadEncoding    = "unknown_encoding"
	Damaged        = "damaged"        // syntax error; what came before it is kept
	NoText         = "no_text"        // a record in which no field holds text
	TooLarge       = "file_too_large" // over max_file_bytes
	Hidden         = "hidden"         // a folder or file whose name begins with a dot
	NotAFile       = "not_a_file"     // a pipe, socket, device, or link to a folder
	Unselected     = "unselected"     // a part of the Go distribution that is not documentation
	OtherPlatform  = "other_platform" // Go source that linux/amd64 does not build
	GoTest         = "go_test"        // test code without examples
	GeneratedTable = "generated"      // Go source that says that a program wrote it
)

//go:embed formats.yaml
var formatsYAML []byte

// formats is the table of file name extensions.
var formats = sync.OnceValue(func() map[string]string {
	var table map[string][]string
	if err := yaml.Unmarshal(formatsYAML, &table); err != nil {
		panic("formats.yaml: " + err.Error()) // embedded: a fault of the program, found by any test
	}
	byExtension := map[string]string{}
	for format, extensions := range table {
		for _, extension := range extensions {
			byExtension[extension] = format
		}
	}
	return byExtension
})

// FormatOf says what a file of this name is read as: text, markdown, html,
// json, jsonl, csv, tsv, go, source, unsupported, or "" when only its content
// can tell.
func FormatOf(name string) string {
	base := strings.ToLower(path.Base(name))
	extension := strings.TrimPrefix(path.Ext(base), ".")
	if extension == "" || extension == base {
		return formats()["="+base]
	}
	return formats()[extension]
}

// Options bound what is read.
type Options struct {
	MaxFileBytes int64 // larger files are rejected; 0 is no bound
}

// One reads a file of any format but Go, which is read by package (see Go).
func One(f File, o Options) Result {
	format := FormatOf(f.Name)
	if format == "unsupported" {
		return failed(f, Unsupported, "no reader for "+path.Ext(f.Name)+" yet; save it as text, Markdown or HTML")
	}
	text, result, ok := load(f, o)
	if !ok {
		return result
	}
	switch format {
	case "markdown":
		markdown(&result, text)
	case "html":
		htmlPage(&result, text)
	case "json":
		jsonFile(&result, text)
	case "jsonl":
		jsonLines(&result, text)
	case "csv":
		separated(&result, text, ',')
	case "tsv":
		separated(&result, text, '\t')
	case "source", "go":
		source(&result, text)
	default:
		plain(&result, text)
	}
	return result
}

// load reads and decodes a file's bytes.
func load(f File, o Options) (string, Result, bool) {
	if o.MaxFileBytes > 0 && f.Size > o.MaxFileBytes {
		return "", failed(f, TooLarge, fmt.Sprintf("%d bytes > max_file_bytes %d", f.Size, o.MaxFileBytes)), false
	}
	content, err := os.ReadFile(f.Path)
	if err != nil {
		return "", failed(f, Unreadable, plainError(err)), false
	}
	decoded, err := Decode(content)
	if err != nil {
		var refused *Refused
		if errors.As(err, &refused) {
			return "", failed(f, refused.Reason, refused.Detail), false
		}
		return "", failed(f, BadEncoding, err.Error()), false
	}
	if strings.TrimSpace(decoded.Text) == "" {
		return "", failed(f, Empty, "nothing but blanks"), false
	}
	return decoded.Text, Result{File: f, Encoding: decoded.Encoding, Repaired: decoded.Repaired}, true
}

// plainError leaves out the path, which differs between machines.
func plainError(err error) string {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err.Error()
	}
	return err.Error()
}

// failed is the result of a file that gave nothing.
func failed(f File, reason, detail string) Result {
	r := Result{File: f}
	r.reject(0, FormatOf(f.Name), reason, detail, float64(f.Size))
	return r
}

// Failed is the result of a file that was not read, for the reason given.
func Failed(f File, reason, detail string) Result { return failed(f, reason, detail) }

// reject adds a record that is not kept. Value is in the verdict: bytes, or a line number.
func (r *Result) reject(record int, format, reason, detail string, value float64) {
	source := document.Source{Path: r.File.Name, Record: record, Format: format, Encoding: r.Encoding}
	r.Rejected = append(r.Rejected, document.Document{
		ID:       document.Identity(document.Source{Path: source.Path + "\x00" + reason, Record: record}),
		Source:   source,
		Title:    path.Base(r.File.Name),
		Verdicts: []document.Verdict{{Rule: reason, Value: value, Reason: detail}},
	})
}

// add appends a document; its record number is its place in the file.
func (r *Result) add(d document.Document, format string) {
	d.Source = document.Source{Path: r.File.Name, Record: len(r.Documents), Format: format, Encoding: r.Encoding}
	d.ID = document.Identity(d.Source)
	if d.Group == "" {
		d.Group = r.File.Name
	}
	r.Documents = append(r.Documents, d)
}
