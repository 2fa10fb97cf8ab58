package tokenfile

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
)

// flatWriter writes ids in a row: nanoGPT and llm.c.
type flatWriter struct {
	*part
	element
	before, after int32 // end marks around a document, None for none
	count         int64
	header        func(count int64) ([]byte, error)
}

func newLLMCWriter(path string, w Writing) (encoder, error) {
	f, err := newPart(path)
	if err != nil {
		return nil, err
	}
	magic, version, e := uint32(llmcV1), uint32(1), element{2, false}
	if w.Vocabulary > 1<<16 {
		magic, version, e = llmcV7, 7, element{4, false}
	}
	if _, err := f.Write(make([]byte, llmcHeader)); err != nil {
		return nil, err
	}
	header := func(count int64) ([]byte, error) {
		if count > math.MaxInt32 {
			return nil, fmt.Errorf("%d ids, llm.c's header counts up to %d: write several files", count, math.MaxInt32)
		}
		le := binary.LittleEndian
		return le.AppendUint32(le.AppendUint32(le.AppendUint32(nil, magic), version), uint32(count)), nil
	}
	return &flatWriter{part: f, element: e, before: w.End, after: None, header: header}, nil
}

func (f *flatWriter) document(d Document) error {
	var out []byte
	if f.before >= 0 {
		out = f.put(out, f.before)
	}
	for _, id := range d.IDs {
		out = f.put(out, id)
	}
	if f.after >= 0 {
		out = f.put(out, f.after)
	}
	f.count += int64(len(out) / f.width)
	_, err := f.Write(out)
	return err
}

func (f *flatWriter) commit() ([]string, error) {
	if f.header != nil {
		if err := f.Flush(); err != nil {
			return nil, err
		}
		head, err := f.header(f.count)
		if err != nil {
			return nil, err
		}
		if _, err := f.file.WriteAt(head, 0); err != nil {
			return nil, err
		}
	}
	return f.part.commit()
}

// megatronWriter keeps the lengths of what it has written in memory.
type megatronWriter struct {
	bin, idx *part
	element
	code    byte
	end     int32
	lengths []int32
}

// newMegatronWriter chooses the width as Megatron does: 16 bits below 65500 ids.
func newMegatronWriter(path string, w Writing) (encoder, error) {
	bin, idx := megatronPair(path)
	b, err := newPart(bin)
	if err != nil {
		return nil, err
	}
	i, err := newPart(idx)
	if err != nil {
		b.abort()
		return nil, err
	}
	m := &megatronWriter{bin: b, idx: i, element: element{4, true}, code: 4, end: w.End}
	if w.Vocabulary < 65500 {
		m.element, m.code = element{2, false}, 8
	}
	return m, nil
}

func (m *megatronWriter) document(d Document) error {
	var out []byte
	for _, id := range d.IDs {
		out = m.put(out, id)
	}
	if m.end >= 0 {
		out = m.put(out, m.end)
	}
	if len(out)/m.width > math.MaxInt32 {
		return fmt.Errorf("%d ids, Megatron's index counts up to %d", len(out)/m.width, math.MaxInt32)
	}
	m.lengths = append(m.lengths, int32(len(out)/m.width))
	_, err := m.bin.Write(out)
	return err
}

func (m *megatronWriter) commit() ([]string, error) {
	le, n := binary.LittleEndian, uint64(len(m.lengths))
	out := le.AppendUint64([]byte(megatronMagic), megatronVersion)
	out = le.AppendUint64(le.AppendUint64(append(out, m.code), n), n+1)
	for _, l := range m.lengths {
		out = le.AppendUint32(out, uint32(l))
	}
	at := uint64(0)
	for _, l := range m.lengths {
		out = le.AppendUint64(out, at)
		at += uint64(l) * uint64(m.width)
	}
	for i := range n + 1 {
		out = le.AppendUint64(out, i)
	}
	if _, err := m.idx.Write(out); err != nil {
		return nil, err
	}
	return commitAll(m.idx, m.bin)
}

func (m *megatronWriter) abort() {
	m.bin.abort()
	m.idx.abort()
}

// jsonWriter writes {"tokens": [1, 2]} lines, as InternEvo's tools do.
type jsonWriter struct{ *part }

func (j *jsonWriter) document(d Document) error {
	_, err := j.Write(idLine(d.Tokens))
	return err
}

func idLine(t Tokens) []byte {
	out := []byte(`{"tokens": [`)
	for i, id := range t.IDs {
		if i > 0 {
			out = append(out, ", "...)
		}
		if t.Prompt != nil && t.Prompt[i] {
			id = -id
		}
		out = strconv.AppendInt(out, int64(id), 10)
	}
	return append(out, "]}\n"...)
}

// internEvoWriter writes lines and their table.
type internEvoWriter struct {
	bin, meta *part
	rows      [][2]int64
	at        int64
}

func newInternEvoWriter(path string) (encoder, error) {
	b, err := newPart(path)
	if err != nil {
		return nil, err
	}
	m, err := newPart(path + ".meta")
	if err != nil {
		b.abort()
		return nil, err
	}
	return &internEvoWriter{bin: b, meta: m}, nil
}

func (w *internEvoWriter) document(d Document) error {
	line := idLine(d.Tokens)
	w.rows = append(w.rows, [2]int64{w.at, int64(len(d.IDs))})
	w.at += int64(len(line))
	_, err := w.bin.Write(line)
	return err
}

// commit writes the table with int32, as InternEvo's tool does, where that is enough.
func (w *internEvoWriter) commit() ([]string, error) {
	width, kind := 4, "<i4"
	if w.at > math.MaxInt32 {
		width, kind = 8, "<i8"
	}
	head := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%d, 2), }", kind, len(w.rows))
	for (10+len(head)+1)%64 != 0 {
		head += " "
	}
	le := binary.LittleEndian
	out := append(le.AppendUint16(append([]byte(npyMagic), 1, 0), uint16(len(head)+1)), head+"\n"...)
	for _, row := range w.rows {
		for _, v := range row {
			if width == 4 {
				out = le.AppendUint32(out, uint32(v))
			} else {
				out = le.AppendUint64(out, uint64(v))
			}
		}
	}
	if _, err := w.meta.Write(out); err != nil {
		return nil, err
	}
	return commitAll(w.meta, w.bin)
}

func (w *internEvoWriter) abort() {
	w.bin.abort()
	w.meta.abort()
}
