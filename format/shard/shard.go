// Package shard stores documents as token ids: what training reads. The format
// is described in docs/format/shard.md.
//
// It guarantees that documents come back with their boundaries, their tokens and
// the number of bytes of text they stand for (bits per byte need it); that a
// shard says which tokenizer made it; that the same documents give the same
// bytes; that a file appears whole or not at all; and that an open shard's index
// is sound. Reading maps the file and holds nothing in memory. It refuses ids
// outside the vocabulary, and a file whose checksum differs.
package shard

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"sort"

	"lian/format/mapped"
)

// Meta says what a shard's ids mean.
type Meta struct {
	// VocabSize is the tokenizer's vocabulary: every id is below it.
	VocabSize int `json:"vocab_size"`
	// TokenizerHash is the tokenizer's Hash; ids of another mean other text.
	TokenizerHash string `json:"tokenizer_hash"`
	// Split is "train" or "heldout"; empty where it is not known.
	Split string `json:"split,omitempty"`
	// Notes are free text for people.
	Notes map[string]string `json:"notes,omitempty"`
}

// Document is one document to be written.
type Document struct {
	Tokens []int32
	// TextBytes is the length in UTF-8 of the text that the tokens stand for,
	// without what tokenising added (an end mark has no text).
	TextBytes int64
}

const (
	magic      = "LIANSHRD"
	version    = 1
	headerSize = 64
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is the fixed start of a file; the fields are in the file's order after
// magic and version.
type header struct {
	width         uint32 // bytes of a token: 2 or 4
	documents     uint64
	tokens        uint64
	indexAt       uint64 // where the index starts
	metaAt        uint64 // where the metadata starts
	metaLength    uint64
	indexChecksum uint32 // of bytes 0–55, the index and the metadata
	tokenChecksum uint32 // of the tokens, without padding
}

func (h header) encode() []byte {
	le := binary.LittleEndian
	out := append(make([]byte, 0, headerSize), magic...)
	out = le.AppendUint32(out, version)
	out = le.AppendUint32(out, h.width)
	for _, n := range []uint64{h.documents, h.tokens, h.indexAt, h.metaAt, h.metaLength} {
		out = le.AppendUint64(out, n)
	}
	return le.AppendUint32(le.AppendUint32(out, h.indexChecksum), h.tokenChecksum)
}

func decodeHeader(file []byte) (h header, err error) {
	if len(file) < headerSize || string(file[:8]) != magic {
		return h, fmt.Errorf("does not start with %q: not a token shard", magic)
	}
	le := binary.LittleEndian
	if v := le.Uint32(file[8:]); v != version {
		return h, fmt.Errorf("token shard version %d; %d is known", v, version)
	}
	h.width = le.Uint32(file[12:])
	for i, field := range []*uint64{&h.documents, &h.tokens, &h.indexAt, &h.metaAt, &h.metaLength} {
		*field = le.Uint64(file[16+8*i:])
	}
	h.indexChecksum, h.tokenChecksum = le.Uint32(file[56:]), le.Uint32(file[60:])
	return h, nil
}

// Reader is an open shard. It is safe for concurrent use until Close; using it
// afterwards is a mistake that panics.
type Reader struct {
	file   *mapped.File
	header header
	meta   Meta
	tokens []byte
	ends   []byte // uint64 per document: tokens up to its end
	texts  []byte // uint64 per document: bytes of text up to its end
}

// Open opens a shard and checks its index. Verify checks the tokens too.
func Open(path string) (*Reader, error) {
	file, err := mapped.Open(path)
	if err != nil {
		return nil, err
	}
	r, err := parse(file.Bytes())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), file.Close())
	}
	r.file = file
	return r, nil
}

// Checksums are those of the index with the metadata, and of the tokens, as the file says them.
func (r *Reader) Checksums() (index, tokens uint32) {
	return r.header.indexChecksum, r.header.tokenChecksum
}

// parse checks everything but the tokens.
func parse(file []byte) (*Reader, error) {
	h, err := decodeHeader(file)
	if err != nil {
		return nil, err
	}
	size := uint64(len(file))
	if h.width != 2 && h.width != 4 {
		return nil, fmt.Errorf("tokens of %d bytes; 2 and 4 are known", h.width)
	}
	// Counts are bounded by the file's size before they are multiplied.
	if h.tokens > size/uint64(h.width) || h.documents > size/16 || h.metaLength > size {
		return nil, fmt.Errorf("%d documents, %d tokens and %d bytes of metadata do not fit in %d bytes: cut off, or not sound", h.documents, h.tokens, h.metaLength, size)
	}
	tokenEnd := headerSize + h.tokens*uint64(h.width)
	if h.indexAt != (tokenEnd+7)/8*8 || h.metaAt != h.indexAt+16*h.documents || h.metaAt+h.metaLength != size {
		return nil, fmt.Errorf("its parts do not fill its %d bytes: cut off, or written on", size)
	}
	if slices.Max(append(file[tokenEnd:h.indexAt:h.indexAt], 0)) != 0 {
		return nil, errors.New("the padding after the tokens is not zero: the file is damaged")
	}
	if got := sum(file, h.indexAt); got != h.indexChecksum {
		return nil, fmt.Errorf("checksum of the index is %08x, %08x was written: the file is damaged", got, h.indexChecksum)
	}
	r := &Reader{
		header: h,
		tokens: file[headerSize:tokenEnd],
		ends:   file[h.indexAt : h.indexAt+8*h.documents],
		texts:  file[h.indexAt+8*h.documents : h.metaAt],
	}
	if err := json.Unmarshal(file[h.metaAt:], &r.meta); err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	if r.meta.VocabSize <= 0 || widthOf(r.meta.VocabSize) != h.width {
		return nil, fmt.Errorf("a vocabulary of %d does not go with tokens of %d bytes", r.meta.VocabSize, h.width)
	}
	return r, r.checkIndex()
}

