package ui

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"lian/event"
	"lian/message"
)

func TestColumnsLineUpWhereChineseAndLatinMeet(t *testing.T) {
	got := Table{
		Columns: []Column{{Name: "名称"}, {Name: "n", Right: true}},
		Rows:    [][]string{{"静夜思", "20"}, {"abc", "1,000"}, {"é混a", "3"}},
	}.String(0)
	want := "名称        n\n静夜思     20\nabc     1,000\né混a        3\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestWrappingKeepsAllTextWithinTheWidth(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		text := rapid.StringMatching(`[a-z诗词 ]{0,200}`).Draw(r, "text")
		width := rapid.IntRange(30, 100).Draw(r, "width")
		got := Table{Rows: [][]string{{"name", text}}}.String(width)
		for _, line := range strings.Split(got, "\n") {
			if w := cells.StringWidth(line); w > width {
				r.Fatalf("a line of %d columns in %d: %q", w, width, line)
			}
		}
		bare := func(s string) string { return strings.NewReplacer(" ", "", "\n", "").Replace(s) }
		if bare(got) != bare("name"+text) {
			r.Fatalf("%q became %q", text, got)
		}
	})
}

func TestTerminalCodesInTextAreDefused(t *testing.T) {
	if got := (Table{Rows: [][]string{{"a\x1b[2Jb\tc"}}}).String(0); got != "a�[2Jb c\n" {
		t.Errorf("got %q", got)
	}
}

type part struct {
	Size  int64   `json:"x_size"`
	Share float64 `json:"x_share"`
}
type report struct {
	Name    string        `json:"name"`
	Took    time.Duration `json:"x_span"`
	Inner   part          `json:"x_inner"`
	Rows    []part        `json:"x_rows"`
	Missing string        `json:"missing,omitempty"`
	Secret  int           `json:"-"`
	OK      bool          `json:"x_ok"`
}

var sampleReport = report{Name: "诗", Took: 95 * time.Second, Inner: part{5, 0.25}, Rows: []part{{1, 0.123456}, {22, 2}}, OK: true}

func outputs(lang string, asJSON bool) (*Out, *bytes.Buffer, *bytes.Buffer) {
	var stdout, stderr bytes.Buffer
	return New(lang, asJSON, &stdout, &stderr), &stdout, &stderr
}

func TestAResultIsATableForPeople(t *testing.T) {
	o, stdout, _ := outputs(message.Chinese, false)
	if err := o.Result(sampleReport); err != nil {
		t.Fatal(err)
	}
	want := "名称             诗\nx span           1m35s\nx inner x size   5\nx inner x share  0.25\nx ok             是\n\nx rows\nx size  x share\n     1   0.1235\n    22        2\n"
	if stdout.String() != want {
		t.Errorf("got\n%swant\n%s", stdout, want)
	}
}

func TestAResultIsJSONLinesForPrograms(t *testing.T) {
	o, stdout, stderr := outputs(message.English, true)
	o.Say("ui.yes")
	if err := o.Result([]report{sampleReport, {Name: "<b>"}}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[1], `"<b>"`) {
		t.Fatalf("lines: %q", lines)
	}
	var back report
	if err := json.Unmarshal([]byte(lines[0]), &back); err != nil || back.Rows[1].Size != 22 {
		t.Errorf("back = %+v, %v", back, err)
	}
	if stderr.String() != "yes\n" {
		t.Errorf("text for people went elsewhere: %q", stderr)
	}
}

func TestAnErrorPrintsNoResult(t *testing.T) {
	o, stdout, _ := outputs(message.English, false)
	if err := o.Result(sampleReport, errors.New("no")); err == nil || err.Error() != "no" || stdout.Len() > 0 {
		t.Errorf("%v, %q", err, stdout)
	}
}

