package tokenizer

import (
	"encoding/json"
	"fmt"
)

// patternJSON is a pattern as Split and Replace have it.
type patternJSON struct {
	Regex  *string `json:"Regex"`
	String *string `json:"String"`
}

func (p patternJSON) read() (text string, literal bool, err error) {
	switch {
	case p.Regex != nil && p.String == nil:
		return *p.Regex, false, nil
	case p.String != nil && p.Regex == nil:
		return *p.String, true, nil
	}
	return "", false, fmt.Errorf("pattern: expected Regex or String")
}

// normalizations reads the normaliser.
func normalizations(data json.RawMessage) (out []Normalization, err error) {
	for i, n := range sequence(data, "normalizers") {
		if typeOf(n) == "Sequence" {
			inner, err := normalizations(n)
			if err != nil {
				return nil, err
			}
			out = append(out, inner...)
			continue
		}
		one, err := normalization(n)
		if err != nil {
			return nil, fmt.Errorf("normalizer: step %d: %w", i+1, err)
		}
		out = append(out, one)
	}
	return out, nil
}

func normalization(data json.RawMessage) (Normalization, error) {
	n := Normalization{Kind: NormalizationKind(typeOf(data))}
	var s struct {
		Type         string       `json:"type"`
		StripLeft    *bool        `json:"strip_left"`
		StripRight   *bool        `json:"strip_right"`
		Prepend      *string      `json:"prepend"`
		Pattern      *patternJSON `json:"pattern"`
		Content      *string      `json:"content"`
		CharsMap     *[]byte      `json:"precompiled_charsmap"`
		CleanText    *bool        `json:"clean_text"`
		Chinese      *bool        `json:"handle_chinese_chars"`
		StripAccents *bool        `json:"strip_accents"`
		Lowercase    *bool        `json:"lowercase"`
	}
	if err := strict(data, &s); err != nil {
		return n, err
	}
	or := func(b *bool, usual bool) bool {
		if b == nil {
			return usual
		}
		return *b
	}
	switch n.Kind {
	case NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Nmt, ByteLevelText:
	case StripSpaces:
		n.Left, n.Right = or(s.StripLeft, true), or(s.StripRight, true)
	case Prepend:
		if s.Prepend == nil {
			return n, fmt.Errorf("Prepend: prepend is missing")
		}
		n.Content = *s.Prepend
	case Replace:
		if s.Pattern == nil || s.Content == nil {
			return n, fmt.Errorf("Replace: pattern or content is missing")
		}
		var err error
		n.Content = *s.Content
		n.Pattern, n.Literal, err = s.Pattern.read()
		return n, err
	case Precompiled:
		if s.CharsMap != nil {
			n.Map = *s.CharsMap
		}
	case Bert:
		n.CleanText, n.ChineseCharacters, n.Lowercase = or(s.CleanText, true), or(s.Chinese, true), or(s.Lowercase, true)
		n.StripAccents = or(s.StripAccents, n.Lowercase)
	default:
		return n, fmt.Errorf("%q is not implemented", n.Kind)
	}
	return n, nil
}

// steps appends the steps of one pre-tokeniser.
func steps(data json.RawMessage, at string, out *[]Step) error {
	if null(data) {
		return nil
	}
	if kind := typeOf(data); kind == "Sequence" {
		var s struct {
			Type          string            `json:"type"`
			PreTokenizers []json.RawMessage `json:"pretokenizers"`
		}
		if err := strict(data, &s); err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		for i, one := range s.PreTokenizers {
			if err := steps(one, fmt.Sprintf("%s.pretokenizers[%d]", at, i), out); err != nil {
				return err
			}
		}
		return nil
	}
	s, err := step(data)
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	*out = append(*out, s)
	return nil
}

type byteLevelJSON struct {
	Type           string `json:"type"`
	AddPrefixSpace bool   `json:"add_prefix_space"`
	TrimOffsets    bool   `json:"trim_offsets"`
	UseRegex       bool   `json:"use_regex"`
}

func step(data json.RawMessage) (Step, error) {
	kind := StepKind(typeOf(data))
	s := Step{Kind: kind}
	switch kind {
	case ByteLevelStep:
		b := byteLevelJSON{AddPrefixSpace: true, UseRegex: true}
		if err := strict(data, &b); err != nil {
			return s, err
		}
		s.PrefixSpace = b.AddPrefixSpace
		if b.UseRegex {
			s.Pattern = PatternGPT2
		}
		return s, nil
	case Split:
		return splitStep(data)
	case Metaspace:
		return metaspaceStep(data)
	}
	var f struct {
		Type       string   `json:"type"`
		Individual *bool    `json:"individual_digits"`
		Behavior   Behavior `json:"behavior"`
		Delimiter  string   `json:"delimiter"`
		Length     *int     `json:"length"`
	}
	if err := strict(data, &f); err != nil {
		return s, err
	}
	switch kind {
	case Digits:
		s.Individual = f.Individual != nil && *f.Individual
	case Whitespace, WhitespaceSplit, BertStep, UnicodeScripts:
	case Punctuation:
		s.Behavior = f.Behavior
		if !s.Behavior.known() {
			return s, fmt.Errorf("behavior %q is not known", s.Behavior)
		}
	case Delimiter, "Delimiter":
		s.Kind, s.Literal = Delimiter, f.Delimiter
	case FixedLength:
		if s.Length = 5; f.Length != nil {
			s.Length = *f.Length
		}
	default:
		return s, fmt.Errorf("%q is not implemented", kind)
	}
	return s, nil
}

