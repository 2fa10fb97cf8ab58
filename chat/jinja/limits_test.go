package jinja_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"lian/chat/jinja"
)

func render(source string, names map[string]jinja.Value, limits jinja.Limits) (jinja.Output, error) {
	program, err := jinja.Parse("test", source)
	if err != nil {
		return jinja.Output{}, err
	}
	return program.Render(names, jinja.Options{Limits: limits, Now: func() time.Time { return clock }})
}

func TestNoTemplateRunsAway(t *testing.T) {
	loops := strings.Repeat("{% for x in range(100000) %}", 8) + strings.Repeat("{% endfor %}", 8)
	for _, c := range []struct{ why, source, kind string }{
		{"nested loops", loops, jinja.LimitError},
		{"endless recursion of a macro", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", jinja.LimitError},
		{"endless recursion of a loop", "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", jinja.LimitError},
		{"doubling text", "{% set ns = namespace(s='诗') %}{% for x in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}", jinja.LimitError},
		{"doubling list", "{% set ns = namespace(s=[1]) %}{% for x in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}", jinja.LimitError},
		{"repeated text", "{{ 'x' * 99999999999 }}", jinja.LimitError},
		{"repeated list", "{{ ([1] * 99999999999)|length }}", jinja.LimitError},
		{"repeated empty text", "{{ '' * 99999999999 }}", ""},
		{"wide format", "{{ '%999999999d' % 1 }}", jinja.LimitError},
		{"wide braces", "{{ '{:999999999}'.format(1) }}", jinja.LimitError},
		{"precise format", "{{ '%.999999999f' % 1 }}", jinja.LimitError},
		{"wide groups", "{{ '{:0999999999,}'.format(1) }}", jinja.LimitError},
		{"wide groups within the limit", "{{ '{:01000000,}'.format(1)|length }}", ""},
		{"width as an argument", "{{ '%*d' % (999999999, 1) }}{{ '{:{}}'.format(1, 999999999) }}", jinja.LimitError},
		{"wide centre", "{{ 'x'|center(9999999999) }}", jinja.LimitError},
		{"wide zfill", "{{ 'x'.zfill(9999999999) }}", jinja.LimitError},
		{"wide indent", "{{ 'x\ny'|indent(9999999999) }}", jinja.LimitError},
		{"wide JSON", "{{ [[1]]|tojson(indent=9999999999) }}", jinja.LimitError},
		{"wide tabs", "{{ 'a\\tb'.expandtabs(9999999999) }}", jinja.LimitError},
		{"huge power", "{{ 9 ** 999999 }}", jinja.LimitError},
		{"power tower", "{{ (2 ** 63) ** 9999999 }}", jinja.LimitError},
		{"power of one", "{{ (-1) ** 99999999999999999999999 }}", ""},
		{"growing integer", "{% set ns = namespace(n=9) %}{% for x in range(99) %}{% set ns.n = ns.n * ns.n %}{% endfor %}", jinja.LimitError},
		{"big range", "{{ range(99999999)|list }}", jinja.OverflowError},
		{"deep data", "{% set ns = namespace(s=[]) %}{% for x in range(9999) %}{% set ns.s = [ns.s] %}{% endfor %}{{ ns.s }}", jinja.LimitError},
		{"deep data compared", "{% set ns = namespace(s=[],t=[]) %}{% for x in range(9999) %}{% set ns.s = [ns.s] %}{% set ns.t = [ns.t] %}{% endfor %}{{ ns.s == ns.t }}", jinja.LimitError},
		{"deep JSON", "{% set ns = namespace(s=[]) %}{% for x in range(9999) %}{% set ns.s = [ns.s] %}{% endfor %}{{ ns.s|tojson }}", jinja.LimitError},
		{"many slices", "{{ [1]|slice(99999999999)|list|length }}", jinja.LimitError},
		{"filled batch", "{{ [1]|batch(99999999999, 0)|list|length }}", jinja.LimitError},
		{"deep brackets", "{{ " + strings.Repeat("(", 5000) + "1" + strings.Repeat(")", 5000) + " }}", jinja.SyntaxError},
		{"deep tags", strings.Repeat("{% if 1 %}", 5000) + strings.Repeat("{% endif %}", 5000), jinja.SyntaxError},
		{"long chain", "{{ 1" + strings.Repeat("+1", 100000) + " }}", jinja.SyntaxError},
		{"long negation", "{{ " + strings.Repeat("not ", 100000) + "1 }}", jinja.SyntaxError},
		{"long postfix", "{{ a" + strings.Repeat(".a", 100000) + " }}", jinja.SyntaxError},
		{"huge source", strings.Repeat("x", 2<<20), jinja.LimitError},
	} {
		start := time.Now()
		_, err := render(c.source, nil, jinja.Limits{Steps: 2_000_000, Text: 1 << 20, Memory: 64 << 20})
		if c.kind == "" && err != nil || c.kind != "" && !jinja.IsKind(err, c.kind) {
			text := "no error"
			if err != nil {
				text = err.Error()
			}
			t.Errorf("%s: %.200s, expected %q", c.why, text, c.kind)
		}
		t.Logf("%s: %v", c.why, time.Since(start))
	}
}

// The data of origin 1 must be told from the template's own bytes whatever is
// done with it.
func TestOriginsSurviveWhatTemplatesDo(t *testing.T) {
	data, err := jinja.FromJSON([]byte(`{"s": "  你好，World <b>  ", "n": 7, "l": ["甲", "乙"], "d": {"k": "v", "n": 1.5}}`), 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ source, own string }{
		{"[{{ d.s }}]", "[]"},
		{"[{{ d.s|trim }}]", "[]"},
		{"[{{ d.s|trim|upper }}]", "[]"},
		{"[{{ d.s[2:5] ~ '-' ~ d.s[3] }}]", "[-]"},
		{"{{ '<' + d.s + '>' }}", "<>"},
		{"{{ d.s.split('，')[1].strip() + '!' }}", "!"},
		{"{{ d.s.replace('你', 'X') }}", "X"},
		{"{{ d.l|join('; ') }}", "; "},
		{"{{ ', '.join(d.l) }}", ", "},
		{"{{ d.d|tojson }}", ""},
		{"{{ [d.s, 'x']|tojson }}", `[, "x"]`},
		{"{{ d.l }}", ""},
		{"{{ d.n }}{{ d.n + 1 }}{{ 3 }}", "3"},
		{"{{ '%s=%5d' % (d.s, d.n) }}", "=    "},
		{"{{ '{}|{:>4}'.format(d.s, d.n) }}", "|   "},
		{"{% macro f(x) %}({{ x }}){% endmacro %}{{ f(d.s) }}", "()"},
		{"{% set x %}a{{ d.s }}b{% endset %}{{ x|trim }}", "ab"},
		{"{% for k, v in d.d|items %}{{ k }}:{{ v }};{% endfor %}", ":;:;"},
		{"{% for c in d.s|trim %}{{ c }}.{% endfor %}", "..............."[:0] + strings.Repeat(".", 12)},
		{"{{ d.s|indent(2, true) }}", "  "},
		{"{% filter lower %}A{{ d.s }}{% endfilter %}", "a"},
		{"{{ d.l|map('upper')|list|first }}!", "!"},
		{"{{ dict(**d.d)|tojson }}", "{: , : }"},
		{"{{ '{:*^5}'.format(d.n) }}{{ '%c' % d.n }}", "****"},
		{"{{ (d.l[0] ~ '{:*^5}').format('x')[1:] }}", "x"},
		{"{{ strftime_now(d.l[0]) }}", ""},
		{"{{ d.s.swapcase()|capitalize|lower }}{{ d.s|truncate(4, true, '') }}{{ d.l|map('upper')|join }}", ""},
		{"{{ d.s.title() }}{{ d.s|reverse }}{{ d.s[::-1] }}", ""},
	} {
		out, err := render(c.source, map[string]jinja.Value{"d": data}, jinja.Limits{})
		if err != nil {
			t.Errorf("%s: %v", c.source, err)
			continue
		}
		own, at := "", 0
		for _, run := range out.Runs {
			if run.Origin == jinja.Template {
				own += out.Text[at:run.End]
			}
			at = run.End
		}
		if own != c.own || at != len(out.Text) {
			t.Errorf("%s: the template wrote %q of %q, expected %q", c.source, own, out.Text, c.own)
		}
	}
}

func TestErrorsNameTheirPlace(t *testing.T) {
	for source, line := range map[string]int{"\n\n{{ 1 + 'a' }}": 3, "a\n{% if %}": 2, "{{ x.y }}": 1, "{#\n\n#}\n{{ raise_exception('不行') }}": 4} {
		_, err := render(source, nil, jinja.Limits{})
		var e *jinja.Error
		if !errors.As(err, &e) || e.Line != line || e.Template != "test" {
			t.Errorf("%q: %v, expected line %d", source, err, line)
		}
	}
}

// What hub templates use that the golden snippets do not show.
func TestMoreOfPython(t *testing.T) {
	for source, want := range map[string]string{
		`{{ '%+.1e|%x|%-5s|%%' % (12345.678, 255, '诗') }}`:                                         "+1.2e+04|ff|诗    |%",
		`{{ '{:,}|{:^7}|{:+d}|{!r}'.format(1234567, '中', 5, 'x') }}`:                               "1,234,567|   中   |+5|'x'",
		`{{ '%g %g' % (0.00001, 1234567.0) }}`:                                                     "1e-05 1.23457e+06",
		`{{ ' a  b c '.rsplit(none, 1) }}`:                                                         "[' a  b', 'c']",
		`{{ 'a b c'.split(' ', 1) }}`:                                                              "['a', 'b c']",
		`{{ 'aXbXc'.replace('', '-') }}`:                                                           "-a-X-b-X-c-",
		`{{ "it's " ~ ['x', "y'z"] }}`:                                                             `it's ['x', "y'z"]`,
		`{{ [3, 1]|sort|join }}{{ 'abc'|last }}`:                                                   "13c",
		`{% for x in [1, 2, 3] if x != 2 %}{{ loop.index }}{% endfor %}`:                           "12",
		`{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}`:                                          "3",
		`{{ (1, 2) == (1, 2) }}{{ [1] == (1,) }}`:                                                  "TrueFalse",
		`{{ {'a': {'b': 1}}['a']['b'] }}`:                                                          "1",
		`{{ '\u4f60\u597d \ud83d\ude00' }}`:                                                        "你好 😀",
		`{{ "a" if false }}`:                                                                       "",
		`{{ [1, 2, 3][-2:] }}{{ 'abc'[5:1] }}`:                                                     "[2, 3]",
		`{{ none is none and 1 is not string }}`:                                                   "True",
		`{{ {'b': 1}.items()|list }}{{ {'a': 1}|length }}`:                                         "[('b', 1)]1",
		`{{ -7 // 2 }}{{ -7 % 3 }}{{ 7.5 // 2 }}`:                                                  "-423.0",
		`{{ 10 ** 20 + 1 }}`:                                                                       "100000000000000000001",
		`{{ messages|default([], true)|length }}`:                                                  "0",
		`{{ 'x' in ['x'] and 'y' not in 'xz' }}`:                                                   "True",
		`{{ ['a', 'b']|map('upper')|join('，') }}`:                                                  "A，B",
		`{% if 'a' is in ['a'] %}是{% endif %}`:                                                     "是",
		`{{ 5.0|int }}{{ '7'|int + 1 }}{{ 1.5|string }}`:                                           "581.5",
		`{% set x = namespace(a=[]) %}{% set x.a = x.a + [1] %}{{ x.a }}`:                          "[1]",
		`{{ "%s" | format("诗") }}{{ '你好'|wordcount }}`:                                             "诗1",
		`{{ 'a-b'.partition('-')[2] }}{{ 'abc'.find('c', -1) }}`:                                   "b2",
		`{% for x in [1, 2] %}{% if x == 1 %}{% break %}{% endif %}{% else %}无{% endfor %}`:        "无",
		`{% for x in [1, 2] %}{{ x }}{% if x == 2 %}{% break %}{% endif %}{% else %}无{% endfor %}`: "12",
		`{% for x in [1, 2] %}{% continue %}{% else %}无{% endfor %}`:                               "无",
		`{% for x in [] %}{% else %}无{% endfor %}`:                                                 "无",
		`{{ 'a\u3000b'.split() }}`:                                                                 "['a', 'b']",
	} {
		if out, err := render(source, nil, jinja.Limits{}); err != nil || out.Text != want {
			t.Errorf("%s: %q %v, expected %q", source, out.Text, err, want)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{
		"{% for m in l %}{{ m|tojson }}{% endfor %}", "{{ s[1:][::-1].split('x')|map('upper')|join }}", "{% macro f(a, b=1) %}{{ a }}{% endmacro %}{{ f(*l) }}",
		"{%- set x = namespace(a=1) -%}{% set x.a = s ~ 2 %}{{ x.a }}", "{% raw %}{{{% endraw %}{# c -#}", "{{ '%5.2f|%s' % (f, s) }}{{ '{0[a]}'.format(d) }}",
		"{% generation %}{{ s }}{% endgeneration %}", "{{ l|groupby('x')|list }}{{ d|dictsort }}{{ s|truncate(3) }}", "{% call(x) f() %}{% endcall %}",
	} {
		f.Add(seed)
	}
	corpus, err := os.ReadFile("testdata/transformers.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	for i, line := range strings.Split(string(corpus), "\n") {
		var c struct{ T string }
		if i%8 == 1 && json.Unmarshal([]byte(line), &c) == nil {
			f.Add(c.T)
		}
	}
	limits := jinja.Limits{Steps: 20_000, Text: 1 << 16, Memory: 1 << 20, Depth: 20}
	data, err := jinja.FromJSON([]byte(`{"s": "你好 world", "n": 3, "f": 2.5, "l": [1, "a", {"x": null}], "d": {"a": [true]}}`), 1)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, source string) {
		names := map[string]jinja.Value{}
		for _, name := range []string{"s", "n", "f", "l", "d"} {
			names[name] = data
		}
		out, err := render(source, names, limits)
		if err != nil {
			var e *jinja.Error
			if !errors.As(err, &e) || e.Kind == "" {
				t.Fatalf("%q: %T %v", source, err, err)
			}
			return
		}
		at := 0
		for _, run := range out.Runs {
			if run.End <= at {
				t.Fatalf("%q: runs %v", source, out.Runs)
			}
			at = run.End
		}
		if at != len(out.Text) {
			t.Fatalf("%q: runs end at %d of %d", source, at, len(out.Text))
		}
	})
}
