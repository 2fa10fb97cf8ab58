package step

import (
	"fmt"
	"strconv"

	"lian/tokenizer"
)

// EncodedText is a text as token ids.
type EncodedText struct {
	Text          string        `json:"text"`
	IDs           []int32       `json:"ids"`
	Mask          []int32       `json:"attention_mask,omitempty"`
	Overflowing   [][]int32     `json:"overflowing,omitempty"`
	Pieces        []EncodedPart `json:"pieces,omitempty"`
	BytesPerToken float64       `json:"bytes_per_token"`
}

// EncodedPart is a token of a text and the bytes it came from.
type EncodedPart struct {
	ID    int32  `json:"id"`
	Start int    `json:"start"`
	End   int    `json:"end"`
	Text  string `json:"text"`
}

// EncodeOptions are the settings of lian tokenizer encode.
type EncodeOptions struct {
	Special          bool   `yaml:"special" help:"recognise special tokens in the text"`
	AddSpecial       bool   `yaml:"add_special" help:"put the tokens around the text that the model expects, such as BOS"`
	BOS              bool   `yaml:"bos" help:"put the BOS token before the text"`
	EOS              bool   `yaml:"eos" help:"put the EOS token after the text"`
	Truncate         bool   `yaml:"truncate" help:"cut as the tokenizer's file asks"`
	MaxLength        int    `yaml:"max_length" help:"cut to so many tokens, those around the text included; the rest comes out as overflowing; 0 cuts nothing" default:"0" range:"0..16777216"`
	Stride           int    `yaml:"stride" help:"tokens that overlap from one cut piece to the next" default:"0" range:"0..16777216"`
	TruncateSide     string `yaml:"truncate_side" help:"side that is cut" default:"right" range:"right|left"`
	TruncateStrategy string `yaml:"truncate_strategy" help:"which of text and pair is cut" default:"longest-first" range:"longest-first|only-first|only-second"`
	PadTo            string `yaml:"pad_to" help:"pad to so many tokens: a number, longest (of all lines) or file (as the tokenizer's file asks)"`
	PadMultiple      int    `yaml:"pad_multiple" help:"pad to a multiple of so many tokens; 0 does not" default:"0" range:"0..16777216"`
	PadSide          string `yaml:"pad_side" help:"side that is padded" default:"right" range:"right|left"`
	PadID            int    `yaml:"pad_id" help:"id to pad with; -1 is that of the tokenizer's file" default:"-1" range:"-1..2147483647"`
	Pieces           bool   `yaml:"pieces" help:"show each token with its place"`
	Offsets          string `yaml:"offsets" help:"JSON lines: the place of each token" default:"none" range:"none|bytes|chars"`
	NBest            int    `yaml:"nbest" help:"JSON lines: so many best ways to encode (unigram models)" default:"0" range:"0..1024"`
	Lines            bool   `yaml:"lines" help:"each line is a text of its own"`
	JSONL            bool   `yaml:"jsonl" help:"each line is a JSON object with text, base64 or hex, and pair for a second text; one comes out for each, in order"`
}

// TextEncoder encodes texts by one set of options.
type TextEncoder struct {
	options  EncodeOptions
	tok      *tokenizer.Tokenizer
	cut      *tokenizer.Truncation
	padding  *tokenizer.Padding
	longest  bool // pads to the longest of all texts, which somebody has to look for
	template [2][]tokenizer.Part
}

// NewTextEncoder looks whether the options go together and with the tokenizer.
func NewTextEncoder(tok *tokenizer.Tokenizer, o EncodeOptions) (*TextEncoder, error) {
	e := &TextEncoder{options: o, tok: tok}
	if o.Truncate && o.MaxLength > 0 {
		return nil, fmt.Errorf("--truncate cuts as the tokenizer's file asks and --max-length to %d tokens; give one of them", o.MaxLength)
	}
	if o.Stride > 0 && o.MaxLength == 0 {
		return nil, fmt.Errorf("--stride %d is how cut pieces overlap, and nothing is cut; give --max-length too", o.Stride)
	}
	if o.Truncate {
		e.cut = tok.Truncation()
	}
	if o.MaxLength > 0 {
		strategy := map[string]string{"only-first": "OnlyFirst", "only-second": "OnlySecond"}[o.TruncateStrategy]
		if strategy == "" {
			strategy = "LongestFirst"
		}
		e.cut = &tokenizer.Truncation{MaxLength: o.MaxLength, Stride: o.Stride, Strategy: strategy, Direction: side(o.TruncateSide)}
	}
	for i := range e.template {
		e.template[i] = e.parts(i == 1)
	}
	return e, e.setPadding()
}

