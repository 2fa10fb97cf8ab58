package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"regexp"
	"sync"

	"lian/message"
)

//go:embed page.html
var pageText string

//go:embed style.css
var styleText string

//go:embed page.js
var scriptText string

var page = sync.OnceValues(func() (*template.Template, error) {
	return template.New("page.html").Funcs(template.FuncMap{
		"t":        func(key string, args ...any) template.HTML { return sayHTML(key, args...) },
		"named":    func(prefix, name string) template.HTML { return sayOr(prefix, name).html() },
		"plain":    func(lang, key string, args ...any) string { return say(key, args...).in(lang) },
		"count":    func(n any) (template.HTML, error) { return integer(n, count) },
		"size":     func(n any) (template.HTML, error) { return integer(n, size) },
		"memory":   func(n any) (template.HTML, error) { return integer(n, memory) },
		"duration": func(s float64) template.HTML { return duration(s).html() },
		"percent":  percent,
		"points":   points,
		"pvalue":   probability,
		"short":    short,
		"clip":     clip,
		"few":      few,
		"oneline":  oneline,
		"fixed":    func(digits int, x float64) string { return fixed(x, digits) },
		"times100": func(x float64) string { return xy(min(max(x, 0), 1) * 100) },
		"sub":      func(a, b float64) float64 { return a - b },
		"gap":      func() template.HTML { return `<span class="en"> </span>` }, // between sentences
		"css":      func() template.CSS { return template.CSS(styleText) },
		"js":       func() template.JS { return template.JS(scriptText) },

		"lossChart": lossChart, "funnelChart": funnelChart, "timeChart": timeChart,
		"quantizeSizes": quantizeSizes, "quantizeSpeeds": quantizeSpeeds,
	}).Parse(pageText)
})

// sayHTML is say for the template, where arguments may be HTML already.
func sayHTML(key string, args ...any) template.HTML {
	in := func(lang string) string {
		values := make([]any, len(args))
		for i, a := range args {
			switch a := a.(type) {
			case template.HTML:
				values[i] = string(a)
			default:
				values[i] = template.HTMLEscapeString(fmt.Sprint(a))
			}
		}
		return message.Text(lang, key, values...) // our own texts: they may hold mark-up
	}
	return bothHTML(in(message.English), hanSpace.ReplaceAllString(in(message.Chinese), "$1$2$3"))
}

// hanSpace is a space between Chinese characters, which a number that ends in 万 or
// 秒 leaves behind it. English stands beside every Chinese text in the mark-up, so
// closing tags may lie between.
var hanSpace = regexp.MustCompile(`(\p{Han})((?:</span>)*) (\p{Han})`)

func integer(n any, write func(int64) words) (template.HTML, error) {
	switch n := n.(type) {
	case int:
		return write(int64(n)).html(), nil
	case int64:
		return write(n).html(), nil
	}
	return "", fmt.Errorf("expected a whole number, found %T", n)
}

// Render makes the page.
func Render(card *Card) ([]byte, error) {
	t, err := page()
	if err != nil {
		return nil, fmt.Errorf("report page: %w", err)
	}
	if card.Lang != message.Chinese {
		copied := *card
		copied.Lang = message.English
		card = &copied
	}
	var b bytes.Buffer
	if err := t.Execute(&b, view{card}); err != nil {
		return nil, fmt.Errorf("report page: %w", err)
	}
	return b.Bytes(), nil
}
