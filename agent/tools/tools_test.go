package tools

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"lian/chat"
	"lian/index"
	"pgregory.net/rapid"
)

func TestArithmeticIsExact(t *testing.T) {
	for expression, want := range map[string]string{
		"1 + 2 * 3": "7", "(1 + 2) * 3": "9", "-2^2": "-4", "(-2)^2": "4", "2^3^2": "512", "2**10": "1024", "2^-2": "0.25",
		"0.1 + 0.2": "0.3", "1/3": "1/3 (about 0.333333333333)", "1/3*3": "1", "７×８＋（１－２）": "55", "12 ÷ 8": "1.5",
		"1,234,567 + 1": "1234568", "max(1, 2, 3/2)": "2", "min(3，2)": "2", "abs(-3.50)": "3.5", "round(-2.5)": "-3", "floor(-0.5)": "-1", "ceil(1/3)": "1",
		"7 // 2": "3", "-7 // 2": "-4", "-7 % 3": "2", "7 % -3": "-2", "10%3": "1", "50%": "0.5", "200 * 15%": "30", "10%-3": "-2.9",
		"5!": "120", "3!!": "720", "1e3": "1000", "2.5e-3": "0.0025", "10^50": "1" + strings.Repeat("0", 50), "--3": "3", "(-1)^999999999999": "-1", "0^0": "1",
		"1/10^20/3": "1/300000000000000000000", ".5 + 5.": "5.5", "[1+2]*2": "6",
	} {
		value, err := Evaluate(expression)
		if err != nil {
			t.Errorf("%s: %v, expected %s", expression, err, want)
		} else if got := Show(value); got != want {
			t.Errorf("%s = %s, expected %s", expression, got, want)
		}
	}
}

func TestArithmeticRefusesWhatItCannotDo(t *testing.T) {
	for expression, want := range map[string]string{
		"1 +": "ends where a number", "": "ends where", "1/0": "division by zero", "1 % 0": "division by zero", "0^-1": "division by zero", "2^0.5": "roots are not exact",
		"9^9^9": "too large", "10^99999": "too large", "1e99999": "too large", "999!": "factorial", "2.5!": "factorial", "import os": "unknown name", "sqrt(4)": "unknown function",
		"x": "unknown name", "(1": "')' is missing", "1)": "unexpected", "1 2": "unexpected", "3²": "unexpected", "一加一": "expected a number", "1.2.3": "expected a number",
		strings.Repeat("(", 99) + "1": "nested deeper", strings.Repeat("-", 99) + "1": "nested deeper", strings.Repeat("1+", 600) + "1": "bytes", "abs(1,2)": "takes one",
	} {
		if value, err := Evaluate(expression); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30s: %v, %v, expected %q", expression, value, err, want)
		}
	}
}

// Sums of fractions are what big.Rat says.
func TestArithmeticAgreesWithRationals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := rapid.Int64Range(-9999, 9999).Draw(t, "a"), rapid.Int64Range(1, 9999).Draw(t, "b"), rapid.Int64Range(-9999, 9999).Draw(t, "c")
		x, y, z := big.NewRat(a, 1), big.NewRat(b, 1), big.NewRat(c, 1)
		want := new(big.Rat).Quo(new(big.Rat).Sub(x, new(big.Rat).Mul(y, z)), y)
		got, err := Evaluate("(" + x.RatString() + " - " + y.RatString() + "*" + z.RatString() + ")/" + y.RatString())
		if err != nil || got.Cmp(want) != 0 {
			t.Fatalf("%v, %v, expected %v", got, err, want)
		}
	})
}

func FuzzEvaluate(f *testing.F) {
	for _, seed := range []string{"1+2*(3-4)/5^6%7!", "max(1,2)", "1,234.5e-3", "７×８", "50%*2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, expression string) {
		if value, err := Evaluate(expression); err == nil {
			Show(value)
		}
	})
}

func TestToolsAreMadeByName(t *testing.T) {
	if _, err := New([]chat.Tool{{Name: "搜索"}}, nil); err == nil || !strings.Contains(err.Error(), "there are search, calculate") {
		t.Errorf("unknown tool: %v", err)
	}
	if _, err := New([]chat.Tool{{Name: "search"}}, nil); err == nil {
		t.Error("a search without documents was made")
	}
}

func TestSearchShowsTheBestDocument(t *testing.T) {
	s := Search(chat.Tool{Name: "search"}, index.New([]index.Document{{Title: "甲", Text: "甲文"}, {Title: "乙", Text: "乙文", Source: "b.md"}}), 1)
	for arguments, want := range map[string]string{`{"query":"乙"}`: "b.md\n乙文", `{"query":"丙"}`: index.NoHits} {
		if got, err := s.Call(t.Context(), json.RawMessage(arguments)); err != nil || got != want {
			t.Errorf("%s: %q %v, expected %q", arguments, got, err, want)
		}
	}
	for _, arguments := range []string{`{}`, `{"query":" "}`, `{"query":1}`, `x`} {
		if got, err := s.Call(t.Context(), json.RawMessage(arguments)); err == nil {
			t.Errorf("%s: %q", arguments, got)
		}
	}
}