func TestProgressTellsRateAndTimeLeft(t *testing.T) {
	o, stdout, stderr := outputs(message.English, false)
	now := time.Unix(0, 0)
	o.now = func() time.Time { return now }
	for done := int64(0); done <= 2000; done += 100 {
		o.Progress(event.KindProgress, event.Progress{Stage: "pretrain", Done: done, Total: 2000, Unit: "tokens", Figures: []event.Figure{{Name: "loss", Value: 3.14159}}})
		now = now.Add(time.Second)
	}
	want := "pretrain    0%  0/2,000 tokens  loss 3.142\n" +
		"pretrain   25%  500/2,000 tokens  loss 3.142  100 tokens/s  15s left\n"
	if !strings.HasPrefix(stderr.String(), want) || !strings.HasSuffix(stderr.String(), "100%  2,000/2,000 tokens  loss 3.142  100 tokens/s  took 20s\n") {
		t.Errorf("got\n%swant first\n%s", stderr, want)
	}
	if n := strings.Count(stderr.String(), "\n"); n != 5 {
		t.Errorf("%d lines, want one each 5 s", n)
	}
	if stdout.Len() > 0 {
		t.Errorf("progress on standard output: %q", stdout)
	}
}

func TestOnATerminalTheLineIsRedrawnAndMakesRoomForText(t *testing.T) {
	o, stdout, stderr := outputs(message.Chinese, false)
	o.width = func(io.Writer) int { return 24 }
	now := time.Unix(0, 0)
	o.now = func() time.Time { return now }
	show := func(done int64) string {
		stderr.Reset()
		o.Progress(event.KindProgress, event.Progress{Stage: "训练语言模型", Done: done, Total: 100, Unit: "steps"})
		return stderr.String()
	}
	const clear = "\r\x1b[K"
	first := show(0)
	if !strings.HasPrefix(first, clear+"训练语言模型") || strings.Contains(first, "\n") {
		t.Errorf("first: %q", first)
	}
	if w := cells.StringWidth(strings.TrimPrefix(first, clear)); w > 23 {
		t.Errorf("%d columns in a terminal of 24: %q", w, first)
	}
	if again := show(1); again != "" {
		t.Errorf("redrawn at once: %q", again)
	}
	o.Say("ui.yes")
	if stderr.String() != clear || stdout.String() != "是\n" {
		t.Errorf("text over the line: %q %q", stderr, stdout)
	}
	now = now.Add(redraw)
	if again := show(2); !strings.HasPrefix(again, clear) {
		t.Errorf("not drawn again: %q", again)
	}
	if last := show(100); !strings.HasSuffix(last, "\n") {
		t.Errorf("the last state is not kept: %q", last)
	}
	stderr.Reset()
	if o.Finish(); stderr.Len() > 0 {
		t.Errorf("ended twice: %q", stderr)
	}
}

func TestQuietShowsResultsOnly(t *testing.T) {
	o, stdout, stderr := outputs(message.English, false)
	o.Quiet = true
	o.Say("ui.yes")
	o.Note("ui.yes")
	o.Emit(event.KindProgress, event.Progress{Stage: "x", Done: 1})
	if stdout.Len()+stderr.Len() > 0 {
		t.Errorf("%q %q", stdout, stderr)
	}
	if err := o.Result("结果"); err != nil || stdout.String() != "结果\n" {
		t.Errorf("%v %q", err, stdout)
	}
}

func TestNumbersAreShort(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Number(0.000123456), "0.0001235"}, {Number(3), "3"}, {Number(12345.6), "12346"},
		{Duration(3725 * time.Second), "1h02m"}, {Duration(59900 * time.Millisecond), "60s"}, {Duration(1500 * time.Microsecond), "1ms"}, {Duration(-90 * time.Second), "-1m30s"},
		{Bytes(1023), "1023 B"}, {Bytes(1536), "1.5 KiB"}, {Bytes(3 << 40), "3.0 TiB"},
		{grouped(1234567), "1,234,567"}, {grouped(-123), "-123"}, {grouped(-1234), "-1,234"},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}
