package tokenizer

import (
	"fmt"
	"strings"
)

// sentenceModel is what a sentencepiece .model says. Source: sentencepiece,
// sentencepiece_model.proto.
type sentenceModel struct {
	pieces    []string
	scores    []float64
	roles     []Role
	modelType uint64 // 1 unigram, 2 BPE, 3 words, 4 characters
	fallback  bool
	suffix    bool // treat_whitespace_as_suffix
	unknown   string
	bos, eos  int64
	normal    sentenceSpec
	denormal  *sentenceSpec
}

type sentenceSpec struct {
	charsmap               []byte
	dummy, extra, escaping bool
}

// ParseSentencePiece reads a sentencepiece .model: BPE, unigram, words or characters.
// Encoding and decoding equal sentencepiece's; control tokens are recognised in text
// where the caller allows it, which sentencepiece never does.
func ParseSentencePiece(data []byte) (*Tokenizer, error) {
	d, err := sentencePieceDefinition(data)
	if err != nil {
		return nil, fmt.Errorf("sentencepiece model: %w", err)
	}
	t, err := New(*d)
	if err != nil {
		return nil, fmt.Errorf("sentencepiece model: %w", err)
	}
	return t, nil
}

func sentencePieceDefinition(data []byte) (*Definition, error) {
	m := &sentenceModel{modelType: 1, unknown: " \u2047 ", bos: 1, eos: 2, normal: sentenceSpec{dummy: true, extra: true, escaping: true}}
	if err := wireFields(data, m.field); err != nil {
		return nil, err
	}
	if len(m.pieces) == 0 {
		return nil, fmt.Errorf("no pieces in it; expected a ModelProto of sentencepiece")
	}
	if m.denormal != nil && len(m.denormal.charsmap) > 0 {
		return nil, fmt.Errorf("denormalizer_spec.precompiled_charsmap: not implemented")
	}
	return m.definition()
}

func (m *sentenceModel) field(f wireField) error {
	switch f.number {
	case 1:
		if err := f.want(2); err != nil {
			return fmt.Errorf("pieces: %w", err)
		}
		return m.piece(f.bytes)
	case 2:
		if err := f.want(2); err != nil {
			return fmt.Errorf("trainer_spec: %w", err)
		}
		return wireFields(f.bytes, m.trainer)
	case 3:
		if err := f.want(2); err != nil {
			return fmt.Errorf("normalizer_spec: %w", err)
		}
		return m.normal.read(f.bytes)
	case 5:
		if err := f.want(2); err != nil {
			return fmt.Errorf("denormalizer_spec: %w", err)
		}
		m.denormal = &sentenceSpec{}
		return m.denormal.read(f.bytes)
	}
	return nil // self_test_data and extensions change no ids
}

func (m *sentenceModel) piece(data []byte) error {
	text, score, role := "", 0.0, Ordinary
	err := wireFields(data, func(f wireField) error {
		switch f.number {
		case 1:
			text = string(f.bytes)
			return f.want(2)
		case 2:
			score = f.float()
			return f.want(5)
		case 3:
			if f.value < 1 || f.value > 6 {
				return fmt.Errorf("type %d; expected 1 to 6", f.value)
			}
			role = Role(f.value)
			return f.want(0)
		}
		return nil
	})
	if err == nil && text == "" {
		err = fmt.Errorf("the text is empty")
	}
	if err != nil {
		return fmt.Errorf("piece %d: %w", len(m.pieces), err)
	}
	m.pieces, m.scores, m.roles = append(m.pieces, text), append(m.scores, score), append(m.roles, role)
	return nil
}

