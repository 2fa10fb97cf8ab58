// Package tokenfile reads and writes the files of token ids that trainers have:
// Lian's shards, InternEvo's JSON lines with their .meta, Megatron's .bin and .idx,
// llm.c's versions 1 and 7, nanoGPT's bare ids, MDS of mosaicml-streaming, Parquet
// and JSON lines, packed or not. docs/format/tokenfile.md says what is in each.
//
// There are two ways to read. What can be read in place is a Reader: documents by
// number, any piece of any of them, mapped into memory and not copied. What has to
// be unpacked or tokenised first is Records, from front to back.
//
// It guarantees that a document comes back with its boundaries and without the end
// mark that a format writes between documents; that a cut-off file is refused with
// the bytes that were expected and found; that nothing in a file is executed; that
// every id that is given out is not negative and, where a vocabulary is known, in
// it. It refuses to guess: what the end mark and the vocabulary are is said by the
// file or by Options.
package tokenfile

import "fmt"

// Kind is a format.
type Kind string

// Formats.
const (
	Lian      Kind = "lian"      // a shard: format/shard
	InternEvo Kind = "internevo" // X.bin of lines {"tokens": [ids]}, X.bin.meta of (byte, tokens)
	Megatron  Kind = "megatron"  // X.bin of ids, X.idx of lengths and documents
	LLMC      Kind = "llmc"      // a header of 256 int32, then ids
	NanoGPT   Kind = "nanogpt"   // bare uint16 ids
	MDS       Kind = "mds"       // a folder of index.json and shard.00000.mds
	Parquet   Kind = "parquet"   // a column of lists of ids, or of text
	JSONLines Kind = "jsonl"     // lines {"tokens": [ids]} or {"text": "…"}; also .gz and .zst
)

// Kinds are all formats, in the order people are told of them.
var Kinds = []Kind{Lian, InternEvo, Megatron, LLMC, NanoGPT, MDS, Parquet, JSONLines}

// InPlace reports whether a format's documents are read where they are; the others are unpacked into shards first.
func (k Kind) InPlace() bool {
	return k == Lian || k == InternEvo || k == Megatron || k == LLMC || k == NanoGPT
}

// None is the id of an end mark that there is not.
const None = -1

// Options are what a file does not say of itself.
type Options struct {
	// Vocabulary is the number of ids; 0 is not known, and then ids are not checked.
	Vocabulary int
	// End is the id that stands between documents, None where there is none. At an end of a document it is not part of it.
	End int32
	// Field is the member or column that holds ids or text; empty tries the usual names.
	Field string
}

// Tokens are a piece of a document.
type Tokens struct {
	IDs []int32
	// Prompt marks ids that are read but not learnt; nil where there is none.
	Prompt []bool
}

// Place is where a document lies.
type Place struct {
	File string
	Line int   // from 1; 0 where the file has no lines
	Byte int64 // of its first token or line
}

// String is FILE:LINE or FILE, byte N.
func (p Place) String() string {
	if p.Line > 0 {
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s, byte %d", p.File, p.Byte)
}

// Reader is documents by number. It is safe for concurrent use until Close.
type Reader interface {
	// Documents is the number of documents.
	Documents() int
	// Length is the number of tokens of document i, known without reading it whole.
	Length(i int) int
	// Read is n tokens of document i from token first on; first+n must not pass its length.
	Read(i, first, n int) (Tokens, error)
	// TextBytes is the length of document i's text in UTF-8, −1 where the file does not say it.
	TextBytes(i int) int64
	// Where is where document i lies.
	Where(i int) Place
	Close() error
}

// Count is the number of tokens of all documents.
func Count(r Reader) (tokens int64) {
	for i := range r.Documents() {
		tokens += int64(r.Length(i))
	}
	return tokens
}

// Check reads everything once: every id must be there and in the vocabulary. progress may be nil.
func Check(r Reader, progress func(documents int)) error {
	for i := range r.Documents() {
		for at, n := 0, r.Length(i); at < n; at += checkPiece {
			if _, err := r.Read(i, at, min(checkPiece, n-at)); err != nil {
				return err
			}
		}
		if progress != nil && i%1000 == 999 {
			progress(i + 1)
		}
	}
	return nil
}

const checkPiece = 1 << 16 // tokens read at once

// outside says that an id is not in the vocabulary.
func outside(p Place, document, token int, id int64, vocabulary int) error {
	if id < 0 {
		return fmt.Errorf("%v: document %d, token %d: id %d is negative; only InternEvo's lines have such ids, for prompts", p, document, token, id)
	}
	return fmt.Errorf("%v: document %d, token %d: id %d, expected less than %d, the vocabulary; the ids are of another tokenizer, or the file is damaged", p, document, token, id, vocabulary)
}

// valid reports whether an id may be given out.
func (o Options) valid(id int64) bool {
	return id >= 0 && id <= 1<<31-1 && (o.Vocabulary == 0 || id < int64(o.Vocabulary))
}
