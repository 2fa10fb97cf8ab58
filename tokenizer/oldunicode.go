package tokenizer

import (
	"bytes"
	_ "embed" // unicode.yaml
	"strconv"
	"strings"
	"sync"
	"unicode"

	"go.yaml.in/yaml/v3"
)

//go:embed unicode.yaml
var unicodeYAML []byte

// olderClass is a class of characters with what an older Unicode has otherwise.
type olderClass struct{ later, then map[rune]bool }

var olderClasses = sync.OnceValue(func() map[string]olderClass {
	var rows map[string]struct{ Later, Then []string }
	d := yaml.NewDecoder(bytes.NewReader(unicodeYAML))
	d.KnownFields(true)
	if err := d.Decode(&rows); err != nil {
		panic("tokenizer/unicode.yaml: " + err.Error())
	}
	set := func(ranges []string) map[rune]bool {
		out := map[rune]bool{}
		for _, s := range ranges {
			low, high, more := strings.Cut(s, "-")
			if !more {
				high = low
			}
			a, err1 := strconv.ParseUint(low, 16, 21)
			b, err2 := strconv.ParseUint(high, 16, 21)
			if err1 != nil || err2 != nil {
				panic("tokenizer/unicode.yaml: " + s)
			}
			for r := a; r <= b; r++ {
				out[rune(r)] = true
			}
		}
		return out
	}
	all := map[string]olderClass{}
	for name, r := range rows {
		all[name] = olderClass{set(r.Later), set(r.Then)}
	}
	return all
})

// older tells whether r is of the class in the reference's tables.
func older(name string, r rune, is bool) bool {
	if r < 0x80 {
		return is
	}
	c := olderClasses()[name]
	if is {
		return !c.later[r]
	}
	return c.then[r]
}

func isNonspacing(r rune) bool { return r >= 0x80 && older("nonspacing", r, unicode.Is(unicode.Mn, r)) }
func isMark(r rune) bool       { return r >= 0x80 && older("mark", r, unicode.Is(unicode.M, r)) }
