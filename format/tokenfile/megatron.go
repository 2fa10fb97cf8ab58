package tokenfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"lian/format/mapped"
)

// Megatron's index: magic, version (uint64), type (byte), sequences, documents+1 (uint64), int32 lengths, int64 byte positions,
// int64 first sequences of documents; with several modes, an int8 of each sequence. Source: Megatron-LM,
// megatron/core/datasets/indexed_dataset.py.
const (
	megatronMagic   = "MMIDIDX\x00\x00"
	megatronVersion = 1
	megatronHeader  = 9 + 8 + 1 + 8 + 8
)

// megatronTypes are the types of ids by their code. 6 and 7 are floating-point numbers, which are no ids.
var megatronTypes = map[byte]element{1: {1, false}, 2: {1, true}, 3: {2, true}, 4: {4, true}, 5: {8, true}, 8: {2, false}}

type megatron struct {
	bin, idx                     *mapped.File
	ids                          ids
	lengths, pointers, documents []byte
	Options
}

// megatronPair is the two files that either of their names, or the name without an ending, means.
func megatronPair(path string) (bin, idx string) {
	base := strings.TrimSuffix(strings.TrimSuffix(path, ".bin"), ".idx")
	return base + ".bin", base + ".idx"
}

func openMegatron(path string, o Options) (Reader, error) {
	bin, idx := megatronPair(path)
	r := &megatron{Options: o}
	var err error
	if r.idx, err = mapped.Open(idx); err != nil {
		return nil, err
	}
	if r.bin, err = mapped.Open(bin); err != nil {
		return nil, errors.Join(err, r.idx.Close())
	}
	if err := r.parse(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// parse checks that the index is whole and that all it speaks of is in the other file.
func (r *megatron) parse() error {
	data, path, le := r.idx.Bytes(), r.idx.Path(), binary.LittleEndian
	if !strings.HasPrefix(string(data[:min(len(data), 9)]), megatronMagic) {
		return fmt.Errorf("%s: does not start with Megatron's %q", path, megatronMagic)
	}
	if len(data) < megatronHeader {
		return size(path, megatronHeader, int64(len(data)), "Megatron's header")
	}
	if v := le.Uint64(data[9:]); v != megatronVersion {
		return fmt.Errorf("%s: version %d of Megatron's index, expected %d", path, v, megatronVersion)
	}
	e, ok := megatronTypes[data[17]]
	if !ok {
		return fmt.Errorf("%s: type code %d; ids are 1 (uint8), 2 (int8), 3 (int16), 4 (int32), 5 (int64) or 8 (uint16)", path, data[17])
	}
	sequences, documents := le.Uint64(data[18:]), le.Uint64(data[26:])
	room := uint64(len(data))
	if sequences > room/12 || documents > room/8 || documents == 0 {
		return fmt.Errorf("%s: %d sequences and %d document bounds do not fit in %d bytes: cut off, or not sound", path, sequences, documents, len(data))
	}
	expected := megatronHeader + 12*sequences + 8*documents
	if room != expected && room != expected+sequences {
		return size(path, int64(expected), int64(room), fmt.Sprintf("%d sequences, %d document bounds", sequences, documents))
	}
	at := uint64(megatronHeader)
	r.lengths, at = data[at:at+4*sequences], at+4*sequences
	r.pointers, at = data[at:at+8*sequences], at+8*sequences
	r.documents = data[at : at+8*documents]
	r.ids = ids{r.bin.Bytes(), e}
	return r.checkIndex(sequences)
}

func (r *megatron) checkIndex(sequences uint64) error {
	found, path := uint64(len(r.bin.Bytes())), r.idx.Path()
	le, width := binary.LittleEndian, uint64(r.ids.width)
	end, last := uint64(0), uint64(0)
	for i := range sequences {
		length, pointer := int32(le.Uint32(r.lengths[4*i:])), le.Uint64(r.pointers[8*i:])
		if length < 0 || pointer%width != 0 || pointer > 1<<62 {
			return fmt.Errorf("%s: sequence %d has %d ids at byte %d: the index is not sound", path, i, length, pointer)
		}
		if end = pointer + uint64(length)*width; end > found {
			return size(r.bin.Path(), int64(max(end, r.whole(sequences))), int64(found), "what "+path+" speaks of")
		}
	}
	for i := range uint64(len(r.documents) / 8) {
		first := le.Uint64(r.documents[8*i:])
		if first < last || first > sequences || i == 0 && first != 0 {
			return fmt.Errorf("%s: document %d starts at sequence %d of %d, the one before at %d", path, i, first, sequences, last)
		}
		last = first
	}
	if last != sequences {
		return fmt.Errorf("%s: the documents end at sequence %d, expected %d", path, last, sequences)
	}
	for i := range r.Documents() { // a document of several sequences must lie in one piece
		for s := r.first(i); s+1 < r.first(i+1); s++ {
			if le.Uint64(r.pointers[8*s:])+uint64(le.Uint32(r.lengths[4*s:]))*width != le.Uint64(r.pointers[8*(s+1):]) {
				return fmt.Errorf("%s: sequences %d and %d of document %d do not follow one another", path, s, s+1, i)
			}
		}
	}
	return nil
}

// whole is the size of the ids as far as the last sequence says it.
func (r *megatron) whole(sequences uint64) uint64 {
	i, le := sequences-1, binary.LittleEndian
	p := le.Uint64(r.pointers[8*i:])
	if p > 1<<62 {
		return 0
	}
	return p + uint64(le.Uint32(r.lengths[4*i:])&(1<<31-1))*uint64(r.ids.width)
}

func (r *megatron) Documents() int { return len(r.documents)/8 - 1 }

// first is the first sequence of document i.
func (r *megatron) first(i int) int { return int(binary.LittleEndian.Uint64(r.documents[8*i:])) }

// span is where document i's ids are, without end marks.
func (r *megatron) span(i int) (from, to int) {
	s, e := r.first(i), r.first(i+1)
	if s == e {
		return 0, 0
	}
	from = int(binary.LittleEndian.Uint64(r.pointers[8*s:])) / r.ids.width
	to = int(binary.LittleEndian.Uint64(r.pointers[8*(e-1):]))/r.ids.width + int(binary.LittleEndian.Uint32(r.lengths[4*(e-1):]))
	return r.ids.trim(from, to, r.End)
}

func (r *megatron) Length(i int) int {
	from, to := r.span(i)
	return to - from
}

func (r *megatron) Read(i, first, n int) (Tokens, error) {
	from, _ := r.span(i)
	out, bad, id := r.ids.read(from+first, n, r.Options)
	if bad >= 0 {
		p := Place{File: r.bin.Path(), Byte: int64(from+first+bad) * int64(r.ids.width)}
		return Tokens{}, outside(p, i, first+bad, id, r.Vocabulary)
	}
	return Tokens{IDs: out}, nil
}

func (r *megatron) Where(i int) Place {
	from, _ := r.span(i)
	return Place{File: r.bin.Path(), Byte: int64(from) * int64(r.ids.width)}
}

func (r *megatron) TextBytes(int) int64 { return -1 }

func (r *megatron) Close() error {
	err := r.idx.Close()
	if r.bin != nil {
		err = errors.Join(err, r.bin.Close())
	}
	return err
}
