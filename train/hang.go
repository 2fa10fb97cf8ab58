package train

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"lian/store/atomicfile"
)

// KindHang is told of a step that takes much longer than others; the payload is a HangEvent.
const KindHang = "train.hang"

// HangEvent is a step that does not end.
type HangEvent struct {
	Step    int     `json:"step"` // that is being taken
	Seconds float64 `json:"seconds"`
	Median  float64 `json:"median_seconds"`
	File    string  `json:"file,omitempty"` // what every goroutine is doing
}

// hangWatch tells once of each step that takes more than so many times the median of those before. It only reports: the run waits on.
type hangWatch struct {
	times  float64 // 0 does not watch
	least  time.Duration
	folder string // of the goroutines' file; empty writes none
	tell   func(kind string, payload any)

	mu    sync.Mutex
	took  []time.Duration // of the newest steps
	timer *time.Timer
}

const (
	hangSteps = 8  // to know a median
	hangKept  = 64 // newest steps that it is of
)

// begin is called before a step.
func (h *hangWatch) begin(step int) {
	if h.times <= 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.took) < hangSteps {
		return
	}
	median := slices.Sorted(slices.Values(h.took))[len(h.took)/2]
	limit := max(time.Duration(h.times*float64(median)), h.least)
	h.timer = time.AfterFunc(limit, func() { h.hangs(step, limit, median) })
}

// end is called after it.
func (h *hangWatch) end(took time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.timer != nil {
		h.timer.Stop()
	}
	h.took = append(h.took, took)
	h.took = h.took[max(0, len(h.took)-hangKept):]
}

func (h *hangWatch) hangs(step int, after, median time.Duration) {
	e := HangEvent{Step: step, Seconds: after.Seconds(), Median: median.Seconds()}
	if h.folder != "" {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		path := filepath.Join(h.folder, fmt.Sprintf("hang-%d.txt", step))
		if os.MkdirAll(h.folder, 0o777) == nil && atomicfile.WriteFile(path, stacks) == nil {
			e.File = path
		}
	}
	h.tell(KindHang, e)
}
