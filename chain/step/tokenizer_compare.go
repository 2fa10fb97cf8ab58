package step

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"lian/event"
)

// CompareOptions are the settings of lian tokenizer compare.
type CompareOptions struct {
	File string `yaml:"file" help:"text, JSON lines with \"text\", or folder of documents to compare on"`
}

// Script is a way of writing, by which languages are told apart: that of most letters of a line.
type Script string

// ScriptShare is how much of a file is written in a script.
type ScriptShare struct {
	Script Script  `json:"script"`
	Bytes  int     `json:"bytes"`
	Share  float64 `json:"share"`
}

// ComparedTokenizer is how a tokenizer cuts a text.
type ComparedTokenizer struct {
	Tokenizer     string          `json:"tokenizer"`
	Vocab         int             `json:"vocab"`
	Tokens        int             `json:"tokens"`
	BytesPerToken float64         `json:"bytes_per_token"`
	CharsPerToken float64         `json:"chars_per_token"`
	Scripts       []ScriptMeasure `json:"scripts"`
	RoundTrip     bool            `json:"round_trip"` // decoding gives every text back
	MBPerSecond   float64         `json:"mb_per_second"`
}

// ScriptMeasure is how a tokenizer cuts the lines of one script.
type ScriptMeasure struct {
	ScriptShare
	Tokens        int     `json:"tokens"`
	BytesPerToken float64 `json:"bytes_per_token"`
}

// Comparison is several tokenizers on one file.
type Comparison struct {
	File       string              `json:"file"`
	Bytes      int                 `json:"bytes"`
	Scripts    []ScriptShare       `json:"scripts"` // most of the file first
	Tokenizers []ComparedTokenizer `json:"tokenizers"`
}

// scriptNames are the scripts that are told apart, and Unicode's names of each.
var scriptNames = []struct {
	script Script
	names  []string
}{
	{"Latin", []string{"Latin"}}, {"Han", []string{"Han", "Bopomofo"}}, {"Kana", []string{"Hiragana", "Katakana"}}, {"Hangul", []string{"Hangul"}},
	{"Cyrillic", []string{"Cyrillic"}}, {"Arabic", []string{"Arabic"}}, {"Devanagari", []string{"Devanagari"}}, {"Greek", []string{"Greek"}},
	{"Hebrew", []string{"Hebrew"}}, {"Thai", []string{"Thai"}}, {"Tibetan", []string{"Tibetan"}}, {"Mongolian", []string{"Mongolian"}},
}

// Scripts beside those with a name of their own.
const (
	OtherScript Script = "other"   // letters of another script
	NoScript    Script = "symbols" // no letters: numbers, signs, blank lines
)

// scriptOf is the script of most letters of a line. A line with Kana is Japanese, though most of it may be Han.
func scriptOf(line string) Script {
	counts := map[Script]int{}
	for _, r := range line {
		if !unicode.IsLetter(r) {
			continue
		}
		found := OtherScript
	search:
		for _, s := range scriptNames {
			for _, name := range s.names {
				if unicode.Is(unicode.Scripts[name], r) {
					found = s.script
					break search
				}
			}
		}
		counts[found]++
	}
	if counts["Kana"]*10 > counts["Han"] && counts["Kana"] > 0 {
		counts["Kana"] += counts["Han"]
	}
	best := NoScript
	for _, s := range append(scriptNames, struct {
		script Script
		names  []string
	}{OtherScript, nil}) {
		if counts[s.script] > counts[best] {
			best = s.script
		}
	}
	return best
}

// scriptedText is a text and where its lines end, with their scripts.
type scriptedText struct {
	text    string
	ends    []int
	scripts []Script
}

func newScriptedText(text string, bytes map[Script]int) scriptedText {
	t := scriptedText{text: text}
	at := 0
	for line := range strings.Lines(text) {
		at += len(line)
		s := scriptOf(line)
		bytes[s] += len(line)
		if n := len(t.ends); n > 0 && t.scripts[n-1] == s {
			t.ends[n-1] = at
			continue
		}
		t.ends, t.scripts = append(t.ends, at), append(t.scripts, s)
	}
	return t
}

// CompareTokenizers encodes the texts of a file with each tokenizer. A token counts for the script of the line that it begins in.
func CompareTokenizers(ctx context.Context, tokenizers []string, o CompareOptions, sink event.Sink) (*Comparison, error) {
	if o.File == "" {
		return nil, fmt.Errorf("--file: name the text to compare on")
	}
	c := &Comparison{File: o.File}
	var texts []scriptedText
	bytes, chars := map[Script]int{}, 0
	for text, err := range readTexts([]string{o.File}) {
		if err != nil {
			return nil, err
		}
		texts = append(texts, newScriptedText(text, bytes))
		c.Bytes += len(text)
		chars += utf8.RuneCountInString(text)
	}
	if c.Bytes == 0 {
		return nil, fmt.Errorf("%s: there is no text in it", o.File)
	}
	for script, n := range bytes {
		c.Scripts = append(c.Scripts, ScriptShare{script, n, float64(n) / float64(c.Bytes)})
	}
	slices.SortFunc(c.Scripts, func(a, b ScriptShare) int {
		if a.Bytes != b.Bytes {
			return b.Bytes - a.Bytes
		}
		return strings.Compare(string(a.Script), string(b.Script))
	})
	for i, path := range tokenizers {
		tok, err := OpenTokenizer(path)
		if err != nil {
			return nil, err
		}
		row, spent := ComparedTokenizer{Tokenizer: path, Vocab: tok.VocabSize(), RoundTrip: true}, time.Duration(0)
		tokens := map[Script]int{}
		done := int64(i) * int64(c.Bytes)
		for _, t := range texts {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			begun := time.Now()
			ids := tok.Encode(t.text)
			spent += time.Since(begun)
			row.Tokens += len(ids)
			row.RoundTrip = row.RoundTrip && tok.Decode(ids) == t.text
			line := 0
			for _, p := range tok.EncodeWith(t.text, func(int, int) bool { return false }) {
				for line+1 < len(t.ends) && p.Start >= t.ends[line] {
					line++
				}
				tokens[t.scripts[line]]++
			}
			done += int64(len(t.text))
			sink.Emit(event.KindProgress, event.Progress{Stage: "encode", Done: done, Total: int64(len(tokenizers)) * int64(c.Bytes), Unit: "bytes"})
		}
		row.BytesPerToken, row.CharsPerToken = perToken(c.Bytes, row.Tokens), perToken(chars, row.Tokens)
		row.MBPerSecond = float64(c.Bytes) / 1e6 / spent.Seconds()
		for _, s := range c.Scripts {
			row.Scripts = append(row.Scripts, ScriptMeasure{s, tokens[s.Script], perToken(s.Bytes, tokens[s.Script])})
		}
		c.Tokenizers = append(c.Tokenizers, row)
	}
	return c, nil
}

// perToken is 0 where there are no tokens.
func perToken(amount, tokens int) float64 {
	if tokens == 0 {
		return 0
	}
	return float64(amount) / float64(tokens)
}
