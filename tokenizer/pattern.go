package tokenizer

import (
	"bytes"
	_ "embed" // patterns.yaml
	"fmt"
	"sort"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// Regular expressions by which published tokenizers split text. Those with a
// hand-written scanner are marked; the others run on regexp2.
const (
	// PatternGPT2 (scanner). Source: GPT-2, encoder.py.
	PatternGPT2 = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	// PatternQwen2 (scanner): cl100k's pattern with digits one by one. Source: Qwen2's tokenizer.json.
	PatternQwen2 = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	// PatternLlama3 (scanner): cl100k's pattern, digits by three. Source: Llama 3's tokenizer.json.
	PatternLlama3 = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	// patternGPT2NoTail is GPT-2's as llama.cpp writes it inside sequences; the white
	// space that it does not match is a piece anyhow, so the pieces are the same.
	// PatternCL100K (scanner): tiktoken's writing, where white space at the end is one
	// piece. Source: tiktoken_ext. In a tokenizer.json {1,3}+ takes any number of digits.
	PatternCL100K     = `'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s`
	patternCL100KJSON = `'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s`
	// patternR50K (scanner) is tiktoken's writing of GPT-2's.
	patternR50K = `'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s`
	// PatternO200K and patternTekken (scanners): words by their case. Sources:
	// tiktoken_ext, Mistral's tekken.json; with "plain" as llama.cpp writes them.
	PatternO200K       = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patternTekken      = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patternO200KPlain  = `[^\r\n\p{L}\p{N}]?((?=[\p{L}])([^a-z]))*((?=[\p{L}])([^A-Z]))+(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?|[^\r\n\p{L}\p{N}]?((?=[\p{L}])([^a-z]))+((?=[\p{L}])([^A-Z]))*(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patternTekkenPlain = `[^\r\n\p{L}\p{N}]?((?=[\p{L}])([^a-z]))*((?=[\p{L}])([^A-Z]))+|[^\r\n\p{L}\p{N}]?((?=[\p{L}])([^a-z]))+((?=[\p{L}])([^A-Z]))*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	// patternDigits3 (scanner) cuts numbers by three from the left.
	patternDigits3 = `\p{N}{1,3}`
	// patternLines isolates lines and runs of line breaks (scanner).
	patternLines      = `[^\n]+|[\n]+`
	patternGPT2NoTail = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)`
)

// DefaultPattern is the name of the pattern that training uses when none is given:
// Qwen2's. It keeps Chinese runs between punctuation whole, so that words form by
// merging, gives every digit its own token, so that numbers of any length look
// alike, and has a name in GGUF.
const DefaultPattern = "qwen2"

// scanners maps a pattern to a function that gives the end of the piece which
// begins at byte i < len(s). A scanner covers every byte of s.
var scanners = map[string]func(s string, i int) int{
	PatternGPT2:       scanGPT2,
	patternGPT2NoTail: scanGPT2,
	PatternQwen2:      func(s string, i int) int { return scanCL100K(s, i, 1) },
	PatternLlama3:     func(s string, i int) int { return scanCL100K(s, i, 3) },
	`\p{N}`:           scanDigits,
	patternLines:      scanLines,
	patternR50K:       scanGPT2,
	PatternCL100K: func(s string, i int) int {
		return scanTail(s, i, func(s string, i int) int { return scanCL100K(s, i, 3) })
	},
	patternCL100KJSON: func(s string, i int) int {
		return scanTail(s, i, func(s string, i int) int { return scanCL100K(s, i, len(s)) })
	},
	PatternO200K:       func(s string, i int) int { return scanO200K(s, i, 3, true, false) },
	patternTekken:      func(s string, i int) int { return scanO200K(s, i, 1, false, false) },
	patternO200KPlain:  func(s string, i int) int { return scanO200K(s, i, 3, true, true) },
	patternTekkenPlain: func(s string, i int) int { return scanO200K(s, i, 1, false, true) },
	patternDigits3:     scanDigits3,
}

// covers marks the patterns that match every character of any text.
var covers = map[string]bool{PatternGPT2: true, PatternQwen2: true, PatternLlama3: true, PatternCL100K: true, PatternO200K: true, patternTekken: true}

// A named pattern is a way of splitting that GGUF files name in tokenizer.ggml.pre.
type named struct {
	names        []string // the first is the one we write
	steps        []Step
	ignoreMerges bool
	addBOS       bool
	keepSpaces   map[string]bool // names whose texts llama.cpp decodes as they are
}

//go:embed patterns.yaml
var patternsYAML []byte

// registry reads patterns.yaml; a test reads it too, so the panic is for a broken
// build only.
var registry = sync.OnceValue(func() []named {
	var rows []struct {
		Names        []string
		About        string
		IgnoreMerges bool     `yaml:"ignore_merges"`
		AddBOS       bool     `yaml:"add_bos"`
		KeepSpaces   []string `yaml:"keep_spaces"`
		Steps        []struct {
			Split, Bytes string
			Digits       bool
		}
	}
	d := yaml.NewDecoder(bytes.NewReader(patternsYAML))
	d.KnownFields(true)
	if err := d.Decode(&rows); err != nil {
		panic("tokenizer/patterns.yaml: " + err.Error())
	}
	var all []named
	for _, r := range rows {
		n := named{names: r.Names, ignoreMerges: r.IgnoreMerges, addBOS: r.AddBOS, keepSpaces: map[string]bool{}}
		for _, name := range r.KeepSpaces {
			n.keepSpaces[name] = true
		}
		for _, s := range r.Steps {
			switch {
			case s.Digits:
				n.steps = append(n.steps, Step{Kind: Digits, Individual: true})
			case s.Split != "":
				n.steps = append(n.steps, Step{Kind: Split, Pattern: s.Split})
			default:
				n.steps = append(n.steps, Step{Kind: ByteLevelStep, Pattern: s.Bytes})
			}
		}
		if last := n.steps[len(n.steps)-1]; last.Kind != ByteLevelStep {
			n.steps = append(n.steps, Step{Kind: ByteLevelStep})
		}
		all = append(all, n)
	}
	return all
})

// Patterns are the names that Options of training and GGUF files may use.
func Patterns() []string {
	var names []string
	for _, n := range registry() {
		names = append(names, n.names...)
	}
	sort.Strings(names)
	return names
}

// PatternSteps are the steps of a named pattern; ok is false for an unknown name.
func PatternSteps(name string) (steps []Step, ok bool) {
	n, ok := lookup(name)
	return append([]Step(nil), n.steps...), ok
}

func lookup(name string) (named, bool) {
	for _, n := range registry() {
		for _, one := range n.names {
			if one == name {
				return n, true
			}
		}
	}
	return named{}, false
}

// patternName is the GGUF name of the steps, "" when there is none.
func patternName(steps []Step, ignoreMerges bool) string {
	want := describe(steps)
	for _, n := range registry() {
		if describe(n.steps) == want && n.ignoreMerges == ignoreMerges {
			return n.names[0]
		}
	}
	return ""
}

func unknownPattern(name string) error {
	return fmt.Errorf("pattern %q: not known; known are %s", name, strings.Join(Patterns(), ", "))
}
