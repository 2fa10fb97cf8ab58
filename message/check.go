package message

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Check returns what is wrong with the built-in tables, one line each: a file that
// does not parse, a text that one language lacks, format verbs that differ.
func Check() []string {
	t := load()
	var wrong []string
	if t.err != nil {
		wrong = append(wrong, t.err.Error())
	}
	for _, key := range slices.Sorted(maps.Keys(t.entries)) {
		e := t.entries[key]
		for _, text := range []struct{ lang, text string }{{English, e.EN}, {Chinese, e.ZH}} {
			if strings.TrimSpace(text.text) == "" {
				wrong = append(wrong, fmt.Sprintf("%s: %s has no text in %s", e.file, key, text.lang))
			}
		}
		if a, b := verbs(e.EN), verbs(e.ZH); !maps.Equal(a, b) {
			wrong = append(wrong, fmt.Sprintf("%s: %s: format verbs differ: %v in en, %v in zh (use %%[1]s where the order differs)", e.file, key, a, b))
		}
	}
	for _, english := range slices.Sorted(maps.Keys(t.help)) {
		if strings.TrimSpace(t.help[english]) == "" {
			wrong = append(wrong, fmt.Sprintf("%s*.yaml: %q has no text in zh", helpFiles, english))
		}
	}
	return wrong
}

// verb is a format verb with flags, an argument index, width, precision.
var verb = regexp.MustCompile(`%[-+# 0]*(?:\[(\d+)\])?(?:\d+|\*)?(?:\.(?:\d+|\*)?)?(?:\[(\d+)\])?([a-zA-Z%])`)

// verbs maps each argument's position to its verb letter.
func verbs(text string) map[int]string {
	out := map[int]string{}
	next := 1
	for _, m := range verb.FindAllStringSubmatch(text, -1) {
		if m[3] == "%" {
			continue
		}
		for _, index := range m[1:3] {
			if index != "" {
				fmt.Sscan(index, &next)
			}
		}
		out[next] = m[3]
		next++
	}
	return out
}
