package checkpoint

import (
	"fmt"
	"slices"
	"strings"

	"lian/dtype"
	"lian/format"
)

// mxfp4 is a source whose tensors NAME_blocks and NAME_scales are one tensor NAME of MXFP4, as gpt-oss is published. The values are
// the same: of a block's 32, the file has numbers 2i and 2i + 1 in byte i, dtype.MXFP4 numbers i and i + 16. Sources: OCP
// Microscaling Formats 1.0; transformers, integrations/mxfp4.py; ggml-quants.c.
type mxfp4 struct {
	format.Reader
	last string // the tensor made last: its parameters are asked for one after the other
	data []byte
}

const mxBlocks, mxScales = "_blocks", "_scales"

// Names implements format.Reader.
func (m *mxfp4) Names() (names []string) {
	for _, n := range m.Reader.Names() {
		if base, ok := strings.CutSuffix(n, mxScales); ok && m.has(base) {
			continue
		}
		if base, ok := strings.CutSuffix(n, mxBlocks); ok && m.has(base) {
			n = base
		}
		names = append(names, n)
	}
	return names
}

func (m *mxfp4) has(base string) bool {
	_, blocks := m.Reader.Info(base + mxBlocks)
	_, scales := m.Reader.Info(base + mxScales)
	return blocks && scales
}

// Info implements format.Reader.
func (m *mxfp4) Info(name string) (format.Info, bool) {
	blocks, ok := m.Reader.Info(name + mxBlocks)
	if !ok || !m.has(name) {
		return m.Reader.Info(name)
	}
	shape := slices.Clone(blocks.Shape)
	if n := len(shape); n > 2 { // what does not fit is found when it is read
		shape = append(shape[:n-2:n-2], shape[n-2]*32)
	}
	bytes, err := dtype.TensorBytes(dtype.MXFP4, shape)
	if err != nil {
		return format.Info{}, false
	}
	return format.Info{Name: name, Type: dtype.MXFP4, Shape: shape, Bytes: int64(bytes)}, true
}

// Data implements format.Reader.
func (m *mxfp4) Data(name string) ([]byte, error) {
	if !m.has(name) {
		return m.Reader.Data(name)
	}
	if m.last == name {
		return m.data, nil
	}
	blocks, _ := m.Reader.Info(name + mxBlocks)
	scales, _ := m.Reader.Info(name + mxScales)
	n := len(blocks.Shape)
	if blocks.Type != dtype.U8 || scales.Type != dtype.U8 || n < 3 || blocks.Shape[n-1] != 16 || !slices.Equal(blocks.Shape[:n-1], scales.Shape) {
		return nil, fmt.Errorf("tensors %s and %s%s: expected u8 [… 16] and u8 of the same shape without the last axis", blocks, name, mxScales)
	}
	codes, err := m.Reader.Data(name + mxBlocks)
	if err != nil {
		return nil, err
	}
	exponents, err := m.Reader.Data(name + mxScales)
	if err != nil {
		return nil, err
	}
	const block = 17 // of dtype.MXFP4: an exponent and 16 bytes of codes
	out := make([]byte, block*len(exponents))
	for b, e := range exponents {
		from, to := codes[16*b:16*b+16], out[block*b:block*b+block]
		to[0] = e
		for i := range 8 {
			low, high := from[i], from[i+8] // values 2i, 2i+1 and 2i+16, 2i+17
			to[1+2*i] = low&15 | high<<4
			to[2+2*i] = low>>4 | high&0xf0
		}
	}
	m.last, m.data = name, out
	return out, nil
}
