package tokenizer

import (
	"fmt"
	"strconv"
	"strings"
)

// modelJSON is the model of a tokenizer.json.
type modelJSON struct {
	Type           string
	dropout        float64
	unknown        string
	unknownID      int32 // Unigram; -1 for none
	prefix, suffix string
	hasPrefix      bool
	fuseUnknown    bool
	byteFallback   bool
	ignoreMerges   bool
	longestWord    int
	texts          []string
	ids            []int32
	scores         []float64
	merges         [][2]string
	hasMerges      bool
}

func readModel(j *jsonScanner) (*modelJSON, error) {
	if j.space() == 'n' {
		if _, err := j.raw(); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("model: missing")
	}
	m := &modelJSON{unknownID: -1}
	err := j.object(func(key string) (err error) {
		switch key {
		case "type":
			m.Type, err = j.text()
		case "dropout":
			m.dropout, err = optional(j, j.float)
		case "unk_token":
			m.unknown, err = optional(j, j.text)
		case "unk_id":
			if j.space() != 'n' {
				m.unknownID, err = j.id()
				return err
			}
			_, err = j.raw()
		case "continuing_subword_prefix":
			m.hasPrefix = true
			m.prefix, err = optional(j, j.text)
		case "end_of_word_suffix":
			m.suffix, err = optional(j, j.text)
		case "fuse_unk":
			m.fuseUnknown, err = optional(j, j.boolean)
		case "byte_fallback":
			m.byteFallback, err = optional(j, j.boolean)
		case "ignore_merges":
			m.ignoreMerges, err = optional(j, j.boolean)
		case "max_input_chars_per_word":
			var n int32
			n, err = j.id()
			m.longestWord = int(n)
		case "vocab":
			err = m.vocab(j)
		case "merges":
			m.hasMerges = true
			err = j.array(func(i int) error { return m.merge(j, i) })
		default:
			return fmt.Errorf("unknown field %q", key)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	if m.Type == "" { // files of before 2020 have none
		switch {
		case m.hasMerges:
			m.Type = "BPE"
		case m.scores != nil:
			m.Type = "Unigram"
		case m.hasPrefix:
			m.Type = "WordPiece"
		default:
			m.Type = "WordLevel"
		}
	}
	return m, nil
}

// optional reads a value that may be null.
func optional[T any](j *jsonScanner, read func() (T, error)) (value T, err error) {
	if j.space() == 'n' {
		_, err = j.raw()
		return value, err
	}
	return read()
}

func (j *jsonScanner) float() (float64, error) {
	n, err := j.number()
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(n, 64)
}

func (j *jsonScanner) boolean() (bool, error) {
	raw, err := j.raw()
	if err != nil {
		return false, err
	}
	switch string(raw) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("%.20q is not true or false", raw)
}

// vocab reads {"text": id} or, for Unigram, [["text", score]].
func (m *modelJSON) vocab(j *jsonScanner) error {
	if j.space() == '{' {
		return j.object(func(text string) error {
			id, err := j.id()
			m.texts, m.ids = append(m.texts, text), append(m.ids, id)
			return err
		})
	}
	m.scores = []float64{}
	return j.array(func(i int) error {
		m.ids = append(m.ids, int32(i))
		return j.array(func(k int) error {
			var err error
			switch k {
			case 0:
				var text string
				text, err = j.text()
				m.texts = append(m.texts, text)
			case 1:
				var score float64
				score, err = j.float()
				m.scores = append(m.scores, score)
			default:
				err = j.fail("two values, a text and a score")
			}
			return err
		})
	})
}

// merge reads "a b" (older files) or ["a", "b"].
func (m *modelJSON) merge(j *jsonScanner, i int) error {
	if j.space() == '[' {
		var pair []string
		err := j.array(func(int) error {
			text, err := j.text()
			pair = append(pair, text)
			return err
		})
		if err == nil && (len(pair) != 2 || pair[0] == "" || pair[1] == "") {
			err = fmt.Errorf("merges: merge %d: %q is not a pair of tokens", i, pair)
		}
		if err == nil {
			m.merges = append(m.merges, [2]string{pair[0], pair[1]})
		}
		return err
	}
	one, err := j.text()
	if err != nil {
		return err
	}
	left, right, ok := strings.Cut(one, " ")
	if !ok || left == "" || right == "" || strings.Contains(right, " ") {
		return fmt.Errorf("merges: merge %d: %q is not two tokens with a space between", i, one)
	}
	m.merges = append(m.merges, [2]string{left, right})
	return nil
}

// fill sets the model of d, whose tokens, steps and normalisations are there.
func (m *modelJSON) fill(d *Definition) error {
	d.Unknown = m.unknown
	switch m.Type {
	case "BPE":
		if m.dropout != 0 {
			return fmt.Errorf("model.dropout: %v is not implemented; ids would be random", m.dropout)
		}
		d.Merges, d.IgnoreMerges = m.merges, m.ignoreMerges
		d.FuseUnknown, d.ByteFallback = m.fuseUnknown, m.byteFallback
		d.ContinuingPrefix, d.WordSuffix = m.prefix, m.suffix
		d.Model = BPE
		if d.bytesEnough() {
			d.Model, d.Unknown, d.FuseUnknown, d.ByteFallback = ByteBPE, "", false, false
		}
	case "Unigram":
		d.Model, d.FuseUnknown, d.ByteFallback = Unigram, true, m.byteFallback
		if len(m.texts) != len(m.scores) || len(m.texts) != len(m.ids) {
			return fmt.Errorf("model.vocab: every entry must be a text and a score")
		}
		if m.unknownID >= 0 {
			if int(m.unknownID) >= len(m.texts) || m.texts[m.unknownID] == "" {
				return fmt.Errorf("model.unk_id: %d is not in the vocabulary of %d", m.unknownID, len(m.texts))
			}
			d.Unknown = m.texts[m.unknownID]
		}
	case "WordPiece":
		d.Model, d.ContinuingPrefix, d.LongestWord = WordPiece, m.prefix, m.longestWord
		if !m.hasPrefix {
			d.ContinuingPrefix = "##"
		}
		if d.LongestWord == 0 {
			d.LongestWord = 100
		}
	case "WordLevel":
		d.Model = WordLevel
	default:
		return fmt.Errorf("model.type: %q is not implemented; BPE, Unigram, WordPiece and WordLevel are", m.Type)
	}
	if d.Unknown != "" && d.Model != Unigram {
		found := false
		for _, text := range m.texts {
			found = found || text == d.Unknown
		}
		if !found { // the reference fails when it meets something unknown
			d.Unknown = ""
		}
	}
	return nil
}

// bytesEnough tells whether BPE over the byte-level alphabet is the same as BPE over
// bytes: the last step of splitting writes the alphabet, and nothing else is asked.
func (d *Definition) bytesEnough() bool {
	if d.ContinuingPrefix != "" || d.WordSuffix != "" || len(d.Steps) == 0 {
		return false
	}
	for i, s := range d.Steps {
		if (s.Kind == ByteLevelStep) != (i == len(d.Steps)-1) {
			return false
		}
	}
	if d.Unknown == "" && !d.ByteFallback {
		return true
	}
	have := make(map[string]bool, 512)
	for _, text := range d.Tokens {
		if len(text) <= 2 {
			have[text] = true
		}
	}
	for _, symbol := range Alphabet() {
		if !have[symbol] {
			return false
		}
	}
	return true
}
