package talk

import (
	"io"
	"sync"
	"time"

	"lian/cli/ui"
)

// waiting is a line that says, while a long prompt is being read, for how long that has been going on. It goes when the answer begins.
type waiting struct {
	once sync.Once
	stop chan struct{}
	gone chan struct{}
}

// soon is how long an answer may take to begin before something is said.
const soon = time.Second

func (t *Talk) wait(to io.Writer) *waiting {
	w := &waiting{stop: make(chan struct{}), gone: make(chan struct{})}
	go func() {
		defer close(w.gone)
		begun, said := time.Now(), false
		next := time.After(soon)
		for {
			select {
			case <-w.stop:
				if said {
					io.WriteString(to, "\r\x1b[K")
				}
				return
			case <-next:
				said = true
				io.WriteString(to, "\r"+dim(t.out.T("chat.reading", ui.Duration(time.Since(begun).Round(100*time.Millisecond))))+"\x1b[K")
				next = time.After(tick)
			}
		}
	}()
	return w
}

// end takes the line away.
func (w *waiting) end() {
	w.once.Do(func() { close(w.stop) })
	<-w.gone
}