// trainer reads the fields of TrainerSpec that matter for using the model.
func (m *sentenceModel) trainer(f wireField) error {
	kind := 0
	switch f.number {
	case 3:
		m.modelType = f.value
	case 24:
		m.suffix = f.value != 0
	case 35:
		m.fallback = f.value != 0
	case 41:
		m.bos = int64(int32(f.value))
	case 42:
		m.eos = int64(int32(f.value))
	case 44:
		m.unknown, kind = string(f.bytes), 2
	default:
		return nil
	}
	if err := f.want(kind); err != nil {
		return fmt.Errorf("trainer_spec: %w", err)
	}
	return nil
}

func (s *sentenceSpec) read(data []byte) error {
	return wireFields(data, func(f wireField) error {
		kind := 0
		switch f.number {
		case 2:
			s.charsmap, kind = append([]byte(nil), f.bytes...), 2
		case 3:
			s.dummy = f.value != 0
		case 4:
			s.extra = f.value != 0
		case 5:
			s.escaping = f.value != 0
		default:
			return nil
		}
		if err := f.want(kind); err != nil {
			return fmt.Errorf("normalizer_spec: %w", err)
		}
		return nil
	})
}

func (m *sentenceModel) definition() (*Definition, error) {
	d := &Definition{Tokens: m.pieces, Scores: m.scores, Roles: m.roles, ByteFallback: m.fallback, FuseUnknown: !m.fallback, Float32: true}
	switch m.modelType {
	case 1:
		d.Model = Unigram
	case 2:
		d.Model = ScoreBPE
	case 3:
		d.Model = Words
	case 4:
		d.Model = Characters
	default:
		return nil, fmt.Errorf("trainer_spec.model_type: %d is not known; 1 (unigram) to 4 (characters) are", m.modelType)
	}
	bytes := 0
	for id, role := range m.roles {
		text := m.pieces[id]
		switch role {
		case UnknownRole:
			if d.Unknown != "" {
				return nil, fmt.Errorf("pieces: %q and %q are both the unknown piece", d.Unknown, text)
			}
			d.Unknown = text
			d.Added = append(d.Added, Added{ID: int32(id), Text: text, Special: true})
		case Control:
			d.Added = append(d.Added, Added{ID: int32(id), Text: text, Special: true})
		case ByteRole:
			if _, ok := byteToken(text); !ok || !m.fallback {
				return nil, fmt.Errorf("piece %d: %q is of type BYTE; expected <0x00> to <0xFF> and byte_fallback", id, text)
			}
			bytes++
		}
	}
	if d.Unknown == "" {
		return nil, fmt.Errorf("pieces: none is the unknown piece")
	}
	if m.fallback && bytes != 256 {
		return nil, fmt.Errorf("pieces: %d byte pieces; expected 256 with byte_fallback", bytes)
	}
	d.Normalize = []Normalization{{Kind: SentencePieceText, Map: m.normal.charsmap, DummyPrefix: m.normal.dummy,
		RemoveExtraSpaces: m.normal.extra, EscapeSpaces: m.normal.escaping, SpaceIsSuffix: m.suffix}}
	d.Decode = []Decoding{{Kind: SentencePieceDecoding, Unknown: m.unknown, Prepended: m.normal.dummy || m.normal.extra, DropAll: m.normal.extra}}
	control := func(id int64) []int32 {
		if id < 0 || id >= int64(len(m.roles)) || m.roles[id] != Control {
			return nil
		}
		return []int32{int32(id)}
	}
	d.BOS, d.EOS = control(m.bos), control(m.eos)
	return d, nil
}

// NBest gives the ids of the n best ways to encode text with a unigram model, best
// first; control tokens in text are plain text.
func (t *Tokenizer) NBest(text string, n int) ([][]int32, error) {
	m, ok := t.model.(*unigram)
	if !ok {
		return nil, fmt.Errorf("%s has one way to encode a text; only unigram models have several", t.def.Model)
	}
	t.prepare()
	p := passage{s: text}
	for _, f := range t.normal {
		f(&p)
	}
	if strings.TrimSpace(p.s) == "" && p.s == "" {
		return [][]int32{{}}, nil
	}
	return m.nbest(p.s, n), nil
}
