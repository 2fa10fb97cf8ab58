package index

import (
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

var shelf = []Document{
	{ID: "1", Title: "静夜思", Text: "静夜思\n李白\n床前明月光，疑是地上霜。\n举头望明月，低头思故乡。"},
	{ID: "2", Title: "春晓", Text: "春晓\n孟浩然\n春眠不觉晓，处处闻啼鸟。\n夜来风雨声，花落知多少。"},
	{ID: "3", Title: "strings.Cut", Text: "package strings\n\nfunc Cut(s, sep string) (before, after string, found bool)\n\nCut slices s around the first instance of sep.", Source: "strings.go"},
	{ID: "4", Title: "bytes.Cut", Text: "package bytes\n\nfunc Cut(s, sep []byte) (before, after []byte, found bool)\n\nCut slices s around the first instance of sep."},
	{ID: "5", Title: "io.ReadAll", Text: "ReadAll reads from r until an error or EOF."},
	{ID: "6", Title: "春望", Text: "春望\n杜甫\n国破山河在，城春草木深。"},
}

func TestSearch(t *testing.T) {
	x := New(shelf)
	for _, c := range []struct{ query, want, why string }{
		{"明月", "1", "a pair of characters in the text"},
		{"静夜思", "1", "a title"},
		{"strings.Cut", "3", "a qualified name, not its twin in another package"},
		{"BYTES cut", "4", "letter case does not matter"},
		{"read until EOF", "5", "part of a camel-case word"},
		{"花落知多少？", "2", "punctuation does not matter"},
		{"杜甫的诗", "6", "pairs that are unknown do not hurt"},
		{"晓", "2", "one character finds a title"},
	} {
		hits := x.Search(c.query, 3)
		if len(hits) == 0 || hits[0].ID != c.want {
			t.Errorf("%s (%s): got %v, want document %s first", c.query, c.why, hits, c.want)
		}
	}
	for _, query := range []string{"", "?!", "absent", "不存在的"} {
		if hits := x.Search(query, 3); len(hits) != 0 {
			t.Errorf("%q: found %v", query, hits)
		}
	}
	if got := Format(x.Search("absent", 1)); got != NoHits {
		t.Errorf("got %q", got)
	}
	if hits := x.Search("春", 0); hits != nil {
		t.Errorf("0 hits asked, got %v", hits)
	}
	if len(New(nil).Search("春", 3)) != 0 {
		t.Error("an empty index found something")
	}
}

func TestEqualScoresKeepTheOrderOfDocuments(t *testing.T) {
	var twins []Document
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		twins = append(twins, Document{ID: id, Text: "the same words"})
	}
	for range 20 {
		var got []string
		for _, h := range New(twins).Search("same words", 5) {
			got = append(got, h.ID)
		}
		if !reflect.DeepEqual(got, []string{"a", "b", "c", "d", "e"}) {
			t.Fatalf("got %v", got)
		}
	}
}

func TestTerms(t *testing.T) {
	got := Terms("ReadAll 读取全部 i/o，字。")
	want := []string{"readall", "read", "all", "读取", "取全", "全部", "i", "o", "字"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFormatShowsSourceAndHead(t *testing.T) {
	got := Format(New(shelf).Search("strings.Cut", 1))
	if !strings.HasPrefix(got, "strings.go\npackage strings\nfunc Cut(") {
		t.Errorf("got %q", got)
	}
}

func FuzzSearch(f *testing.F) {
	x := New(shelf)
	f.Add("春眠 ReadAll \xff\xfe")
	f.Fuzz(func(t *testing.T, query string) {
		x.Search(query, 3)
		if s := Snippet(query, 20); utf8.ValidString(query) && (!utf8.ValidString(s) || len(s) > 24) {
			t.Errorf("snippet %q of %q", s, query)
		}
	})
}
