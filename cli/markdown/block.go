package markdown

import (
	"regexp"
	"strings"
)

var (
	headingMark = regexp.MustCompile(`^#{1,6}([ \t]+|$)`)
	headingOpen = regexp.MustCompile(`^#{1,6}[ \t]*$`)
	fenceMark   = regexp.MustCompile("^(`{3,}|~{3,})[^`]*$")
	fenceOpen   = regexp.MustCompile("^(`{1,2}|~{1,2})$")
	bulletMark  = regexp.MustCompile(`^[-*+][ \t]+(\[[ xX]\][ \t]+)?`)
	bulletOpen  = regexp.MustCompile(`^[-*+]([ \t]+(\[([ xX](\][ \t]*)?)?)?)?$`)
	numberMark  = regexp.MustCompile(`^[0-9]{1,9}[.)][ \t]+`)
	numberOpen  = regexp.MustCompile(`^[0-9]{1,9}([.)][ \t]*)?$`)
	quoteMark   = regexp.MustCompile(`^> ?`)
)

// begin decides what a line is by how it begins, and shows what stands before its text; false: more of it must come.
func (w *Writer) begin(line string, complete bool) bool {
	if w.fence != "" {
		return w.beginCode(line, complete)
	}
	text := strings.TrimLeft(line, " \t")
	if text == "" {
		if complete {
			w.endTable()
			w.take(line)
			w.blank++
			w.strong = 0
		}
		return complete
	}
	if text[0] == '|' && w.math == "" {
		if complete {
			w.rows = append(w.rows, text)
			w.take(line)
		}
		return complete
	}
	w.endTable()
	lead := strings.ReplaceAll(line[:len(line)-len(text)], "\t", "    ")
	hang, base := lead, style(0)
	for {
		mark, block := "", false
		switch {
		case w.math != "":
		case !complete && (headingOpen.MatchString(text) || fenceOpen.MatchString(text) || fenceMark.MatchString(text) || bulletOpen.MatchString(text) || numberOpen.MatchString(text) || isRule(text) || text == ">"):
			return false
		case fenceMark.MatchString(text):
			w.fence = fenceMark.FindStringSubmatch(text)[1]
			w.take(line)
			w.whole(lead, text)
			return true
		case isRule(text) && len(strings.ReplaceAll(text, " ", "")) > 2:
			w.take(line)
			w.whole(lead, strings.Repeat("─", min(max(w.flow.columns()-1-cells.StringWidth(lead), 3), 60)))
			return true
		case headingMark.MatchString(text):
			mark, base = headingMark.FindString(text), heading
		case bulletMark.MatchString(text):
			mark = bulletMark.FindString(text)
			sign := "•"
			if box := strings.IndexByte(mark, '['); box > 0 {
				sign = map[bool]string{true: "☐", false: "☑"}[mark[box+1] == ' ']
			}
			lead, hang = lead+sign+" ", hang+"  "
		case numberMark.MatchString(text):
			mark = numberMark.FindString(text)
			lead, hang = lead+strings.TrimRight(mark, " \t")+" ", hang+strings.Repeat(" ", len(strings.TrimRight(mark, " \t"))+1)
		case quoteMark.MatchString(text):
			mark, block = quoteMark.FindString(text), true
			lead, hang = lead+"│ ", hang+"│ "
		}
		text = text[len(mark):]
		if block && text == "" && !complete { // what is quoted may be no text
			return false
		}
		if !block || text == "" {
			break
		}
	}
	if base == heading {
		w.strong = 0
	}
	w.held = w.held[len(line)-len(text):]
	w.startLine(lead, hang, base)
	return true
}

// isRule says whether text is nothing but one sign of which three make a rule.
func isRule(text string) bool {
	sign := text[:1]
	return strings.Contains("-*_", sign) && strings.Trim(text, sign+" \t") == ""
}

// whole shows a line that is no text.
func (w *Writer) whole(lead, text string) {
	w.startLine(lead, "", 0)
	w.flow.raw(strings.TrimRight(text, " \t"), dim)
	w.flow.newline("")
	w.begun = false
}

// beginCode tells a line of code from the marks that end the block.
func (w *Writer) beginCode(line string, complete bool) bool {
	text := strings.TrimSpace(line)
	marks := strings.Trim(text, w.fence[:1]) == ""
	switch {
	case marks && !complete:
		return false
	case marks && len(text) >= len(w.fence):
		w.take(line)
		w.fence = ""
		w.whole(line[:strings.Index(line, text)], text)
		return true
	}
	w.blank = 0
	w.startLine("", "", 0)
	if line == "" {
		w.take(line)
		w.flow.newline("")
		w.begun = false
	}
	return true
}
