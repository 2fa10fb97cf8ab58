package instruct

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"lian/data/document"
)

// Facts are a document's named parts, short enough to be asked about.
//
//	go     qualified, short, package, what, signature, error, sentence
//	poem   title, short_title, author, couplet, next, form, regular, part, part_label
//	prose  heading, file, key, sentence, opening, rest, first, part, part_label
//	code   file, line, next, first, name, part, part_label
type Facts map[string]string

// FactsOf gives the views of a document: the same document with another
// sentence, couplet or part in each. Templates use all views that differ in
// what they ask.
func FactsOf(d *document.Document) []Facts {
	switch d.Kind {
	case document.KindGo:
		return goFacts(d)
	case document.KindPoem:
		return poemFacts(d)
	case document.KindCode:
		return codeFacts(d)
	}
	return proseFacts(d)
}

const (
	longestKey  = 48 // bytes of what is searched for or copied
	shortKey    = 12 // bytes that a small model copies without a slip: four Han characters
	longestLine = 160
)

// askable keeps what can stand between quotes in a question.
func askable(s string, limit int) string {
	s = strings.TrimSpace(s)
	if len(s) > limit || strings.ContainsAny(s, "\"\n\\{}<>") {
		return ""
	}
	return s
}

func goFacts(d *document.Document) []Facts {
	f := d.Fields
	what := map[string]string{"func": "function", "method": "method", "type": "type", "const": "constant", "var": "variable"}[f["what"]]
	if what == "" || f["exported"] != "yes" {
		return nil
	}
	signature, _, _ := strings.Cut(f["signature"], "\n")
	sentence := strings.Join(strings.Fields(new(doc.Package).Synopsis(f["doc"])), " ")
	if len(sentence) > longestLine {
		sentence = ""
	}
	facts := Facts{
		"qualified": askable(f["package"]+"."+f["name"], 36),
		"package":   f["package"],
		"what":      what,
		"sentence":  sentence,
	}
	if len(signature) <= longestLine && !strings.HasSuffix(signature, "(") {
		facts["signature"] = strings.TrimSpace(signature)
	}
	if len(f["name"]) >= 4 {
		facts["short"] = askable(f["name"], 24)
	}
	if what == "function" || what == "method" {
		facts["error"] = returnsError(f["signature"])
	}
	return []Facts{facts}
}

// returnsError is yes or no, or empty for what does not parse.
func returnsError(signature string) string {
	file, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+signature, parser.SkipObjectResolution)
	if err != nil || len(file.Decls) != 1 {
		return ""
	}
	function, ok := file.Decls[0].(*ast.FuncDecl)
	if !ok {
		return ""
	}
	if function.Type.Results != nil {
		for _, result := range function.Type.Results.List {
			if name, ok := result.Type.(*ast.Ident); ok && name.Name == "error" {
				return "yes"
			}
		}
	}
	return "no"
}

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

func with(base Facts, pairs ...string) Facts {
	f := make(Facts, len(base)+len(pairs)/2)
	for k, v := range base {
		f[k] = v
	}
	for i := 0; i < len(pairs); i += 2 {
		f[pairs[i]] = pairs[i+1]
	}
	return f
}

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
