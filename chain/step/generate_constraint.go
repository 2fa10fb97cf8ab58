package step

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"lian/engine/grammar"
)

// Constraint says what a reply must be; at most one of its settings is given.
type Constraint struct {
	Schema  string   `yaml:"schema" help:"the reply is JSON of this schema: a file, or the schema itself"`
	Regex   string   `yaml:"regex" help:"all of the reply matches this regular expression"`
	Grammar string   `yaml:"grammar" help:"file with a grammar in llama.cpp's notation (GBNF) that the reply is written in"`
	Choice  []string `yaml:"choice" help:"the reply is one of these texts"`
}

// compile gives the grammar, nil if nothing is asked for, and the text that it was made of.
func (c Constraint) compile() (*grammar.Grammar, string, error) {
	given := 0
	for _, is := range []bool{c.Schema != "", c.Regex != "", c.Grammar != "", len(c.Choice) > 0} {
		if is {
			given++
		}
	}
	if given > 1 {
		return nil, "", errors.New("--schema, --regex, --grammar and --choice exclude each other; give one")
	}
	var g *grammar.Grammar
	var err error
	source, from := "", ""
	switch {
	case c.Schema != "":
		source, from = c.Schema, "--schema"
		if !strings.HasPrefix(strings.TrimSpace(source), "{") {
			text, err := os.ReadFile(c.Schema)
			if err != nil {
				return nil, "", fmt.Errorf("--schema: %w", err)
			}
			source, from = string(text), "--schema "+c.Schema
		}
		g, err = grammar.CompileSchema([]byte(source))
	case c.Regex != "":
		source, from = c.Regex, "--regex"
		g, err = grammar.Regexp(c.Regex)
	case c.Grammar != "":
		text, failed := os.ReadFile(c.Grammar)
		if failed != nil {
			return nil, "", fmt.Errorf("--grammar: %w", failed)
		}
		source, from = string(text), "--grammar "+c.Grammar
		g, err = grammar.GBNF(source)
	case len(c.Choice) > 0:
		source, from = strings.Join(c.Choice, "\x00"), "--choice"
		g, err = grammar.Choice(c.Choice)
	}
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", from, err)
	}
	return g, source, nil
}
