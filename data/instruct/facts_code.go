package instruct

import (
	"path"
	"strings"
	"unicode"

	"lian/data/document"
)

func codeFacts(d *document.Document) []Facts {
	base := Facts{"file": askable(d.Fields["file"], longestKey)}
	lines := strings.Split(d.Text, "\n")
	var codeViews, commentViews []Facts
	for i, raw := range lines {
		line := strings.TrimSpace(raw)
		if len(line) < 10 || len(line) > 80 {
			continue
		}
		comment := strings.HasPrefix(line, "//") || strings.HasPrefix(line, "# ") || strings.HasPrefix(line, "--") || strings.HasPrefix(line, "* ")
		if comment {
			if len(commentViews) < 2 {
				commentViews = append(commentViews, with(base, "part", line, "part_label", "comment"))
			}
			continue
		}
		if name := defined(line); name != "" && base["name"] == "" {
			base["name"] = askable(name, longestKey)
		}
		if len(codeViews) < 2 {
			v := with(base, "line", line, "first", first(line, d.Language), "part", line, "part_label", "code")
			if i+1 < len(lines) {
				v["next"] = strings.TrimSpace(lines[i+1])
			}
			codeViews = append(codeViews, v)
		}
	}
	views := append(codeViews, commentViews...)
	views = append(views, with(base, "part", path.Base(d.Fields["file"]), "part_label", "file"))
	for i := range views {
		views[i]["name"] = base["name"]
	}
	return views
}

// defined is the name that a line of code defines, in the languages that say
// so with a word.
func defined(line string) string {
	words := strings.FieldsFunc(line, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' })
	for i, w := range words {
		switch w {
		case "func", "def", "class", "fn", "function", "struct", "interface", "type", "enum", "trait":
			if i+1 < len(words) && len(words[i+1]) >= 4 && i <= 2 {
				return words[i+1]
			}
		}
	}
	return ""
}
