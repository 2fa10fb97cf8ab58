package tokenfile

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"iter"
	"os"
	"path/filepath"

	"lian/format/shard"
	"lian/store/atomicfile"
)

// Document is a document to be written: ids without end marks.
type Document struct {
	Tokens
	TextBytes int64 // of the text they stand for; −1 where it is not known
}

// Writing are the settings of what is written.
type Writing struct {
	Vocabulary int    // number of ids; chooses the width of an id
	End        int32  // written between documents where the format has a mark there; None writes none
	Tokenizer  string // hash, which Lian's shards carry
	Split      string // of Lian's shards
}

// Written is what was written.
type Written struct {
	Files     []string `json:"files"`
	Documents int      `json:"documents"`
	Tokens    int64    `json:"tokens"` // without end marks
	IDs       string   `json:"ids_sha256"`
	// Unlearnt is the number of ids 0 that InternEvo will not learn: it reads them as a prompt's.
	Unlearnt int64 `json:"unlearnt_zeros,omitempty"`
}

// Writable reports whether a format can be written.
func (k Kind) Writable() bool { return k != Parquet && k != "" }

// Write writes documents as path, whole or not at all; what Megatron and InternEvo have beside it appears just before it does.
func Write(kind Kind, path string, documents iter.Seq2[Document, error], w Writing) (Written, error) {
	s := &sum{h: sha256.New()}
	out, err := encoderOf(kind, path, w)
	if err != nil {
		return Written{}, err
	}
	defer out.abort()
	var r Written
	if kind == Lian {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return r, err
		}
		err = writeLian(path, s.over(documents), w)
		r.Files = []string{path}
	} else if err = encodeAll(out, kind, s.over(documents), w, &r); err == nil {
		r.Files, err = out.commit()
	}
	if err != nil && kind != Lian { // whose package says it
		err = fmt.Errorf("writing %s: %w", path, err)
	}
	if err != nil {
		return r, err
	}
	r.Documents, r.Tokens, r.IDs = s.documents, s.tokens, s.hex()
	return r, nil
}

func encodeAll(out encoder, kind Kind, documents iter.Seq2[Document, error], w Writing, r *Written) error {
	i := 0
	for d, err := range documents {
		if err != nil {
			return err
		}
		for j, id := range d.IDs {
			if id < 0 || int(id) >= w.Vocabulary {
				return fmt.Errorf("document %d, token %d: id %d, expected less than %d, the vocabulary", i, j, id, w.Vocabulary)
			}
			if id == 0 && kind == InternEvo && (d.Prompt == nil || !d.Prompt[j]) {
				r.Unlearnt++
			}
			if d.Prompt != nil && d.Prompt[j] && kind != InternEvo {
				return fmt.Errorf("document %d, token %d is marked as a prompt's, which %s cannot hold; only internevo can", i, j, kind)
			}
		}
		if err := out.document(d); err != nil {
			return fmt.Errorf("document %d: %w", i, err)
		}
		i++
	}
	return nil
}

func writeLian(path string, documents iter.Seq2[Document, error], w Writing) error {
	return shard.Write(path, func(yield func(shard.Document, error) bool) {
		for d, err := range documents {
			for j, p := range d.Prompt {
				if p && err == nil {
					err = fmt.Errorf("token %d is marked as a prompt's, which lian cannot hold; only internevo can", j)
				}
			}
			if !yield(shard.Document{Tokens: d.IDs, TextBytes: max(d.TextBytes, 0)}, err) {
				return
			}
		}
	}, shard.Meta{VocabSize: w.Vocabulary, TokenizerHash: w.Tokenizer, Split: w.Split})
}

// Sum is the SHA-256 of a reader's ids by document: the same for the same documents in any format.
func Sum(r Reader) (string, error) {
	s := &sum{h: sha256.New()}
	for i := range r.Documents() {
		t, err := r.Read(i, 0, r.Length(i))
		if err != nil {
			return "", err
		}
		s.add(t.IDs)
	}
	return s.hex(), nil
}

