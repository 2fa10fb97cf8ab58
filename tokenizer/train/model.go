package train

import (
	"encoding/binary"
	"math"

	"lian/tokenizer"
)

// Model is the vocabulary as a .model file that sentencepiece opens. Source:
// sentencepiece_model.proto.
func (r *SentencePiece) Model() []byte {
	o := &r.options
	var m message
	for _, p := range r.pieces {
		var piece message
		piece.text(1, p.text)
		piece.float(2, float64(p.score))
		if p.role != tokenizer.Ordinary {
			piece.number(3, int(p.role))
		}
		m.bytes(1, piece)
	}
	var t message
	kind := 2
	if o.Model == tokenizer.Unigram {
		kind = 1
	}
	t.number(3, kind)
	t.number(4, len(r.pieces))
	t.float(10, o.CharacterCoverage)
	t.number(14, o.SeedSize)
	t.float(15, o.ShrinkingFactor)
	t.number(17, o.SubIterations)
	if o.MaxSentenceLength > 0 {
		t.number(18, o.MaxSentenceLength)
	}
	t.number(20, o.MaxPieceLength)
	t.flag(21, o.SplitByScript)
	t.flag(22, o.SplitByWhitespace)
	t.flag(23, o.SplitByNumber)
	t.flag(24, o.WhitespaceAsSuffix)
	t.flag(25, o.SplitDigits)
	t.flag(26, o.WhitespaceOnlyPieces)
	for _, text := range o.Control {
		t.text(30, text)
	}
	for _, text := range o.UserDefined {
		t.text(31, text)
	}
	t.flag(33, false) // hard_vocab_limit: a text may be too short for it
	t.flag(35, o.ByteFallback)
	if o.RequiredChars != "" {
		t.text(36, o.RequiredChars)
	}
	for i, id := range []int{o.UnkID, o.BosID, o.EosID, o.PadID} {
		t.number(40+i, id)
	}
	t.text(44, unknownSurface)
	for i, text := range []string{o.UnkPiece, o.BosPiece, o.EosPiece, o.PadPiece} {
		t.text(45+i, text)
	}
	m.bytes(2, t)
	var n message
	n.text(1, o.Normalizer)
	n.bytes(2, r.charmap)
	n.flag(3, o.AddDummyPrefix)
	n.flag(4, o.RemoveExtraWhitespaces)
	n.flag(5, true)
	m.bytes(3, n)
	return m
}

// message is a protocol buffer message that is being written.
type message []byte

func (m *message) key(field, kind int) { *m = binary.AppendUvarint(*m, uint64(field<<3|kind)) }

func (m *message) number(field, n int) {
	m.key(field, 0)
	*m = binary.AppendUvarint(*m, uint64(int64(n)))
}

func (m *message) flag(field int, on bool) {
	n := 0
	if on {
		n = 1
	}
	m.number(field, n)
}

func (m *message) float(field int, x float64) {
	m.key(field, 5)
	*m = binary.LittleEndian.AppendUint32(*m, math.Float32bits(float32(x)))
}

func (m *message) bytes(field int, b []byte) {
	m.key(field, 2)
	*m = append(binary.AppendUvarint(*m, uint64(len(b))), b...)
}

func (m *message) text(field int, s string) { m.bytes(field, []byte(s)) }
