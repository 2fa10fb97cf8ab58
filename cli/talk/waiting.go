package talk

import (
	"io"
	"sync"
	"time"

	"lian/cli/ui"
	"lian/event"
)

// waiting is a line that says, while a long prompt is being read, how far that is. It goes when the answer begins.
type waiting struct {
	once sync.Once
	stop chan struct{}
	gone chan struct{}
}

// soon is how long an answer may take to begin before something is said: where it can be taken away again, and where it stays.
const (
	soon      = time.Second
	soonToLog = 2 * time.Second
)

// wait begins to say how far reading is: on a line of to that is taken away, or, where to is nil, as any verb's progress.
func (t *Talk) wait(to io.Writer) *waiting {
	w := &waiting{stop: make(chan struct{}), gone: make(chan struct{})}
	begun, said, from := time.Now(), false, 0
	tell, first := func() { t.readingLine(to, begun, from) }, soon
	if to == nil {
		tell, first = t.readingProgress, soonToLog
	}
	go func() {
		defer close(w.gone)
		next := time.After(first)
		for {
			select {
			case <-w.stop:
				if said && to != nil {
					io.WriteString(to, "\r\x1b[K")
				} else if said {
					t.out.Finish()
				}
				return
			case <-next:
				if !said {
					from, _ = t.Reading()
				}
				said = true
				tell()
				next = time.After(tick)
			}
		}
	}()
	return w
}

// readingLine draws how far reading is, and how long the rest takes at the speed since the line appeared.
func (t *Talk) readingLine(to io.Writer, begun time.Time, from int) {
	done, total := t.Reading()
	passed := time.Since(begun)
	text := t.out.T("chat.reading", ui.Duration(passed.Round(100*time.Millisecond)))
	if since := passed - soon; done > from && done < total && since > 0 {
		left := time.Duration(float64(since) * float64(total-done) / float64(done-from))
		text = t.out.T("chat.reading_left", done, total, ui.Duration(left.Round(100*time.Millisecond)))
	}
	io.WriteString(to, "\r"+dim(text)+"\x1b[K")
}

// readingProgress tells it as progress.
func (t *Talk) readingProgress() {
	if done, total := t.Reading(); done < total {
		t.out.Emit(event.KindProgress, event.Progress{Stage: "reading", Done: int64(done), Total: int64(total), Unit: "tokens"})
	}
}

// end takes the line away.
func (w *waiting) end() {
	if w == nil {
		return
	}
	w.once.Do(func() { close(w.stop) })
	<-w.gone
}
