// Package talk is lian chat on the command line: what is asked comes from a terminal, a pipe or flags, answers are shown as they come.
//
// It guarantees that Ctrl-C ends an answer, keeps what was said until then and never loses the conversation; that
// a pipe reads text alone on standard output; and that a terminal is left as it was found. What a conversation is lies in chain/step.
package talk

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"lian/chain/step"
	"lian/cli/lineedit"
	"lian/cli/ui"
	"lian/store"
)

// Talk is a conversation on the command line.
type Talk struct {
	*step.Chat
	out *ui.Out

	interrupts  chan os.Signal
	editor      *lineedit.Reader // nil: lines are read as they are
	lines       <-chan input
	interactive bool   // a person writes
	rich        bool   // Markdown is rendered
	plain       bool   // and is not to be
	thinking    string // shown, folded, hidden
	next        string // what the person finds written already
	file        string // that the conversation was saved to or loaded from
}

// New is a conversation with an opened model.
func New(c *step.Chat, o step.ChatOptions, out *ui.Out) *Talk {
	t := &Talk{Chat: c, out: out, thinking: o.Thinking, plain: o.Plain, file: o.Load}
	t.rich = !o.Plain && !out.JSON && out.Terminal() && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return t
}

// Ask asks one thing after the other and is done.
func (t *Talk) Ask(ctx context.Context, questions []string) error {
	for _, q := range questions {
		r, err := t.show(func(show showing) (*step.ChatReply, error) { return t.Say(ctx, q, show) })
		if err != nil {
			return err
		}
		t.figures(r)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// Loop talks until the input ends, /quit, or Ctrl-C while nothing is being said.
func (t *Talk) Loop(ctx context.Context) error {
	// Here Ctrl-C ends an answer first, so the root's handler, which ends the program, must not see it.
	signal.Reset(os.Interrupt)
	t.interrupts = make(chan os.Signal, 1)
	signal.Notify(t.interrupts, os.Interrupt)
	defer signal.Stop(t.interrupts)
	if err := t.listen(); err != nil {
		return err
	}
	if t.editor != nil {
		defer t.editor.Close()
	}
	if t.interactive && !t.out.Quiet {
		t.list([][]string{{t.out.T("chat.begin", t.Name())}})
	}
	for {
		text, err := t.read(ctx)
		if errors.Is(err, lineedit.ErrInterrupted) || errors.Is(err, io.EOF) && text == "" {
			return nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if err := t.turn(ctx, text); errors.Is(err, errQuit) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// listen finds out who is at the other end of standard input.
func (t *Talk) listen() error {
	in, isFile := t.out.In.(*os.File)
	t.interactive = isFile && ui.Width(in) > 0
	if out, ok := t.out.File(); t.interactive && ok && !t.out.JSON && lineedit.Usable(in, out) {
		editor, err := lineedit.Open(in, out)
		if err != nil {
			return err
		}
		history, err := lineedit.OpenHistory(filepath.Join(store.Home(), "chat_history.jsonl"))
		if err != nil {
			t.out.Note("chat.history", err)
		}
		editor.History, editor.More, editor.Complete = history, unfinished, t.complete
		t.editor = editor
		return nil
	}
	t.lines = readLines(t.out.In)
	return nil
}

// read is the next text: of several lines after a backslash, or between """ and """.
func (t *Talk) read(ctx context.Context) (text string, err error) {
	initial := t.next
	t.next = ""
	if t.editor != nil {
		text, err = t.editor.Read(ctx, "> ", initial, t.out.T("chat.hint"), t.interrupts)
		return unquote(text), err
	}
	prompt := "> "
	for {
		if t.interactive {
			io.WriteString(t.out.Stderr(), prompt)
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-t.interrupts:
			return "", lineedit.ErrInterrupted
		case line := <-t.lines:
			text += line.text
			more, continued := strings.CutSuffix(text, `\`)
			switch {
			case line.err != nil:
				return unquote(text), line.err
			case continued:
				text = more + "\n"
			case unfinished(text):
				text += "\n"
			default:
				return unquote(text), nil
			}
			prompt = "… "
		}
	}
}

const quotes = `"""`

// unfinished says whether a text begins with """ and does not end with it.
func unfinished(text string) bool {
	inner, quoted := strings.CutPrefix(strings.TrimSpace(text), quotes)
	return quoted && !strings.HasSuffix(inner, quotes)
}

// unquote is the text between """ and """, or else the text without blanks around it.
func unquote(text string) string {
	text = strings.TrimSpace(text)
	if inner, quoted := strings.CutPrefix(text, quotes); quoted {
		return strings.Trim(strings.TrimSuffix(inner, quotes), "\r\n")
	}
	return text
}

// turn obeys a command, or says the text. Between people and a model, an error of one turn does not end the conversation.
func (t *Talk) turn(ctx context.Context, text string) error {
	if text == "" {
		return nil
	}
	err := t.obey(ctx, text)
	if err != nil && !errors.Is(err, errQuit) && t.interactive && ctx.Err() == nil {
		t.tell("chat.error", err)
		return nil
	}
	return err
}

// answer shows what the model says to it; Ctrl-C ends that, and not the conversation.
func (t *Talk) answer(ctx context.Context, ask func(ctx context.Context, show showing) (*step.ChatReply, error)) error {
	reply, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-t.interrupts:
			cancel()
		case <-done:
		}
	}()
	r, err := t.show(func(show showing) (*step.ChatReply, error) { return ask(reply, show) })
	if err != nil {
		return err
	}
	if t.interactive {
		t.figures(r)
	} else if reply.Err() != nil && ctx.Err() == nil {
		t.out.Note("chat.stopped")
	}
	return ctx.Err()
}
