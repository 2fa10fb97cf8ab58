package tokenfile

import (
	"encoding/binary"
	"fmt"
	"math"

	"lian/format/mapped"
)

// llm.c's header: magic, version, number of ids, then zeros up to 256 int32. Source: llm.c, dev/data/data_common.py.
const (
	llmcHeader = 1024
	llmcV1     = 20240520 // version 1: uint16 ids of GPT-2, whose <|endoftext|> stands before each document
	llmcV7     = 20240801 // version 7: uint32 ids of Llama 3, whose <|begin_of_text|> does
	gpt2End    = 50256
	llama3End  = 128000
)

// flat is ids in a row, with end marks between documents or without.
type flat struct {
	file   *mapped.File
	ids    ids
	header int
	starts []int // of documents, and one more: where the next would start
	ends   bool  // an end mark stands behind each document, if only in thought
	Options
}

// isLLMC reports whether a file starts with llm.c's header.
func isLLMC(head []byte) bool {
	if len(head) < 8 {
		return false
	}
	m := binary.LittleEndian.Uint32(head)
	return m == llmcV1 || m == llmcV7
}

func openLLMC(path string, o Options) (Reader, error) {
	return openMapped(path, func(f *mapped.File) (Reader, error) {
		data := f.Bytes()
		if !isLLMC(data) {
			return nil, fmt.Errorf("%s: does not start with llm.c's magic %d or %d", path, llmcV1, llmcV7)
		}
		if len(data) < llmcHeader {
			return nil, size(path, llmcHeader, int64(len(data)), "llm.c's header")
		}
		le := binary.LittleEndian
		magic, version, count := le.Uint32(data), le.Uint32(data[4:]), int64(int32(le.Uint32(data[8:])))
		e, known, end := element{2, false}, uint32(1), int32(gpt2End)
		if magic == llmcV7 {
			e, known, end = element{4, false}, 7, llama3End
		}
		if version != known {
			return nil, fmt.Errorf("%s: llm.c version %d under magic %d, expected %d", path, version, magic, known)
		}
		if expected := llmcHeader + count*int64(e.width); count < 0 || expected != int64(len(data)) {
			return nil, size(path, expected, int64(len(data)), fmt.Sprintf("a header and %d ids of %d bytes", count, e.width))
		}
		if o.End < 0 {
			o.End = end
		}
		return newFlat(f, llmcHeader, e, o), nil
	})
}

func openNanoGPT(path string, o Options) (Reader, error) {
	return openMapped(path, func(f *mapped.File) (Reader, error) {
		if n := int64(len(f.Bytes())); n%2 != 0 || n == 0 {
			return nil, size(path, n+n%2, n, "whole ids of 2 bytes")
		}
		return newFlat(f, 0, element{2, false}, o), nil
	})
}

// openMapped maps a file and closes it again where it is not what was expected.
func openMapped(path string, parse func(*mapped.File) (Reader, error)) (Reader, error) {
	f, err := mapped.Open(path)
	if err != nil {
		return nil, err
	}
	r, err := parse(f)
	if err != nil {
		f.Close()
		return nil, err
	}
	return r, nil
}

// newFlat finds the documents: the spans between end marks. Without an end mark the whole file is one document.
func newFlat(f *mapped.File, header int, e element, o Options) *flat {
	r := &flat{file: f, ids: ids{f.Bytes()[header:], e}, header: header, Options: o}
	n := r.ids.len()
	if o.End < 0 || e.width == 2 && o.End > math.MaxUint16 {
		r.starts = []int{0, n}
		return r
	}
	for i := range n {
		if r.ids.at(i) != int64(o.End) {
			continue
		}
		if !r.ends && i > 0 { // what stands before the first mark, unless it is nothing
			r.starts = append(r.starts, 0)
		}
		r.ends, r.starts = true, append(r.starts, i+1)
	}
	switch {
	case !r.ends:
		r.starts = []int{0, n}
	case r.starts[len(r.starts)-1] < n: // the last document has no mark behind it: as if one followed
		r.starts = append(r.starts, n+1)
	}
	return r
}

func (r *flat) Documents() int { return len(r.starts) - 1 }

func (r *flat) Length(i int) int {
	n := r.starts[i+1] - r.starts[i]
	if r.ends {
		n--
	}
	return n
}

func (r *flat) Read(i, first, n int) (Tokens, error) {
	out, bad, id := r.ids.read(r.starts[i]+first, n, r.Options)
	if bad >= 0 {
		return Tokens{}, outside(r.at(r.starts[i]+first+bad), i, first+bad, id, r.Vocabulary)
	}
	return Tokens{IDs: out}, nil
}

func (r *flat) at(token int) Place {
	return Place{File: r.file.Path(), Byte: int64(r.header) + int64(token)*int64(r.ids.width)}
}

func (r *flat) Where(i int) Place   { return r.at(r.starts[i]) }
func (r *flat) TextBytes(int) int64 { return -1 }
func (r *flat) Close() error        { return r.file.Close() }
