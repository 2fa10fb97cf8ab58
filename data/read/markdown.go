package read

import (
	"path"
	"strings"

	"lian/data/document"
)

// markdown makes a record of each section: a heading and what stands under it.
// Headings are ATX (#) or underlined, outside fenced code. A heading with
// nothing under it goes along with the next section, so that no text is lost.
func markdown(r *Result, text string) {
	matter, body := frontMatter(newlines(text))
	if len(sections(r, body, document.KindMarkdown, "md", matter["title"])) == 0 {
		r.reject(0, "md", Empty, "front matter and nothing else", float64(len(text)))
	}
}

type section struct {
	heading string
	above   []string // headings without text of their own, just before
	lines   []string
}

// sections adds the records of marked-up text and gives their headings.
func sections(r *Result, text, kind, format, title string) []string {
	var parts []section
	current := section{}
	fence := ""
	empty := func(s section) bool { return strings.TrimSpace(strings.Join(s.lines, "")) == "" }
	start := func(line, heading string) {
		if empty(current) {
			if len(current.above) > 0 || current.heading != "" {
				current.above = append(current.above, current.lines...)
			}
			current.lines = nil
		} else {
			parts = append(parts, current)
			current = section{}
		}
		current.heading = heading
		current.above = append(current.above, line)
	}
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		trimmed := strings.TrimSpace(line)
		if fence != "" {
			current.lines = append(current.lines, line)
			if strings.HasPrefix(trimmed, fence) && strings.Trim(trimmed, fence[:1]) == "" {
				fence = ""
			}
			continue
		}
		if strings.HasPrefix(trimmed, "```") || strings.HasPrefix(trimmed, "~~~") {
			fence = trimmed[:3]
			current.lines = append(current.lines, line)
			continue
		}
		if heading, ok := atx(line); ok {
			start(line, heading)
			continue
		}
		if i+1 < len(lines) && underlined(line, lines[i+1]) {
			start(line+"\n"+lines[i+1], trimmed)
			i++
			continue
		}
		current.lines = append(current.lines, line)
	}
	if !empty(current) || len(current.above) > 0 {
		parts = append(parts, current)
	}

	type record struct{ heading, section, text string }
	var records []record
	for _, p := range parts {
		body := strings.TrimSpace(strings.Join(p.lines, "\n"))
		head := strings.TrimSpace(strings.Join(p.above, "\n"))
		for _, piece := range Pieces(body, pieceBytes) {
			records = append(records, record{p.heading, piece, strings.TrimSpace(head + "\n\n" + piece)})
			head = ""
		}
		if body == "" && head != "" {
			records = append(records, record{p.heading, "", head})
		}
	}
	if title == "" {
		title = stem(r.File.Name)
		if len(parts) > 0 && parts[0].heading != "" {
			title = parts[0].heading
		}
	}
	headings := make([]string, len(records))
	for i, p := range records {
		heading := p.heading
		if heading == "" {
			heading = title
		}
		headings[i] = heading
		r.add(document.Document{
			Kind: kind, Title: heading, Text: p.text, Group: group(r.File.Name, i, len(records)),
			Fields: map[string]string{"file": path.Base(r.File.Name), "heading": heading, "section": p.section},
		}, format)
	}
	return headings
}

// atx recognises "## Heading ##". A blank after the marks is wanted, as in
// CommonMark, unless Chinese follows, where it is often left out.
func atx(line string) (string, bool) {
	trimmed := strings.TrimLeft(line, " ")
	if len(line)-len(trimmed) > 3 {
		return "", false
	}
	text := strings.TrimLeft(trimmed, "#")
	level := len(trimmed) - len(text)
	if level < 1 || level > 6 || text == "" || (text[0] != ' ' && text[0] != '\t' && text[0] < 0x80) {
		return "", false
	}
	text = strings.TrimSpace(strings.TrimRight(strings.TrimSpace(text), "#"))
	return text, text != ""
}

func underlined(line, next string) bool {
	line, next = strings.TrimSpace(line), strings.TrimSpace(next)
	if len(next) < 3 || line == "" || strings.ContainsAny(line[:1], "-*>|#+") || len(line) > 120 {
		return false
	}
	return strings.Trim(next, "=") == "" || strings.Trim(next, "-") == ""
}

// frontMatter takes off a leading block between --- lines and reads its simple
// "key: value" lines; it is about the page, not text of it.
func frontMatter(text string) (map[string]string, string) {
	if !strings.HasPrefix(text, "---\n") {
		return nil, text
	}
	block, body, ok := strings.Cut(text[4:], "\n---")
	if !ok || len(block) > 1<<14 {
		return nil, text
	}
	if _, rest, more := strings.Cut(body, "\n"); more {
		body = rest
	} else {
		body = ""
	}
	values := map[string]string{}
	for _, line := range strings.Split(block, "\n") {
		if key, value, found := strings.Cut(line, ":"); found {
			values[strings.TrimSpace(key)] = strings.Trim(strings.TrimSpace(value), `"'`)
		}
	}
	return values, body
}
