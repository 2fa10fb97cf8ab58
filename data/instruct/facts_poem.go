package instruct

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"lian/data/document"
)

func poemFacts(d *document.Document) []Facts {
	title, author := askable(d.Fields["title"], longestKey), askable(d.Fields["author"], longestKey)
	lines := strings.Split(d.Fields["lines"], "\n")
	base := Facts{"title": title, "author": author}
	if form := form(d.Fields["lines"]); form != "" && len(lines) <= 4 { // a quatrain or an eight-line poem
		base["regular"] = d.Fields["lines"]
	}
	if len(title) <= shortKey {
		base["short_title"] = title
	}
	var views []Facts
	for i, line := range lines {
		if i >= 3 || utf8.RuneCountInString(line) > 24 {
			break
		}
		v := with(base, "couplet", line, "form", form(line), "part", line, "part_label", "line")
		if i+1 < len(lines) && form(line) != "" && form(lines[i+1]) == form(line) {
			v["next"] = lines[i+1]
		}
		views = append(views, v)
	}
	if len(views) == 0 {
		views = append(views, base)
	}
	return append(views, with(base, "part", title, "part_label", "title"), with(base, "part", author, "part_label", "author"))
}

// form is 五言 or 七言 when every clause has 5 or 7 characters.
func form(lines string) string {
	size := 0
	for _, clause := range strings.FieldsFunc(lines, func(r rune) bool { return strings.ContainsRune("，。？！；、\n", r) }) {
		n := 0
		for _, r := range clause {
			if !unicode.Is(unicode.Han, r) {
				return ""
			}
			n++
		}
		if size != 0 && n != size {
			return ""
		}
		size = n
	}
	return map[int]string{5: "五言", 7: "七言"}[size]
}
