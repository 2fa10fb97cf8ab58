package instruct

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"lian/data/document"
)

func proseFacts(d *document.Document) []Facts {
	section := d.Fields["section"]
	if section == "" {
		section = d.Text
	}
	heading := askable(strings.TrimLeft(d.Fields["heading"], "# "), longestKey)
	file := d.Fields["file"]
	if d.Kind == document.KindRecord {
		file = "" // one file holds them all: its name tells nothing
	}
	base := Facts{"heading": heading, "file": askable(file, longestKey), "key": heading}
	if d.Kind == document.KindPoem {
		base["heading"] = d.Fields["title"]
	}
	var views []Facts
	for _, s := range sentences(section) {
		if len(views) == 4 {
			break
		}
		if base["key"] == "" {
			base["key"] = opening(s)
		}
		v := with(base, "sentence", s, "first", first(s, d.Language), "part", s, "part_label", "sentence")
		v["opening"], v["rest"] = halves(s)
		views = append(views, v)
	}
	if len(views) == 0 {
		views = append(views, base)
	}
	if heading != "" {
		views = append(views, with(base, "part", heading, "part_label", "heading"))
	}
	if file != "" {
		views = append(views, with(base, "part", file, "part_label", "file"))
	}
	return views
}

// sentences of a text, without mark-up, of a length to ask about.
func sentences(text string) []string {
	var out []string
	fence := false
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "```") {
			fence = !fence
			continue
		}
		line = strings.TrimSpace(strings.TrimLeft(line, "#>-*+•| \t"))
		if fence || line == "" {
			continue
		}
		for line != "" {
			end := len(line)
			for i, r := range line {
				size := utf8.RuneLen(r)
				if strings.ContainsRune("。！？", r) || strings.ContainsRune(".!?", r) && (i+1 == len(line) || line[i+1] == ' ') {
					end = i + max(size, 1)
					break
				}
			}
			s := strings.TrimSpace(line[:end])
			line = strings.TrimSpace(line[end:])
			if runes := utf8.RuneCountInString(s); runes >= 6 && len(s) <= longestLine && !strings.ContainsAny(s, "<>{}[]|\"\\`") {
				out = append(out, s)
			}
			if len(out) == 8 {
				return out
			}
		}
	}
	return out
}

// first is the first character of a Chinese text, if it is Chinese, and the
// first word of any other.
func first(s, language string) string {
	if language == document.Chinese {
		if r, size := utf8.DecodeRuneInString(s); unicode.Is(unicode.Han, r) {
			return s[:size]
		}
		return ""
	}
	word, _, _ := strings.Cut(s, " ")
	return strings.Trim(word, ".,;:!?()[]*_'")
}

// opening is the first clause, or the first words: what stands for a text
// without a heading when it is searched for.
func opening(s string) string {
	if i := strings.IndexAny(s, "，。！？；：、,.;:!?"); i > 0 {
		s = s[:i]
	}
	runes := []rune(s)
	if len(runes) > 0 && unicode.Is(unicode.Han, runes[0]) {
		return askable(string(runes[:min(len(runes), 12)]), longestKey)
	}
	words := strings.Fields(s)
	return askable(strings.Join(words[:min(len(words), 5)], " "), longestKey)
}

// halves cuts a sentence in two at a clause or word.
func halves(s string) (string, string) {
	middle := len(s) / 2
	for i, r := range s {
		if i < middle {
			continue
		}
		if unicode.Is(unicode.Han, r) {
			return s[:i], s[i:]
		}
		if r == ' ' {
			return s[:i], s[i+1:]
		}
	}
	return "", ""
}
