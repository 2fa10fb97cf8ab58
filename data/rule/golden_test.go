package rule

import (
	"bufio"
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"lian/verify/shared"
)

// The measures against datatrove's on its own texts (words=simple): the
// statistics of the Gopher rules, exact to 1e-6.
func TestMeasuresAreDatatroves(t *testing.T) {
	texts := map[string]string{}
	var adversarial []struct{ ID, Text string }
	content, err := os.ReadFile(shared.Path(t, "testdata", "golden", "data", "inputs", "adversarial_docs.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &adversarial); err != nil {
		t.Fatal(err)
	}
	for _, a := range adversarial {
		texts["adversarial "+a.ID] = a.Text
	}
	for _, name := range []string{"win32-docs", "tldr", "zh-news", "zh-law", "classical-chinese"} {
		eachLine(t, shared.Path(t, "testdata", "corpora", "web-mix", name+".jsonl"), func(line []byte) {
			var row struct{ ID, Content string }
			if json.Unmarshal(line, &row) == nil {
				texts[name+" "+row.ID] = row.Content
			}
		})
	}
	rows, compared := 0, 0
	wrong := map[string]int{}
	eachLine(t, shared.Path(t, "testdata", "golden", "data", "filters.jsonl"), func(line []byte) {
		var row struct {
			ID, Source, Rules string
			Simple            struct {
				Quality []any
				Rep     []any
				Stats   map[string]any
			}
		}
		if err := json.Unmarshal(line, &row); err != nil || row.ID == "" {
			return
		}
		text, ok := texts[row.Source+" "+row.ID]
		if !ok || strings.TrimSpace(text) == "" {
			return
		}
		rows++
		look := Look(text)
		check := func(name string, want any, got float64) {
			w, ok := want.(float64)
			if !ok {
				return
			}
			compared++
			if math.Abs(w-got) > 1e-6 {
				if wrong[name]++; wrong[name] <= 2 {
					t.Errorf("%s %s: %s is %.9f, datatrove has %.9f", row.Source, row.ID, name, got, w)
				}
			}
		}
		for name, rule := range map[string]string{
			"non_symbol_words": "word_count", "mean_word_len": "mean_word_length", "hash_ratio": "hash_ratio", "ellipsis_ratio": "ellipsis_ratio",
			"bullet_lines": "bullet_lines", "ellipsis_lines": "ellipsis_lines", "alpha_words": "alphabetic_words",
			"dup_para": "duplicate_paragraphs", "dup_para_chars": "duplicate_paragraph_chars", "dup_line": "duplicate_lines", "dup_line_chars": "duplicate_line_chars",
		} {
			check(name, row.Simple.Stats[name], Measure(rule, look))
		}
		check("words", row.Simple.Stats["words"], float64(len(look.Words)))
		if top, ok := row.Simple.Stats["top"].([]any); ok {
			for i, want := range top {
				check("top", want, Measure([]string{"top_2gram_chars", "top_3gram_chars", "top_4gram_chars"}[i], look))
			}
		}
		if dup, ok := row.Simple.Stats["dup"].([]any); ok {
			for i, want := range dup {
				check("dup", want, duplicateNGrams(look, 5+i))
			}
		}
	})
	if rows < 600 {
		t.Errorf("compared %d rows only", rows)
	}
	t.Logf("%d texts, %d figures compared, wrong: %v", rows, compared, wrong)
}

func eachLine(t *testing.T, path string, f func([]byte)) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	reader := bufio.NewReaderSize(file, 1<<20)
	for {
		line, err := reader.ReadBytes('\n')
		if len(line) > 1 {
			f(line)
		}
		if err != nil {
			return
		}
	}
}