// SumRecords is the same of records.
func SumRecords(records iter.Seq2[Record, error]) (string, error) {
	s := &sum{h: sha256.New()}
	for r, err := range records {
		if err != nil {
			return "", err
		}
		s.add(r.IDs)
	}
	return s.hex(), nil
}

type sum struct {
	h         hash.Hash
	documents int
	tokens    int64
}

func (s *sum) add(ids []int32) {
	buffer := binary.LittleEndian.AppendUint64(make([]byte, 0, 8+4*len(ids)), uint64(len(ids)))
	for _, id := range ids {
		buffer = binary.LittleEndian.AppendUint32(buffer, uint32(id))
	}
	s.h.Write(buffer)
	s.documents++
	s.tokens += int64(len(ids))
}

func (s *sum) hex() string { return hex.EncodeToString(s.h.Sum(nil)) }

func (s *sum) over(documents iter.Seq2[Document, error]) iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		for d, err := range documents {
			if err == nil {
				s.add(d.IDs)
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

// encoder writes a format's documents.
type encoder interface {
	document(d Document) error
	commit() ([]string, error)
	abort()
}

func encoderOf(kind Kind, path string, w Writing) (encoder, error) {
	needsEnd := func() error {
		if w.End < 0 {
			return fmt.Errorf("%s has nothing but an end mark between documents: name its id with --end", kind)
		}
		return nil
	}
	switch kind {
	case Lian:
		return nothing{}, nil
	case InternEvo:
		return newInternEvoWriter(path)
	case Megatron:
		return newMegatronWriter(path, w)
	case LLMC:
		if err := needsEnd(); err != nil {
			return nil, err
		}
		return newLLMCWriter(path, w)
	case NanoGPT:
		if err := needsEnd(); err != nil {
			return nil, err
		}
		if w.Vocabulary > 1<<16 {
			return nil, fmt.Errorf("nanogpt's ids have 16 bits, the vocabulary has %d", w.Vocabulary)
		}
		f, err := newPart(path)
		return &flatWriter{part: f, element: element{2, false}, after: w.End, before: None}, err
	case MDS:
		return newMDSWriter(path, w)
	case JSONLines:
		f, err := newPart(path)
		return &jsonWriter{f}, err
	}
	return nil, fmt.Errorf("%s cannot be written; %v can", kind, []Kind{Lian, InternEvo, Megatron, LLMC, NanoGPT, MDS, JSONLines})
}

type nothing struct{}

func (nothing) document(Document) error   { return nil }
func (nothing) commit() ([]string, error) { return nil, nil }
func (nothing) abort()                    {}

// part is one file that is being written.
type part struct {
	file *atomicfile.File
	*bufio.Writer
}

func newPart(path string) (*part, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := atomicfile.Create(path)
	if err != nil {
		return nil, err
	}
	return &part{f, bufio.NewWriterSize(f, 1<<20)}, nil
}

func (p *part) commit() ([]string, error) {
	if err := p.Flush(); err != nil {
		return nil, err
	}
	return []string{p.file.Name()}, p.file.Commit()
}

func (p *part) abort() {
	if p != nil {
		p.file.Abort() // after a commit it does nothing
	}
}

func (e element) put(out []byte, id int32) []byte {
	if e.width == 2 {
		return binary.LittleEndian.AppendUint16(out, uint16(id))
	}
	return binary.LittleEndian.AppendUint32(out, uint32(id))
}

// commitAll commits files in order; the last is the one that makes the others count.
func commitAll(parts ...*part) (names []string, err error) {
	for _, p := range parts {
		if err = p.Flush(); err != nil {
			return nil, err
		}
	}
	for _, p := range parts {
		name, commitErr := p.file.Name(), p.file.Commit()
		names, err = append(names, name), errors.Join(err, commitErr)
	}
	return names, err
}
