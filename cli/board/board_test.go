package board

import (
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"lian/cli/screentest"
	"lian/cli/ui"
	"lian/event"
	"lian/train/figure"
)

func feed(b event.Sink, from, to int) {
	for n := from; n <= to; n++ {
		b.Emit(figure.KindStep, figure.Step{Step: n, Steps: 200, Loss: 2 + 8/float64(n), Tokens: int64(n) * 512, Rate: 1000, Moving: 1200, MFU: 0.41, BitsPerByte: 1.5, GradientNorm: 0.7,
			LearningRate: 0.003, Left: 90e9, Domains: []figure.Domain{{Name: "中文", BitsPerByte: 2.25}, {Name: "en", BitsPerByte: 1.25}}})
		b.Emit(event.KindProgress, event.Progress{Stage: "pretrain", Done: int64(n), Total: 200})
	}
	b.Emit(figure.KindHeldOut, figure.HeldOut{Step: to, BitsPerByte: 1.75})
	b.Emit(figure.KindPrompts, figure.Prompts{Step: to, Prompts: []string{"床前"}, Answers: []string{"明月光，\x1b[2J疑是地上霜。举头望明月，低头思故乡。床前明月光，疑是地上霜。举头望明月，低头思故乡。"}})
}

func TestTheBoardFitsEveryTerminal(t *testing.T) {
	for _, lang := range []string{"en", "zh"} {
		for _, columns := range []int{40, 60, 80, 200} {
			for _, lines := range []int{6, 12, 24, 60} {
				b := &Board{out: ui.New(lang, false, io.Discard, io.Discard), rest: event.Discard}
				feed(b, 1, 100)
				got := b.state.Lines(lang, columns, lines)
				if len(got) >= lines {
					t.Errorf("%d lines in %d", len(got), lines)
				}
				for _, l := range got {
					if ui.Columns(l) >= columns {
						t.Errorf("%s: %d columns of %d: %q", lang, ui.Columns(l), columns, l)
					}
				}
			}
		}
	}
}

func TestAFrameTakesThePlaceOfTheOneBefore(t *testing.T) {
	x := screentest.Open(t, 60, 24)
	out := ui.New("zh", false, x.File, x.File)
	b := New(out, out)
	feed(b, 1, 50)
	x.Await(`第 50/200 步`)
	x.Await(`床前明月光`)
	x.Resize(60, 30)
	out.Note("ui.left", "注意")
	feed(b, 51, 100)
	b.Emit("train.refused", map[string]any{"step": 99, "action": "skip", "reason": "loss"})
	feed(b, 101, 101)
	b.Close()
	x.Await(`! refused: skip: loss`)
	shown := x.Shown()
	if n := len(regexp.MustCompile(`步 \d+%`).FindAllString(shown, -1)); n != 1 {
		t.Errorf("%d frames stand on the screen:\n%s", n, shown)
	}
	for _, want := range []string{"剩余 注意", "留出 1.75（最佳 1.75）", "中文 2.25", "MFU 41.0 %", "1200 词元/秒"} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not on the screen:\n%s", want, shown)
		}
	}
	if os.Getenv("LIAN_SHOW") != "" {
		t.Log("\n" + shown)
	}
}

func TestALongCurveIsHalvedAndKeepsItsShape(t *testing.T) {
	var s State
	for n := 1; n <= 3*most; n++ {
		s.add(figure.Step{Step: n, Steps: 3 * most, Loss: float64(n)})
	}
	if len(s.loss) >= most || len(s.loss) < most/4 {
		t.Fatalf("%d points", len(s.loss))
	}
	for i := 1; i < len(s.loss); i++ {
		if s.loss[i] <= s.loss[i-1] {
			t.Fatalf("point %d falls", i)
		}
	}
}
