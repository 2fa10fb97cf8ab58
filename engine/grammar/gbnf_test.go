package grammar

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"lian/verify/shared"
)

func TestLlamaCppGBNFVectors(t *testing.T) {
	data, err := os.ReadFile(shared.Path(t, "testdata", "golden", "infer", "grammar", "gbnf.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Grammars []struct {
			Name, Grammar string
			Cases         []struct {
				Text   string
				Accept bool
				Prefix int
			}
		}
		Invalid []struct{ Name, Grammar, Result string }
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	for _, s := range file.Grammars {
		g, err := GBNF(s.Grammar)
		if err != nil {
			t.Errorf("%s: %v", s.Name, err)
			continue
		}
		for _, c := range s.Cases {
			if ok, _ := g.Match(c.Text); ok != c.Accept {
				t.Errorf("%s: %q: accepted %v, want %v", s.Name, c.Text, ok, c.Accept)
			}
		}
	}
	for _, s := range file.Invalid {
		_, err := GBNF(s.Grammar)
		if refused := err != nil; refused != (s.Result == "REFUSED") {
			t.Errorf("%s: %v, want %s", s.Name, err, s.Result)
		}
	}
}

func TestGBNFErrorsNameLineAndRule(t *testing.T) {
	for _, c := range []struct{ grammar, want string }{
		{"root ::= a\na ::= b \"x\"\nb ::= a | \"y\"", "rule a is left-recursive (a → b → a)"},
		{"root ::= root \"a\" | \"b\"", "rule root is left-recursive"},
		{"root ::= \"\" a\na ::= \"x\"* root", "rule root is left-recursive (root → a → root)"},
		{"root ::= \"a\"{3,2}", "line 1: rule root: {3,2}: the second bound is less"},
		{"root ::= \"a\"\n\nx ::= y", "line 3: rule y is not defined"},
		{"root ::= [z-a]", "goes backwards"},
		{"root ::= \"\\q\"", `unknown escape \q`},
		{"main ::= \"a\"", "no rule root"},
		{"root ::= \"a\"\nroot ::= \"b\"", "line 2: rule root is defined twice"},
		{"root ::= \"a\" \"b\"\n \"c\"", "expected the name of a rule"},
		{"root ::= \"a\" root", "no finite text"},
		{"root ::= \"a\"{300000}", "at most"},
		{"root ::= \"a\"{200000} \"b\"{200000}", "needs more than"},
		{"root ::= ((x?){1000})*\nx ::= (\"a\"?){1000}", "moves read nothing where a text begins; lower the repeat counts"},
		{"root ::= \"a\"?{100000}", "moves read nothing"},
		{"root ::= <[5]>", "tokens as parts of a rule"},
		{"root ::= \"\\uD800\"", "is not a character"},
		{"root ::= " + strings.Repeat("(", 20000), "nested deeper"},
	} {
		_, err := GBNF(c.grammar)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60q:\n got %v\nwant %s", c.grammar, err, c.want)
		}
	}
}

func FuzzGBNF(f *testing.F) {
	for _, seed := range []string{`root ::= "a" | [^b-d\]]{2,3}`, "root ::= (x\n| \"\\u4e00\")+ # c\nx ::= .?", "root ::= root"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		g, err := GBNF(text)
		if err != nil {
			return
		}
		g.Match("ab\n")
	})
}
