package rule

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"lian/data/document"
)

func TestLanguage(t *testing.T) {
	for _, c := range []struct{ kind, text, want string }{
		{"text", "The river is wide and the boat is small.", "en"},
		{"text", "今天天气很好，我们去公园散步。", "zh"},
		{"text", "用 Go 写的程序 runs fast，很好用。", "zh"},
		{"text", "繁體中文的筆記也算中文。", "zh"},
		{"text", "Release notes", "en"},
		{"text", "これは日本語の文章です。ひらがなが多い。", "other"},
		{"text", "이것은 한국어 문장입니다.", "other"},
		{"text", "Это русский текст для проверки.", "other"},
		{"text", "Le château est très beau et la rivière coule à côté de la forêt où l'été", "other"},
		{"text", "if (a == b) { x[i] = y(); return (z); }", "code"},
		{"code", "今天", "code"},
		{"poem", "春曉\n孟浩然\n春眠不覺曉，處處聞啼鳥。", "zh"},
		{"text", "", "other"},
		{"text", "12345 67890", "other"},
	} {
		if got := Language(c.kind, c.text); got != c.want {
			t.Errorf("%s %q: %s, want %s", c.kind, c.text, got, c.want)
		}
	}
}

func TestCleaning(t *testing.T) {
	for in, want := range map[string]string{
		"a\r\nb\rc":              "a\nb\nc",
		"a  \t\n\n\n\n b\u3000":  "a\n\n b",
		"\ufeffa\u200bb\x00\x07": "ab",
		"e\u0301":                "é",
		"bad\xff\xfebytes":       "bad\uFFFDbytes",
		"\n\n a":                 " a",
		"中文\u00a0全角　空格":          "中文 全角　空格",
		"":                       "",
	} {
		if got := Clean(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		once := Clean(rapid.String().Draw(t, "text"))
		if twice := Clean(once); twice != once {
			t.Fatalf("cleaning %q again gives %q", once, twice)
		}
	})
}

func judge(kind, text string) (document.Verdict, bool) {
	d := document.Document{Kind: kind, Text: text, Language: Language(kind, text)}
	d.Verdicts = Documents().Judge(&d)
	return d.Rejected()
}

func TestDefaultRules(t *testing.T) {
	for _, c := range []struct{ why, kind, text, want string }{
		{"a short Chinese note", "markdown", "# 午饭\n\n中午在湖边吃饭，有鱼有饭。", ""},
		{"a short English note", "text", "Buy milk and bread on Friday.", ""},
		{"Chinese without ASCII marks", "text", "春天来了！花开了吗？开了。……真好。", ""},
		{"a poem", "poem", "静夜思\n李白\n床前明月光，疑是地上霜。", ""},
		{"nothing said", "text", "ok", "word_count"},
		{"lost characters", "poem", "無題\n闕名\n□□□□□，□□□□□。□□□□□，□□□□□。", "replacement_ratio"},
		{"numbers only", "text", "12 34 56 78 90 12 34 56 78 90 11 22", "alphabetic_words"},
		{"one line over and over", "text", strings.Repeat("Click here to read more about this.\n", 20), "duplicate_lines"},
		{"the same in Chinese", "text", strings.Repeat("点击这里查看更多的内容。\n", 20), "duplicate_lines"},
		{"base64", "text", "the data " + strings.Repeat("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo", 6) + " is here now", "mean_word_length"},
		{"decoration", "text", "======== ~~~~~~~~ ******** a b c d e f g h", "symbol_ratio"},
	} {
		v, rejected := judge(c.kind, c.text)
		if got := v.Rule; rejected != (c.want != "") || rejected && got != c.want {
			t.Errorf("%s: rejected %v by %q (%s), want %q", c.why, rejected, got, v.Reason, c.want)
		}
	}
}

func TestVerdictCarriesValueAndLimits(t *testing.T) {
	low, high := 2.0, 5.0
	l := Limits{Min: &low, Max: &high}
	for value, keep := range map[float64]bool{1: false, 2: true, 5: true, 5.01: false} {
		v := Within("r", value, l)
		if v.Keep != keep || v.Value != value || v.Min != 2 || v.Max != 5 || (v.Reason == "") != keep {
			t.Errorf("%v: %+v", value, v)
		}
	}
}

func TestRuleFilesWithWrongNamesAreRefused(t *testing.T) {
	for content, want := range map[string]string{
		"- {rule: word_cuont}":                                   "no rule is called",
		"- {rule: word_count, limits: {prose: {min: 1}}}":        "KIND/LANGUAGE",
		"- {rule: word_count, limits: {prose/fr: {min: 1}}}":     "KIND/LANGUAGE",
		"- {rule: word_count, limits: {prose/en: {minimum: 1}}}": "minimum",
	} {
		if _, err := Parse("f.yaml", []byte(content)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", content, err, want)
		}
	}
	if len(Gopher()) < 15 || len(Documents()) < 8 {
		t.Error("a built-in rule set is short")
	}
}

func FuzzWords(f *testing.F) {
	f.Add("don't 春眠 a1b2 l’eau\xff")
	f.Fuzz(func(t *testing.T, text string) {
		end := 0
		for _, w := range Words(text) {
			if w.Start < end || w.End <= w.Start || w.End > len(text) {
				t.Fatalf("%q: word %+v after %d", text, w, end)
			}
			end = w.End
		}
		look := Look(text)
		for _, name := range Names() {
			if v := Measure(name, look); v != v || v < 0 {
				t.Fatalf("%q: %s is %v", text, name, v)
			}
		}
	})
}
