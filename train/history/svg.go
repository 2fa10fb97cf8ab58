package history

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// Line is a curve of a picture.
type Line struct {
	Label string
	Series
	Dots bool // few points: each is shown
}

// colours of lines, chosen to be told apart on white and on black.
var colours = []string{"#c2452d", "#2a7fc0", "#3c8a4e", "#8a5fb5", "#c08a1e", "#258b8b", "#b54f86", "#777777"}

// SVG draws lines over tokens as a picture that stands alone, for pages that show pictures only. The first twenty-fifth of a line does not widen the picture.
func SVG(title, below string, lines []Line) string {
	const width, height, left, right, top, bottom = 760.0, 320.0, 56.0, 16.0, 34.0, 46.0
	low, high, most := math.Inf(1), math.Inf(-1), 0.0
	for _, l := range lines {
		for i, v := range l.Value {
			most = max(most, float64(l.Tokens[i]))
			if len(l.Value) < 40 || i*25 >= len(l.Value) {
				low, high = min(low, v), max(high, v)
			}
		}
	}
	if math.IsInf(low, 0) || most == 0 {
		return ""
	}
	room := max((high-low)*0.06, math.Abs(high)*0.01, 1e-9)
	low, high = low-room, high+room
	x := func(tokens int64) float64 { return left + (width-left-right)*float64(tokens)/most }
	y := func(v float64) float64 { return top + (height-top-bottom)*(high-min(v, high))/(high-low) }
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" font-family="system-ui,sans-serif" font-size="12">`, width, height)
	b.WriteString("<style>text{fill:#666}.t{fill:#222;font-weight:600;font-size:14px}.g{stroke:#8884}.p{fill:none;stroke-width:1.8}@media (prefers-color-scheme:dark){text{fill:#aaa}.t{fill:#eee}}</style>\n")
	fmt.Fprintf(&b, `<text class="t" x="%g" y="20">%s</text>`, left, html.EscapeString(title))
	for _, t := range roundNumbers(low, high, 5) {
		fmt.Fprintf(&b, `<path class="g" d="M%g %.1fH%g"/><text x="%g" y="%.1f" text-anchor="end">%s</text>`, left, y(t), width-right, left-6, y(t)+4, trimmed(t))
	}
	for _, t := range roundNumbers(0, most, 6) {
		fmt.Fprintf(&b, `<text x="%.1f" y="%g" text-anchor="middle">%s</text>`, x(int64(t)), height-bottom+18, compact(t))
	}
	fmt.Fprintf(&b, `<text x="%g" y="%g" text-anchor="middle">%s</text>`+"\n", (left+width-right)/2, height-8, html.EscapeString(below))
	at := width - right
	for i := len(lines) - 1; i >= 0; i-- {
		fmt.Fprintf(&b, `<text x="%.1f" y="20" text-anchor="end" style="fill:%s">%s</text>`, at, colours[i%len(colours)], html.EscapeString(lines[i].Label))
		at -= 14
		for _, r := range lines[i].Label {
			at -= 7
			if r > 0x2e80 {
				at -= 5
			}
		}
	}
	for i, l := range lines {
		l.Series = l.thin(500)
		fmt.Fprintf(&b, `<path class="p" stroke="%s" d="`, colours[i%len(colours)])
		for j, v := range l.Value {
			fmt.Fprintf(&b, "%s%.1f %.1f", map[bool]string{true: "M", false: "L"}[j == 0], x(l.Tokens[j]), y(v))
		}
		b.WriteString("\"/>\n")
		if l.Dots || len(l.Value) == 1 {
			for j, v := range l.Value {
				fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`, x(l.Tokens[j]), y(v), colours[i%len(colours)])
			}
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// roundNumbers are about n of them between low and high.
func roundNumbers(low, high float64, n int) (out []float64) {
	raw := (high - low) / float64(n)
	unit := math.Pow(10, math.Floor(math.Log10(raw)))
	step := unit * 10
	for _, m := range []float64{5, 2.5, 2, 1} {
		if raw <= unit*m {
			step = unit * m
		}
	}
	for i := math.Ceil(low/step - 1e-9); i*step <= high+step*1e-9; i++ {
		out = append(out, i*step+0)
	}
	return out
}

func trimmed(x float64) string { return fmt.Sprint(float64(int64(x*1e6+math.Copysign(0.5, x))) / 1e6) }

// compact writes a large number short.
func compact(x float64) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if x >= u.size {
			return trimmed(x/u.size) + u.name
		}
	}
	return trimmed(x)
}
