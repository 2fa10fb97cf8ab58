package talk

import (
	"io"
	"strings"
	"time"

	"lian/chain/step"
	"lian/chat"
	"lian/cli/markdown"
	"lian/cli/ui"
)

// showing is given an answer as it comes.
type showing = func(kind chat.EventKind, piece string)

// show shows an answer while it is made: rendered, as it is, or as one JSON line at the end.
func (t *Talk) show(ask func(show showing) (*step.ChatReply, error)) (*step.ChatReply, error) {
	if t.out.JSON {
		w := t.wait(nil)
		r, err := ask(func(chat.EventKind, string) { w.end() })
		w.end()
		if err != nil {
			return nil, err
		}
		return r, t.out.Line(r)
	}
	v := &view{Talk: t, to: t.out.Stdout()}
	if t.rich && t.interactive {
		v.waiting = t.wait(v.to)
	} else {
		v.waiting = t.wait(nil)
	}
	defer v.waiting.end()
	r, err := ask(v.piece)
	v.end()
	return r, err
}

// view is an answer on the screen.
type view struct {
	*Talk
	to      io.Writer
	kind    chat.EventKind
	text    writer   // nil: nothing is being shown
	waiting *waiting // until the answer begins; nil: nothing is waited for
}

// writer shows text as it comes.
type writer interface {
	Write(text string)
	Close()
}

func (v *view) piece(kind chat.EventKind, piece string) {
	if kind != chat.ReplyReasoning {
		kind = chat.ReplyContent
	}
	v.waiting.end()
	if kind != v.kind {
		v.end()
		v.kind = kind
		v.text = v.writer(kind)
	}
	v.text.Write(piece)
}

// end ends the part that is being shown.
func (v *view) end() {
	if v.text != nil {
		v.text.Close()
		v.text = nil
	}
}

// writer is what shows a part of an answer.
func (v *view) writer(kind chat.EventKind) writer {
	columns := func() int { return ui.Width(v.stdout()) }
	switch {
	case kind == chat.ReplyContent && v.rich:
		return markdown.New(v.to, columns)
	case kind == chat.ReplyContent:
		return &asItIs{to: v.to, clean: v.out.Terminal()}
	case v.thinking == "hidden":
		return unseen{}
	case v.thinking == "folded" && v.rich:
		return &folded{view: v, begun: time.Now()}
	case v.thinking == "folded":
		return unseen{}
	case v.rich:
		return markdown.NewDim(v.to, columns)
	case v.out.Quiet && !v.out.Terminal():
		return unseen{}
	case v.out.Terminal():
		return &asItIs{to: v.to, clean: true, before: v.out.T("chat.thinking") + "\n", after: v.out.T("chat.thought") + "\n"}
	}
	return &asItIs{to: v.out.Stderr()} // a pipe reads answers only
}

func (t *Talk) stdout() io.Writer {
	if f, ok := t.out.File(); ok {
		return f
	}
	return io.Discard
}

// unseen shows nothing.
type unseen struct{}

func (unseen) Write(string) {}
func (unseen) Close()       {}

// asItIs shows text as it is, on a terminal without control characters.
type asItIs struct {
	to            io.Writer
	clean         bool
	before, after string
	begun         bool
}

func (w *asItIs) Write(text string) {
	if w.clean {
		text = markdown.Clean(text)
	}
	if !w.begun {
		text = w.before + text
	}
	w.begun = true
	io.WriteString(w.to, text)
}

func (w *asItIs) Close() { io.WriteString(w.to, "\n"+w.after) }

// folded is thinking as one line that says for how long.
type folded struct {
	*view
	begun, ticked time.Time
}

// tick is how often the line is drawn.
const tick = 200 * time.Millisecond

func (f *folded) Write(string) {
	if now := time.Now(); now.Sub(f.ticked) >= tick {
		f.ticked = now
		f.line("chat.thinking_for", "")
	}
}

func (f *folded) Close() { f.line("chat.thought_for", "\n") }

func (f *folded) line(key, end string) {
	io.WriteString(f.to, "\r"+dim(f.out.T(key, ui.Duration(time.Since(f.begun).Round(100*time.Millisecond))))+"\x1b[K"+end)
}

func dim(text string) string { return "\x1b[2m" + text + "\x1b[0m" }

// figures say how fast an answer came and how full the context is.
func (t *Talk) figures(r *step.ChatReply) {
	first := ui.Duration(time.Duration(r.Timings.PrefillSeconds * float64(time.Second)).Round(time.Millisecond))
	text := t.out.T("chat.figures", r.Tokens, r.Timings.DecodeTokensPS, first, r.PromptTokens+r.Tokens, t.Context(), r.CachedTokens)
	if r.Finish != "stop" {
		text += t.out.T("chat.ended", t.out.T("finish."+r.Finish))
	}
	text = t.table([][]string{{text}})
	if t.rich && t.interactive {
		text = dim(strings.TrimSuffix(text, "\n")) + "\n"
	}
	if !t.out.Quiet {
		io.WriteString(t.out.Stderr(), text)
	}
}

// list shows names and what is said of them, in columns.
func (t *Talk) list(rows [][]string) { io.WriteString(t.out.Stderr(), t.table(rows)) }

func (t *Talk) table(rows [][]string) string {
	return ui.Table{Rows: rows}.String(ui.Width(t.stdout()))
}
