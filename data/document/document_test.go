package document

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func readAll(content string) (list []Document, err error) {
	read(strings.NewReader(content), "f", func(d Document, problem error) bool {
		if problem != nil {
			err = problem
			return false
		}
		list = append(list, d)
		return true
	})
	return list, err
}

func TestReadGivesBackWhatWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringOf(rapid.RuneFrom([]rune("aZ09 <>&\"\\\n\t春眠，。é😀\u2028")))
		var want []Document
		var out bytes.Buffer
		for range rapid.IntRange(0, 5).Draw(t, "documents") {
			d := Document{
				ID: "x" + word.Draw(t, "id"), Source: Source{Path: word.Draw(t, "path"), Record: rapid.IntRange(0, 9).Draw(t, "record")},
				Text: word.Draw(t, "text"), Fields: map[string]string{"a": word.Draw(t, "a"), "b": word.Draw(t, "b")},
				Verdicts: []Verdict{{Rule: "r", Value: 0.5, Max: 1, Keep: true}},
			}
			if err := Append(&out, &d); err != nil {
				t.Fatal(err)
			}
			want = append(want, d)
		}
		if bytes.Count(out.Bytes(), []byte("\n")) != len(want) {
			t.Fatal("not one line a document")
		}
		got, err := readAll(out.String())
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %v %v, want %v", got, err, want)
		}
	})
}

func TestDamageIsNamed(t *testing.T) {
	for content, want := range map[string]string{
		"{\"id\":\"a\"}\n{broken\n": "f:2:",
		"{\"text\":\"no id\"}\n":    "without an id",
		"[1]\n":                     "f:1: not a document",
	} {
		if _, err := readAll(content); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", content, err, want)
		}
	}
	if list, err := readAll("\n\n{\"id\":\"a\",\"text\":\"t\"}"); err != nil || len(list) != 1 {
		t.Errorf("empty lines and no last line end: %v %v", list, err)
	}
}

func TestIdentityIsOfTheSourceOnly(t *testing.T) {
	a := Identity(Source{Path: "a/b.md", Record: 1})
	if a != Identity(Source{Path: "a/b.md", Record: 1, Format: "md", Encoding: "gb18030"}) || len(a) != 16 {
		t.Errorf("identity %s", a)
	}
	if a == Identity(Source{Path: "a/b.md", Record: 2}) {
		t.Error("two records have one identity")
	}
}

func FuzzRead(f *testing.F) {
	f.Add("{\"id\":\"a\"}\n{")
	f.Fuzz(func(t *testing.T, content string) { readAll(content) })
}
