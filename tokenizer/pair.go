package tokenizer

import (
	"fmt"
	"strings"
)

// pair reads a vocab.json and a merges.txt: byte-level BPE as the class of the
// config splits text, GPT-2's way where there is no config.
func (c *configJSON) pair(vocab, merges []byte) (*Tokenizer, error) {
	m := &modelJSON{Type: "BPE", unknownID: -1}
	j := &jsonScanner{s: string(vocab)}
	if err := m.vocab(j); err != nil {
		return nil, err
	}
	for i, line := range strings.Split(string(merges), "\n") {
		line = strings.TrimRight(line, "\r")
		if line == "" || strings.HasPrefix(line, "#version") {
			continue
		}
		left, right, ok := strings.Cut(line, " ")
		if !ok || left == "" || right == "" || strings.Contains(right, " ") {
			return nil, fmt.Errorf("merges.txt:%d: %q is not two tokens with a space between", i+1, line)
		}
		m.merges = append(m.merges, [2]string{left, right})
	}
	d := &Definition{}
	if err := (&file{model: m}).tokens(d); err != nil {
		return nil, err
	}
	notes := []string(nil)
	if c == nil {
		c = &configJSON{Class: "GPT2Tokenizer"}
		notes = append(notes, "there is no tokenizer_config.json beside the vocabulary; text is split as GPT-2 does")
	}
	prefix := yes(c.PrefixSpace, false)
	gpt2 := Step{Kind: ByteLevelStep, Pattern: PatternGPT2, PrefixSpace: prefix}
	switch c.class() {
	case "GPT2Tokenizer", "CodeGenTokenizer", "WhisperTokenizer", "GPTNeoXTokenizer", "BlenderbotTokenizer", "":
		d.Steps = []Step{gpt2}
	case "Qwen2Tokenizer":
		d.Normalize = []Normalization{{Kind: NFC}}
		d.Steps = []Step{{Kind: Split, Pattern: PatternQwen2}, {Kind: ByteLevelStep}}
	case "RobertaTokenizer", "BartTokenizer", "LongformerTokenizer", "LEDTokenizer", "MvpTokenizer":
		d.Steps = []Step{gpt2}
		c.BOS, c.EOS = or(c.BOS, "<s>"), or(c.EOS, "</s>")
		d.TrimOffsets, d.KeepFirstSpace = true, prefix
	default:
		return nil, fmt.Errorf("tokenizer_config.json: tokenizer_class %q is not known for vocab.json and merges.txt; GPT2Tokenizer, Qwen2Tokenizer and RobertaTokenizer and their relatives are", c.Class)
	}
	if len(c.specials()) == 0 && len(c.Added) == 0 {
		c.EOS = "<|endoftext|>"
	}
	if err := c.add(d); err != nil {
		return nil, err
	}
	if d.TrimOffsets {
		d.Before, d.After = d.find(or(c.CLS, c.BOS)), d.find(or(c.Sep, c.EOS))
	} else {
		if yes(c.AddBOS, false) {
			d.Before = d.find(c.BOS)
		}
		if yes(c.AddEOS, false) {
			d.After = d.find(c.EOS)
		}
	}
	d.Decode = []Decoding{{Kind: ByteLevelDecoding}}
	if err := m.fill(d); err != nil {
		return nil, err
	}
	t, err := New(*d)
	if err != nil {
		return nil, err
	}
	t.notes = append(t.notes, notes...)
	return t, nil
}

func or(text, usual tokenText) tokenText {
	if text == "" {
		return usual
	}
	return text
}
