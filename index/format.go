package index

import (
	"strings"
	"unicode/utf8"
)

// snippetBytes is how much of a document a search result shows.
const snippetBytes = 240

// NoHits is what a search that found nothing says to the model.
const NoHits = "nothing found"

// Format writes hits as a search tool's result: for each its source, where it
// has one, and the beginning of its text, between blank lines. Models are
// taught on exactly this, so it changes only together with data/instruct.
func Format(hits []Hit) string {
	if len(hits) == 0 {
		return NoHits
	}
	parts := make([]string, len(hits))
	for i, h := range hits {
		parts[i] = Snippet(h.Text, snippetBytes)
		if h.Source != "" {
			parts[i] = h.Source + "\n" + parts[i]
		}
	}
	return strings.Join(parts, "\n\n")
}

// Snippet is the beginning of a text without empty lines, at most limit bytes,
// cut at a line end or blank where there is one, never within a character.
func Snippet(text string, limit int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(line)
		if b.Len() > limit {
			break
		}
	}
	s := b.String()
	if len(s) <= limit {
		return s
	}
	cut := limit
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	if i := strings.LastIndexAny(s[:cut], " \n"); i > cut/2 {
		cut = i
	}
	return strings.TrimSpace(s[:cut]) + " …"
}