// sum returns the checksum of the header's fields and all that follows the
// tokens.
func sum(file []byte, indexAt uint64) uint32 {
	return crc32.Update(crc32.Checksum(file[:56], castagnoli), castagnoli, file[indexAt:])
}

// checkIndex checks that the boundaries rise and end where the tokens do.
func (r *Reader) checkIndex() error {
	var end, text uint64
	for i := range int(r.header.documents) {
		e, t := binary.LittleEndian.Uint64(r.ends[8*i:]), binary.LittleEndian.Uint64(r.texts[8*i:])
		if e < end || t < text || e > r.header.tokens || t > 1<<62 {
			return fmt.Errorf("document %d ends at token %d and byte %d of text, the one before at %d and %d", i, e, t, end, text)
		}
		end, text = e, t
	}
	if end != r.header.tokens {
		return fmt.Errorf("the documents end at token %d of %d", end, r.header.tokens)
	}
	return nil
}

// Meta returns what the ids mean.
func (r *Reader) Meta() Meta { return r.meta }

// Documents returns the number of documents.
func (r *Reader) Documents() int { return int(r.header.documents) }

// Tokens returns the number of tokens of all documents.
func (r *Reader) Tokens() int64 { return int64(r.header.tokens) }

// TextBytes returns the bytes of text of all documents.
func (r *Reader) TextBytes() int64 { return r.before(r.texts, r.Documents()) }

// Span returns where document i lies among all tokens: [start, end).
func (r *Reader) Span(i int) (start, end int64) {
	return r.before(r.ends, i), r.before(r.ends, i+1)
}

// Byte returns where in the file the token at a position is.
func (r *Reader) Byte(position int64) int64 {
	return headerSize + position*int64(r.header.width)
}

// DocumentTextBytes returns the bytes of text of document i.
func (r *Reader) DocumentTextBytes(i int) int64 {
	return r.before(r.texts, i+1) - r.before(r.texts, i)
}

// before returns the running total over the first n documents.
func (r *Reader) before(totals []byte, n int) int64 {
	if n == 0 {
		return 0
	}
	return int64(binary.LittleEndian.Uint64(totals[8*(n-1):]))
}

// Document returns the tokens of document i, from 0.
func (r *Reader) Document(i int) []int32 {
	start, end := r.Span(i)
	out := make([]int32, end-start)
	r.Read(out, start)
	return out
}

// Read fills dst with tokens from position start on, across boundaries.
func (r *Reader) Read(dst []int32, start int64) {
	if r.header.width == 2 {
		src := r.tokens[2*start : 2*(start+int64(len(dst)))]
		for i := range dst {
			dst[i] = int32(binary.LittleEndian.Uint16(src[2*i:]))
		}
		return
	}
	src := r.tokens[4*start : 4*(start+int64(len(dst)))]
	for i := range dst {
		dst[i] = int32(binary.LittleEndian.Uint32(src[4*i:]))
	}
}

// DocumentAt returns the document that holds the token at a position.
func (r *Reader) DocumentAt(position int64) int {
	return sort.Search(r.Documents(), func(i int) bool { return r.before(r.ends, i+1) > position })
}

// Verify reads every token: the checksum must agree and every id be in the
// vocabulary.
func (r *Reader) Verify() error {
	if got := crc32.Checksum(r.tokens, castagnoli); got != r.header.tokenChecksum {
		return fmt.Errorf("%s: checksum of the tokens is %08x, %08x was written: the file is damaged", r.file.Path(), got, r.header.tokenChecksum)
	}
	buffer := make([]int32, 1<<14)
	for at := int64(0); at < r.Tokens(); at += int64(len(buffer)) {
		part := buffer[:min(int64(len(buffer)), r.Tokens()-at)]
		r.Read(part, at)
		for i, id := range part {
			if id < 0 || int(id) >= r.meta.VocabSize {
				return fmt.Errorf("%s: token %d has id %d, the vocabulary has %d", r.file.Path(), at+int64(i), id, r.meta.VocabSize)
			}
		}
	}
	return nil
}

// Close releases the file.
func (r *Reader) Close() error {
	r.tokens, r.ends, r.texts = nil, nil, nil
	return r.file.Close()
}

// widthOf returns the bytes that a token of such a vocabulary takes.
func widthOf(vocabSize int) uint32 {
	if vocabSize <= 1<<16 {
		return 2
	}
	return 4
}
