package talk

import (
	"bytes"
	"strings"
	"testing"

	"lian/chain/step"
	"lian/chat"
	"lian/cli/screentest"
	"lian/cli/ui"
	"lian/message"
)

// answer shows an answer with a thought before it.
func (t *Talk) showThoughtful(test *testing.T) {
	test.Helper()
	_, err := t.show(func(show showing) (*step.ChatReply, error) {
		show(chat.ReplyReasoning, "Two and two. ")
		show(chat.ReplyReasoning, "That is four.")
		show(chat.ReplyContent, "It is **fo")
		show(chat.ReplyContent, "ur**.\x1b[2J")
		return &step.ChatReply{Role: "assistant", Content: "It is **four**."}, nil
	})
	if err != nil {
		test.Fatal(err)
	}
}

func TestThoughtsAreShownAsTheReaderLikes(t *testing.T) {
	for _, c := range []struct{ why, thinking, noColour, kind, want string }{
		{"dim before the answer", "shown", "", "xterm", "^Two and two. That is four.\nIt is four.�.2J\n$"},
		{"one line that says for how long", "folded", "", "xterm", "^thought for [0-9a-z.]+\nIt is four.�.2J\n$"},
		{"not at all", "hidden", "", "xterm", "^It is four.�.2J\n$"},
		{"set apart by words where there are no styles", "shown", "1", "xterm", `^\(thinking\)\nTwo and two. That is four.\n\(answer\)\nIt is \*\*four\*\*.�.2J\n$`},
		{"a dumb terminal", "hidden", "", "dumb", `^It is \*\*four\*\*.�.2J\n$`},
	} {
		t.Run(c.why, func(t *testing.T) {
			t.Setenv("NO_COLOR", c.noColour)
			t.Setenv("TERM", c.kind)
			terminal := screentest.Open(t, 40, 10)
			out := ui.New(message.English, false, terminal.File, terminal.File)
			New(nil, step.ChatOptions{Thinking: c.thinking}, out).showThoughtful(t)
			terminal.Await(c.want)
		})
	}
}

func TestAPipeReadsAnswersAlone(t *testing.T) {
	for _, quiet := range []bool{false, true} {
		var stdout, stderr bytes.Buffer
		out := ui.New(message.English, false, &stdout, &stderr)
		out.Quiet = quiet
		New(nil, step.ChatOptions{Thinking: "shown"}, out).showThoughtful(t)
		if got, want := stdout.String(), "It is **four**.\x1b[2J\n"; got != want {
			t.Errorf("standard output is %q, want %q", got, want)
		}
		if got, thought := stderr.String(), "Two and two. That is four.\n"; (got == thought) == quiet {
			t.Errorf("quiet %v: standard error is %q", quiet, got)
		}
	}
}

func TestSeveralLinesAreOneText(t *testing.T) {
	out := ui.New(message.English, false, &bytes.Buffer{}, &bytes.Buffer{})
	out.In = strings.NewReader("one\r\ntwo\\\nand more\n\"\"\"\n three\n  four\n\"\"\"\n\"\"\"five\"\"\"\nsix\\")
	talk := New(nil, step.ChatOptions{}, out)
	if err := talk.listen(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"one", "two\nand more", " three\n  four", "five", `six\`} {
		got, err := talk.read(t.Context())
		if got != want {
			t.Errorf("a text is %q (%v), want %q", got, err, want)
		}
	}
}
