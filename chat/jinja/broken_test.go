package jinja_test

import (
	"testing"

	"lian/chat/jinja"
	"lian/format/formattest"
)

// TestBrokenTemplatesAreErrors cuts a template everywhere and sets its numbers to
// their limits, and renders what is still one.
func TestBrokenTemplatesAreErrors(t *testing.T) {
	const source = `{%- set x = namespace(a=1) -%}{%- for m in messages[:3] -%}{{ '<|im_start|>' ~ m.role + '\n' }}{{ m.content|trim|truncate(40) }}{% if loop.index > 2 %}{{ range(4)|list }}{% endif %}` +
		`{{ '%05d' % 7 }}{{ 'ab' * 3 }}{{ 2 ** 5 }}{{ [1, 2, 3]|batch(2)|list }}{{ m.content[1:2:1] }}{{ '你好'.center(9) }}{{ m|tojson(indent=2) }}{%- endfor -%}{% macro f(a, b=3) %}{{ a * b }}{% endmacro %}{{ f(2) }}{% raw %}{{ 1 }}{% endraw %}`
	messages, err := jinja.FromJSON([]byte(`[{"role":"user","content":"你好，世界"},{"role":"assistant","content":"hello"},{"role":"user","content":"x"}]`), 1)
	if err != nil {
		t.Fatal(err)
	}
	limits := jinja.Limits{Steps: 20_000, Text: 1 << 16, Memory: 1 << 20, Depth: 20}
	formattest.Parser{Parse: func(file []byte) error {
		_, err := render(string(file), map[string]jinja.Value{"messages": messages}, limits)
		return err
	}, Text: true, Prefix: true}.Break(t, []byte(source))
}