// side is a side as tokenizer.json writes it.
func side(name string) string {
	if name == "left" {
		return "Left"
	}
	return "Right"
}

// parts is the template of one text or two, with --bos and --eos around all of it.
func (e *TextEncoder) parts(two bool) []tokenizer.Part {
	parts := e.tok.Template(two, e.options.AddSpecial)
	bos, eos := e.tok.Edges()
	if e.options.BOS && !(e.options.AddSpecial && parts[0].Text == 0) {
		parts = append([]tokenizer.Part{{IDs: bos, Type: parts[0].Type}}, parts...)
	}
	if last := len(parts) - 1; e.options.EOS && !(e.options.AddSpecial && parts[last].Text == 0) {
		parts = append(parts, tokenizer.Part{IDs: eos, Type: parts[last].Type})
	}
	return parts
}

func (e *TextEncoder) setPadding() error {
	o, file := &e.options, e.tok.Padding()
	p := tokenizer.Padding{Multiple: o.PadMultiple, Direction: side(o.PadSide), ID: int32(o.PadID)}
	switch o.PadTo {
	case "":
		if o.PadMultiple == 0 {
			return nil
		}
	case "longest":
		e.longest = true
	case "file":
		if file == nil {
			return fmt.Errorf("--pad-to file: the tokenizer's file asks for no padding; give a number or longest")
		}
		p = *file
		e.longest = p.Length == 0
		if o.PadID >= 0 {
			p.ID = int32(o.PadID)
		}
	default:
		n, err := strconv.ParseUint(o.PadTo, 10, 24)
		if err != nil {
			return fmt.Errorf("--pad-to %s: expected a number of tokens up to 16777215, longest or file", o.PadTo)
		}
		p.Length = int(n)
	}
	if p.ID < 0 {
		if file == nil {
			return fmt.Errorf("the tokenizer's file does not say which token pads; give --pad-id")
		}
		p.ID, p.Type = file.ID, file.Type
	}
	if int(p.ID) >= e.tok.VocabSize() {
		return fmt.Errorf("--pad-id %d is outside the vocabulary of %d", p.ID, e.tok.VocabSize())
	}
	e.padding = &p
	return nil
}

// encode is one text or two, padded unless that takes the longest of all texts.
func (e *TextEncoder) encode(texts ...string) (tokenizer.Encoding, error) {
	var special func(int, int) bool
	if e.options.Special {
		special = func(int, int) bool { return true }
	}
	tokens := make([][]tokenizer.Token, len(texts))
	for i, text := range texts {
		tokens[i] = e.tok.EncodeReference(text, special)
	}
	out, err := e.tok.Assemble(e.template[len(texts)-1], e.cut, tokens...)
	if err == nil && e.padding != nil && !e.longest {
		one := []tokenizer.Encoding{out}
		e.padding.Pad(one)
		out = one[0]
	}
	return out, err
}

// Texts gives the ids of texts.
func (e *TextEncoder) Texts(texts []string) ([]EncodedText, error) {
	batch := make([]tokenizer.Encoding, len(texts))
	for i, text := range texts {
		var err error
		if batch[i], err = e.encode(text); err != nil {
			return nil, fmt.Errorf("text %d: %w", i+1, err)
		}
	}
	if e.longest {
		e.padding.Pad(batch)
	}
	out := make([]EncodedText, len(texts))
	for i, text := range texts {
		out[i] = e.told(text, &batch[i])
	}
	return out, nil
}

func (e *TextEncoder) told(text string, in *tokenizer.Encoding) EncodedText {
	out := EncodedText{Text: text, IDs: in.IDs()}
	if e.padding != nil {
		out.Mask = in.Mask
	}
	if e.options.MaxLength > 0 {
		out.Overflowing = overflowing(in, (*tokenizer.Encoding).IDs)
	}
	for _, t := range in.Tokens {
		if e.options.Pieces {
			out.Pieces = append(out.Pieces, EncodedPart{t.ID, t.Start, t.End, string(e.tok.TokenBytes(t.ID))})
		}
	}
	if len(out.IDs) > 0 {
		out.BytesPerToken = float64(len(text)) / float64(len(out.IDs))
	}
	return out
}

// overflowing is something of each overflowing piece.
func overflowing[T any](e *tokenizer.Encoding, of func(*tokenizer.Encoding) T) []T {
	out := make([]T, len(e.Overflowing))
	for i := range out {
		out[i] = of(&e.Overflowing[i])
	}
	return out
}