func (b Behavior) known() bool {
	switch b {
	case "", Isolated, Removed, MergedWithNext, MergedWithPrevious, Contiguous:
		return true
	}
	return false
}

func splitStep(data json.RawMessage) (Step, error) {
	var s struct {
		Type     string      `json:"type"`
		Pattern  patternJSON `json:"pattern"`
		Behavior Behavior    `json:"behavior"`
		Invert   bool        `json:"invert"`
	}
	if err := strict(data, &s); err != nil {
		return Step{}, err
	}
	out := Step{Kind: Split, Behavior: s.Behavior, Invert: s.Invert}
	text, literal, err := s.Pattern.read()
	if err != nil {
		return out, err
	}
	if text == "" {
		return out, fmt.Errorf("pattern: empty")
	}
	if !s.Behavior.known() {
		return out, fmt.Errorf("behavior %q is not known", s.Behavior)
	}
	if literal {
		out.Literal = text
	} else {
		out.Pattern = text
	}
	// The two ways to say the same, where the pattern matches everything.
	if covers[text] && (s.Behavior == Removed && s.Invert || s.Behavior == Isolated) {
		out.Behavior, out.Invert = "", false
	}
	return out, nil
}

type metaspaceJSON struct {
	Type           string  `json:"type"`
	Replacement    string  `json:"replacement"`
	AddPrefixSpace *bool   `json:"add_prefix_space"`
	PrependScheme  *string `json:"prepend_scheme"`
	Split          *bool   `json:"split"`
	StrRep         *string `json:"str_rep"`
}

// scheme is which pieces get a blank before them.
func (m *metaspaceJSON) scheme() (string, error) {
	scheme := "always"
	if m.PrependScheme != nil {
		scheme = *m.PrependScheme
	}
	if m.AddPrefixSpace != nil && !*m.AddPrefixSpace {
		if m.PrependScheme != nil && scheme != "never" {
			return "", fmt.Errorf("add_prefix_space is false, but prepend_scheme is %q", scheme)
		}
		scheme = "never"
	}
	switch scheme {
	case "first", "always", "never":
		return scheme, nil
	}
	return "", fmt.Errorf("prepend_scheme: %q is not first, always or never", scheme)
}

func metaspaceStep(data json.RawMessage) (Step, error) {
	var m metaspaceJSON
	if err := strict(data, &m); err != nil {
		return Step{}, err
	}
	scheme, err := m.scheme()
	return Step{Kind: Metaspace, Literal: m.Replacement, Prepend: scheme, Whole: m.Split != nil && !*m.Split}, err
}

// decodings appends the steps of one decoder.
func decodings(data json.RawMessage, at string, out []Decoding) ([]Decoding, error) {
	for _, one := range sequence(data, "decoders") {
		var err error
		if typeOf(one) == "Sequence" {
			if out, err = decodings(one, at, out); err != nil {
				return nil, err
			}
			continue
		}
		d, err := decoding(one)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", at, err)
		}
		out = append(out, d)
	}
	return out, nil
}

func decoding(data json.RawMessage) (Decoding, error) {
	d := Decoding{Kind: DecodingKind(typeOf(data))}
	switch d.Kind {
	case ByteLevelDecoding:
		var b byteLevelJSON
		return d, strict(data, &b)
	case MetaspaceText:
		var m metaspaceJSON
		if err := strict(data, &m); err != nil {
			return d, err
		}
		scheme, err := m.scheme()
		d.Character, d.Prepended = m.Replacement, scheme != "never"
		return d, err
	}
	var s struct {
		Type      string       `json:"type"`
		Pattern   *patternJSON `json:"pattern"`
		Content   *string      `json:"content"`
		Start     int          `json:"start"`
		Stop      int          `json:"stop"`
		Prefix    *string      `json:"prefix"`
		Suffix    *string      `json:"suffix"`
		Cleanup   *bool        `json:"cleanup"`
		Pad       *string      `json:"pad_token"`
		Delimiter *string      `json:"word_delimiter_token"`
	}
	if err := strict(data, &s); err != nil {
		return d, err
	}
	or := func(p *string, usual string) string {
		if p == nil {
			return usual
		}
		return *p
	}
	switch d.Kind {
	case ByteFallbackDecoding, Fuse:
	case ReplaceText:
		if s.Pattern == nil {
			return d, fmt.Errorf("Replace: pattern is missing")
		}
		var err error
		d.Content = or(s.Content, "")
		d.Pattern, d.Literal, err = s.Pattern.read()
		return d, err
	case StripText:
		d.Character, d.Start, d.Stop = or(s.Content, ""), s.Start, s.Stop
		if d.Character == "" || d.Start < 0 || d.Stop < 0 {
			return d, fmt.Errorf("Strip: expected a character and counts that are not negative")
		}
	case WordPieceText:
		d.Affix, d.Cleanup = or(s.Prefix, "##"), s.Cleanup == nil || *s.Cleanup
	case BPESuffix:
		d.Affix = or(s.Suffix, "</w>")
	case CTC:
		d.Pad, d.Delimiter, d.Cleanup = or(s.Pad, "<pad>"), or(s.Delimiter, "|"), s.Cleanup == nil || *s.Cleanup
	default:
		return d, fmt.Errorf("%q is not implemented", d.Kind)
	}
	return d, nil
}
