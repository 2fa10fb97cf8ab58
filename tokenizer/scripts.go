package tokenizer

import (
	"sort"
	"sync"
	"unicode"
)

// scriptOf is a number for the script of a character, 0 for those that belong to
// any: unassigned ones and the blank. Hiragana and Katakana count as Han.
// Source: huggingface/tokenizers, unicode_scripts.
func scriptOf(r rune) int {
	if r == ' ' {
		return 0
	}
	if r == 0x30fc {
		return scripts()["Han"]
	}
	for _, s := range scriptList() {
		if unicode.Is(s.table, r) {
			return s.number
		}
	}
	return 0
}

type scriptTable struct {
	table  *unicode.RangeTable
	number int
}

var scripts = sync.OnceValue(func() map[string]int {
	names := make([]string, 0, len(unicode.Scripts))
	for name := range unicode.Scripts {
		names = append(names, name)
	}
	sort.Strings(names)
	numbers := make(map[string]int, len(names))
	for i, name := range names {
		numbers[name] = i + 1
	}
	numbers["Hiragana"], numbers["Katakana"] = numbers["Han"], numbers["Han"]
	return numbers
})

// scriptList has the frequent scripts first.
var scriptList = sync.OnceValue(func() []scriptTable {
	var list []scriptTable
	seen := map[string]bool{}
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			list = append(list, scriptTable{unicode.Scripts[name], scripts()[name]})
		}
	}
	for _, name := range []string{"Latin", "Common", "Han", "Cyrillic", "Hiragana", "Katakana", "Inherited"} {
		add(name)
	}
	for name := range scripts() {
		add(name)
	}
	return list
})

// scriptMatches splits where the script changes. What stands before the first character
// of some script is dropped, as in the reference.
func scriptMatches(dst []match, s string) []match {
	last, start := 0, -1
	for i, r := range s {
		k := scriptOf(r)
		if k == 0 || last == k {
			continue
		}
		if start >= 0 {
			dst = append(dst, match{start: start, end: i})
		}
		last, start = k, i
	}
	if start < 0 {
		return dst
	}
	return append(dst, match{start: start, end: len(s)})
}
