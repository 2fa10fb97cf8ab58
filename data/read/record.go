package read

import (
	_ "embed"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"lian/data/document"
)

//go:embed fields.yaml
var fieldsYAML []byte

// fieldNames says which names of fields mean text, title, author.
var fieldNames = sync.OnceValue(func() (names struct{ Text, Title, Author, Records []string }) {
	if err := yaml.Unmarshal(fieldsYAML, &names); err != nil {
		panic("fields.yaml: " + err.Error()) // embedded: a fault of the program
	}
	return names
})

// record makes a document of an object's members. Its text is the first member
// with one of the known names that holds text, else the longest string.
func (r *Result) record(number int, object map[string]any, format string) {
	textName, text, isList := textMember(object)
	if strings.TrimSpace(text) == "" {
		r.reject(number, format, NoText, fmt.Sprintf("record %d: no member holds text; members: %s", number, strings.Join(memberNames(object), ", ")), float64(number))
		return
	}
	title, author := member(object, fieldNames().Title), member(object, fieldNames().Author)
	if isList && author != "" && title != "" {
		r.poem(title, author, text, format)
		return
	}
	fields := map[string]string{}
	for name, value := range object {
		if name == textName {
			continue
		}
		if s, _ := flatten(value); s != "" && len(s) <= 1<<10 {
			fields[name] = s
		}
	}
	heading, section := title, text
	if heading == "" {
		heading, section = firstLine(newlines(text))
	}
	if heading != "" {
		fields["heading"] = heading
	}
	fields["section"] = section
	pieces := Pieces(newlines(text), pieceBytes)
	identity := fmt.Sprintf("%s@%d", r.File.Name, number) // pieces of one record stay together
	for i, piece := range pieces {
		whole := piece
		if i == 0 && title != "" && !strings.Contains(firstOf(piece, 200), title) {
			whole = title + "\n" + piece
		}
		f := fields
		if len(pieces) > 1 {
			f = map[string]string{}
			for k, v := range fields {
				f[k] = v
			}
			f["section"] = piece
		}
		r.add(document.Document{Kind: document.KindRecord, Title: heading, Text: whole, Fields: f, Group: identity}, format)
	}
}

// poem keeps the lines with their punctuation: title, author, lines.
func (r *Result) poem(title, author, lines, format string) {
	r.add(document.Document{
		Kind: document.KindPoem, Title: title, Text: title + "\n" + author + "\n" + lines,
		Fields: map[string]string{"title": title, "author": author, "lines": lines},
		Group:  fmt.Sprintf("%s@%d", r.File.Name, len(r.Documents)),
	}, format)
}

func textMember(object map[string]any) (name, text string, isList bool) {
	for _, wanted := range fieldNames().Text {
		if value, ok := object[wanted]; ok {
			if s, list := flatten(value); strings.TrimSpace(s) != "" {
				return wanted, s, list
			}
		}
	}
	for _, candidate := range memberNames(object) { // sorted: ties give the same answer every time
		if s, ok := object[candidate].(string); ok && len(s) > len(text) && !known(candidate) {
			name, text = candidate, s
		}
	}
	return name, text, false
}

func known(name string) bool {
	for _, list := range [][]string{fieldNames().Author, {"id", "url", "uuid", "date", "source"}} {
		for _, n := range list {
			if n == name {
				return true
			}
		}
	}
	return false
}

func member(object map[string]any, names []string) string {
	for _, name := range names {
		if s, _ := flatten(object[name]); strings.TrimSpace(s) != "" {
			return strings.TrimSpace(s)
		}
	}
	return ""
}

func memberNames(object map[string]any) []string {
	names := make([]string, 0, len(object))
	for name := range object {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// flatten gives a member's text: strings and numbers as they are, lists of
// strings line by line.
func flatten(value any) (text string, isList bool) {
	switch v := value.(type) {
	case string:
		return v, false
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), false
	case fmt.Stringer: // json.Number
		return v.String(), false
	case bool:
		return strconv.FormatBool(v), false
	case []any:
		lines := make([]string, 0, len(v))
		for _, item := range v {
			s, ok := item.(string)
			if !ok {
				return "", false
			}
			lines = append(lines, s)
		}
		return strings.Join(lines, "\n"), true
	}
	return "", false
}

func firstOf(s string, n int) string { return s[:min(n, len(s))] }
