package markdown

import (
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// show renders a text that comes in pieces.
func show(columns int, pieces ...string) string {
	var out strings.Builder
	w := New(&out, func() int { return columns })
	for _, p := range pieces {
		w.Write(p)
	}
	w.Close()
	return out.String()
}

// readable writes styles as <codes>, so that a test can be read.
func readable(s string) string {
	return regexp.MustCompile("\x1b\\[([0-9;]*)m").ReplaceAllString(s, "<$1>")
}

func TestMarksBecomeStyles(t *testing.T) {
	for _, c := range []struct{ why, text, want string }{
		{"text is as it is", "plain text", "plain text\n"},
		{"bold, italic, both", "a **b** *c* ***d*** __e__ _f_", "a <1>b<0> <3>c <1>d<0;1> e<0> <3>f<0>\n"},
		{"products and names are no emphasis", "2*3*4 = 5 * 3, snake_case_name, 2**8**2", "2*3*4 = 5 * 3, snake_case_name, 2**8**2\n"},
		{"Chinese text has no blanks around marks", "这是**重点**，和*强调*。", "这是<1>重点<0>，和<3>强调<0>。\n"},
		{"a star alone is a star", "* a\n*not closed", "<2>• <0>a\n*not closed\n"},
		{"code keeps its marks", "run `a*b*` now", "run <36>a*b*<0> now\n"},
		{"code that holds a backtick", "``a`b``", "<36>a`b<0>\n"},
		{"a backtick alone is one", "it`s", "it`s\n"},
		{"gone", "~~gone~~ ~no~", "<9>gone<0> ~no~\n"},
		{"escapes", `\*not italic\*`, "*not italic*\n"},
		{"formulas are no emphasis", `\(a_1*b*c\) and $$x_{1}*y*$$`, `\(a_1*b*c\) and $$x_{1}*y*$$` + "\n"},
		{"links show where they lead", "[Go](https://go.dev) [1] [x]", "<4>Go<0> <2>(https://go.dev)<0> [1] [x]\n"},
		{"a picture", "![a cat](cat.png)!", "<4>a cat<0> <2>(cat.png)<0>!\n"},
		{"headings", "# One *two*\n###no\n## Three", "<1;35>One <3>two<0>\n###no\n<1;35>Three<0>\n"},
		{"lists", "- a\n  + b\n10. c\n- [ ] d\n- [x] e", "<2>• <0>a\n<2>  • <0>b\n<2>10. <0>c\n<2>☐ <0>d\n<2>☑ <0>e\n"},
		{"a year is no list", "1984. \n2024 was", "<2>1984. <0>\n2024 was\n"},
		{"rules", "a\n\n---\n* * *", "a\n\n<2>" + strings.Repeat("─", 39) + "<0>\n<2>" + strings.Repeat("─", 39) + "<0>\n"},
		{"quotes", "> a **b**\n> - c", "<2>│ <0>a <1>b<0>\n<2>│ • <0>c\n"},
		{"code is copied as it was written", "```go\nif a < b {\n\n\t**c**\n}\n```\nafter", "<2>```go<0>\n<36>if a < b {<0>\n\n<36>\t**c**<0>\n<36>}<0>\n<2>```<0>\nafter\n"},
		{"a block in a block", "````\n```\n````", "<2>````<0>\n<36>```<0>\n<2>````<0>\n"},
		{"code that does not end", "```\na", "<2>```<0>\n<36>a<0>\n"},
		{"bold ends with its paragraph", "**a\nb\n\nc", "<1>a<0>\n<1>b<0>\n\nc\n"},
		{"tables line up", "| a | 值 |\n|---|--:|\n| **b** | 1 |\n| x\\|y | 22 |\nafter", "a     值\n───  ───\nb      1\nx|y   22\nafter\n"},
		{"bars that are no table", "| a |\nb", "| a |\nb\n"},
		{"empty lines at both ends are none", "\n\na\n\n\n\n\nb\n\n", "a\n\n\nb\n"},
		{"control characters do not reach the terminal", "a\x1b[2Jb\x07\r\nc\u009bd", "a�[2Jb�\nc�d\n"},
		{"nothing", "", ""},
	} {
		if got := readable(show(40, c.text)); got != c.want {
			t.Errorf("%s: %q shows\n%q, want\n%q", c.why, c.text, got, c.want)
		}
	}
}

func TestLinesBreakBetweenWordsAndChineseCharacters(t *testing.T) {
	for _, c := range []struct{ why, text, want string }{
		{"between words", "the quick brown fox jumps", "the quick\nbrown fox\njumps\n"},
		{"under the text of an item", "- the quick brown", "• the\n  quick\n  brown\n"},
		{"between Chinese characters, no stop begins a line", "床前明月光，疑是地上霜。", "床前明月\n光，疑是地\n上霜。\n"},
		{"no bracket ends a line", "一二三四「五」", "一二三四\n「五」\n"},
		{"a long word is left to the terminal", "a https://example.com/very b", "a\nhttps://example.com/very\nb\n"},
		{"a picture of several characters stays whole", "aaaaaa 👩‍👩‍👧", "aaaaaa 👩‍👩‍👧\n"},
	} {
		got := regexp.MustCompile("<[0-9;]*>").ReplaceAllString(readable(show(11, c.text)), "")
		if got != c.want {
			t.Errorf("%s: %q shows %q, want %q", c.why, c.text, got, c.want)
		}
	}
}

func TestTextIsShownWhileItComes(t *testing.T) {
	for _, c := range []struct{ why, text, want string }{
		{"words", "Hello wor", "Hello"},
		{"a bold phrase does not wait for its end", "**Step one of", "<1>Step one"},
		{"Chinese", "床前明月", "床前明"},
		{"code", "```go\nfmt.Pri", "<2>```go<0>\n<36>fmt.Pri"},
		{"an item", "- a b", "<2>• <0>a"},
	} {
		var out strings.Builder
		w := New(&out, func() int { return 80 })
		w.Write(c.text)
		if got := readable(out.String()); got != c.want {
			t.Errorf("%s: %q shows %q, want %q", c.why, c.text, got, c.want)
		}
	}
}

// FuzzHowATextIsCutDoesNotMatter: letter by letter or at once, the same is shown, and no control character but our own styles.
func FuzzHowATextIsCutDoesNotMatter(f *testing.F) {
	for _, text := range []string{"# a **b** `c` [d](e)\n\n- *f* _g_\n1. h\n> i\n\n```\nj\n```\n| k | l |\n|---|---|\n| m | n |\n\n---\n", "**a *b* c** ***d***", "\\(a*b*\\) $$c$$ ~~d~~ ![e](f)",
		"床前明月光，**疑是**地上霜", "\x1b[31m\u009b", "a\r\n``b`c`` `", "- [x] a\n- [ ] b", "[[a](b)](c", "*" + strings.Repeat("a", 300) + "*"} {
		f.Add(text, 20)
	}
	f.Fuzz(func(t *testing.T, text string, columns int) {
		columns %= 200
		text = strings.ToValidUTF8(text, "?")
		var letters []string
		for _, r := range text {
			letters = append(letters, string(r))
		}
		whole, cut := show(columns, text), show(columns, letters...)
		if whole != cut {
			t.Fatalf("%q at once shows\n%q, letter by letter\n%q", text, whole, cut)
		}
		for _, r := range regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(whole, "") {
			if r != '\n' && r != '\t' && unicode.IsControl(r) {
				t.Fatalf("%q shows a control character: %q", text, whole)
			}
		}
	})
}
