package report

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"

	"lian/message"
)

// words is a text in both languages, not escaped.
type words struct{ en, zh string }

// html shows both; the style sheet hides one. Nested texts work the same way: what
// stands within a hidden text is hidden.
func (w words) html() template.HTML {
	en, zh := template.HTMLEscapeString(w.en), template.HTMLEscapeString(w.zh)
	return bothHTML(en, zh)
}

func bothHTML(en, zh string) template.HTML {
	if en == zh {
		return template.HTML(en)
	}
	return template.HTML(`<span class="en">` + en + `</span><span class="zh">` + zh + `</span>`)
}

func (w words) in(lang string) string {
	if lang == message.Chinese {
		return w.zh
	}
	return w.en
}

// say is a message in both languages. Arguments of type words are put in by
// language; others as fmt prints them.
func say(key string, args ...any) words {
	in := func(lang string) string {
		values := make([]any, len(args))
		for i, a := range args {
			switch a := a.(type) {
			case words:
				values[i] = a.in(lang)
			default:
				values[i] = fmt.Sprint(a)
			}
		}
		return message.Text(lang, key, values...)
	}
	return words{in(message.English), hanSpace.ReplaceAllString(in(message.Chinese), "$1$2$3")}
}

// sayOr is a message if there is one, or else the name itself: for names that steps
// choose.
func sayOr(prefix, name string) words {
	if message.Has(prefix + name) {
		return say(prefix + name)
	}
	plain := strings.ReplaceAll(name, "_", " ")
	return words{plain, plain}
}

// count is a number of things, rounded where nobody counts them.
func count(n int64) words {
	return words{countEN(n), countZH(n)}
}

func countEN(n int64) string {
	switch {
	case n >= 999_500_000:
		return short(float64(n)/1e9) + "\u00a0billion"
	case n >= 999_500:
		return short(float64(n)/1e6) + "\u00a0million"
	}
	return grouped(n)
}

func countZH(n int64) string {
	switch {
	case n >= 99_500_000:
		return short(float64(n)/1e8) + "\u00a0亿"
	case n >= 99_500:
		return short(float64(n)/1e4) + "\u00a0万"
	}
	return grouped(n)
}

// grouped writes 12,345.
func grouped(n int64) string {
	if n < 0 {
		return "−" + grouped(-n)
	}
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// short keeps two or three digits.
func short(x float64) string {
	switch {
	case x == 0:
		return "0"
	case math.Abs(x) >= 100:
		return grouped(int64(math.Round(x)))
	case math.Abs(x) >= 9.95:
		return strings.TrimSuffix(strconv.FormatFloat(x, 'f', 1, 64), ".0")
	case math.Abs(x) >= 0.0995:
		return strings.TrimRight(strings.TrimRight(strconv.FormatFloat(x, 'f', 2, 64), "0"), ".")
	}
	return strconv.FormatFloat(x, 'g', 2, 64)
}

// size is bytes for people, in powers of ten.
func size(n int64) words {
	x, unit := float64(n), "B"
	for _, u := range []string{"kB", "MB", "GB", "TB"} {
		if x < 999.5 {
			break
		}
		x, unit = x/1000, u
	}
	text := short(x)
	if unit == "B" {
		text = grouped(n)
	} else if x >= 1 && x < 9.95 {
		text = strconv.FormatFloat(x, 'f', 1, 64)
	}
	return words{text + "\u00a0" + unit, text + "\u00a0" + unit}
}

// memory is bytes in powers of two, as memory is counted.
func memory(n int64) words {
	var text string
	if n >= 1<<30 {
		text = strconv.FormatFloat(float64(n)/(1<<30), 'f', 2, 64) + "\u00a0GiB"
	} else {
		text = strconv.FormatInt((n+1<<19)>>20, 10) + "\u00a0MiB"
	}
	return words{text, text}
}

// duration is seconds for people.
func duration(s float64) words {
	switch {
	case s < 0.0995:
		t := strconv.FormatFloat(s*1000, 'f', 0, 64)
		return words{t + "\u00a0ms", t + " 毫秒"}
	case s < 9.95:
		t := strconv.FormatFloat(s, 'f', 1, 64)
		return words{t + "\u00a0s", t + " 秒"}
	}
	n := int(math.Round(s))
	switch {
	case n < 60:
		return words{fmt.Sprintf("%d\u00a0s", n), fmt.Sprintf("%d 秒", n)}
	case n < 3600 && n%60 == 0:
		return words{fmt.Sprintf("%d\u00a0min", n/60), fmt.Sprintf("%d 分钟", n/60)}
	case n < 3600:
		return words{fmt.Sprintf("%d\u00a0min %d\u00a0s", n/60, n%60), fmt.Sprintf("%d 分 %d 秒", n/60, n%60)}
	}
	return words{fmt.Sprintf("%d\u00a0h %d\u00a0min", n/3600, n%3600/60), fmt.Sprintf("%d 小时 %d 分", n/3600, n%3600/60)}
}

// percent of a share.
func percent(x float64) string {
	p := x * 100
	if p != 0 && math.Abs(p) < 9.95 || p > 99 && p < 100 {
		return strings.TrimSuffix(strconv.FormatFloat(p, 'f', 1, 64), ".0") + "%"
	}
	return strconv.FormatFloat(p, 'f', 0, 64) + "%"
}

// points is a difference of two shares, with its sign.
func points(x float64) string {
	text := strconv.FormatFloat(math.Abs(x)*100, 'f', 1, 64)
	switch {
	case text == "0.0":
		return "0"
	case x < 0:
		return "−" + text
	}
	return "+" + text
}

// probability of a test, never shown as zero.
func probability(p float64) string {
	if p < 0.001 {
		return "p < 0.001"
	}
	return "p = " + strconv.FormatFloat(p, 'f', 3, 64)
}

func fixed(x float64, digits int) string {
	return strings.Replace(strconv.FormatFloat(x, 'f', digits, 64), "-", "−", 1)
}

// clip shortens a long text at a character's edge and says so with an ellipsis.
func clip(text string, characters int) string {
	runes := []rune(strings.TrimSpace(text))
	if len(runes) <= characters {
		return string(runes)
	}
	return strings.TrimSpace(string(runes[:characters])) + " …"
}
