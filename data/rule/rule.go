// Package rule judges a document's text by measurable qualities: length, word
// shape, symbols, repetition, after Gopher, C4 and FineWeb, with limits that
// fit Chinese as well as English.
//
// It guarantees that a rule is a pure function of the text, that thresholds
// stand in YAML by kind and language, with their source, and that every verdict
// carries the measured value beside its limits. It refuses rule files that
// name an unknown rule, kind or language.
package rule

import (
	"bytes"
	_ "embed"
	"fmt"
	"math"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"

	"lian/data/document"
)

// Limits are the inclusive bounds of one rule. A bound that is not given does not bind.
type Limits struct {
	Min *float64 `yaml:"min"`
	Max *float64 `yaml:"max"`
}

// Rule is one line of a rule set.
type Rule struct {
	Name   string            `yaml:"rule"`
	About  string            `yaml:"about"`
	Source string            `yaml:"source"`
	Limits map[string]Limits `yaml:"limits"` // by "kind/language", either may be *; kind prose is markdown, text, html and record
}

// Set is an ordered list of rules.
type Set []Rule

//go:embed documents.yaml
var documentsYAML []byte

//go:embed gopher.yaml
var gopherYAML []byte

// Documents are the default rules: for people's own documents, short notes too.
func Documents() Set { return embedded("documents.yaml", documentsYAML) }

// Gopher are the published rules for web pages, word for word.
func Gopher() Set { return embedded("gopher.yaml", gopherYAML) }

func embedded(name string, content []byte) Set {
	set, err := Parse(name, content)
	if err != nil {
		panic(err) // embedded: a fault of the program, found by any test
	}
	return set
}

// Parse reads a rule set and checks its names.
func Parse(file string, content []byte) (Set, error) {
	var set Set
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	if err := decoder.Decode(&set); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for _, r := range set {
		if measures[r.Name] == nil {
			return nil, fmt.Errorf("%s: no rule is called %q; there are %s", file, r.Name, strings.Join(Names(), ", "))
		}
		for key := range r.Limits {
			kind, language, ok := strings.Cut(key, "/")
			if !ok || !oneOf(kind, "*", "prose", document.KindGo, document.KindMarkdown, document.KindText, document.KindHTML, document.KindRecord, document.KindPoem, document.KindCode) ||
				!oneOf(language, "*", document.Chinese, document.English, document.Code, document.Other) {
				return nil, fmt.Errorf("%s: rule %s: limits for %q; expected KIND/LANGUAGE such as prose/zh or */*", file, r.Name, key)
			}
		}
	}
	return set, nil
}

func oneOf(s string, list ...string) bool {
	for _, l := range list {
		if s == l {
			return true
		}
	}
	return false
}

// Names are the rules there are.
func Names() []string {
	names := make([]string, 0, len(measures))
	for name := range measures {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Measure gives one rule's value for a text.
func Measure(name string, t *Text) float64 { return measures[name](t) }

// Judge measures a document by every rule that has limits for its kind and
// language, stopping at the first that rejects it.
func (s Set) Judge(d *document.Document) []document.Verdict {
	var verdicts []document.Verdict
	var text *Text
	for _, r := range s {
		limits, ok := r.limits(d.Kind, d.Language)
		if !ok {
			continue
		}
		if text == nil {
			text = Look(d.Text)
		}
		v := Within(r.Name, measures[r.Name](text), limits)
		verdicts = append(verdicts, v)
		if !v.Keep {
			break
		}
	}
	return verdicts
}

// limits finds the most telling entry: kind before language before *.
func (r Rule) limits(kind, language string) (Limits, bool) {
	family := kind
	if oneOf(kind, document.KindMarkdown, document.KindText, document.KindHTML, document.KindRecord) {
		family = "prose"
	}
	for _, key := range []string{kind + "/" + language, family + "/" + language, kind + "/*", family + "/*", "*/" + language, "*/*"} {
		if l, ok := r.Limits[key]; ok {
			return l, l.Min != nil || l.Max != nil
		}
	}
	return Limits{}, false
}

// Within compares a value with its limits.
func Within(rule string, value float64, l Limits) document.Verdict {
	v := document.Verdict{Rule: rule, Value: math.Round(value*1e4) / 1e4, Keep: true}
	if l.Min != nil {
		v.Min = *l.Min
	}
	if l.Max != nil {
		v.Max = *l.Max
	} else {
		v.Max = math.MaxInt32 // JSON has no infinity
	}
	switch {
	case l.Min != nil && value < *l.Min:
		v.Keep, v.Reason = false, fmt.Sprintf("%.4g is below %.4g", value, *l.Min)
	case l.Max != nil && value > *l.Max:
		v.Keep, v.Reason = false, fmt.Sprintf("%.4g is above %.4g", value, *l.Max)
	}
	return v
}
