// Package board shows a training on a terminal as it goes on: the curve, how good and how fast it is, how long it takes, what the guard says, what the
// model writes. It reads the events of package figure and computes nothing but what is drawn.
//
// It guarantees that it fits any terminal from 40 columns on, that what others print is not overdrawn, and that the last state stays on the screen.
package board

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"lian/cli/ui"
	"lian/event"
	"lian/message"
	"lian/train/figure"
	"lian/train/history"
)

// refresh is the least time between two frames, and the time after which a frame is drawn anew though nothing came (the size of the terminal may be another).
const (
	refresh = 200 * time.Millisecond
	renew   = time.Second
)

// Board is an event.Sink that draws. What is no training goes to the sink behind it.
type Board struct {
	out  *ui.Out
	rest event.Sink

	mu     sync.Mutex
	state  State
	drawn  time.Time
	active bool // a training goes on
	stop   chan struct{}
	ended  sync.WaitGroup
}

// New makes a board on a terminal; close it.
func New(out *ui.Out, rest event.Sink) *Board {
	b := &Board{out: out, rest: rest, stop: make(chan struct{})}
	b.ended.Go(func() {
		tick := time.NewTicker(renew)
		defer tick.Stop()
		for {
			select {
			case <-b.stop:
				return
			case <-tick.C:
				b.mu.Lock()
				if b.active {
					b.draw(renew)
				}
				b.mu.Unlock()
			}
		}
	})
	return b
}

// Emit implements event.Sink.
func (b *Board) Emit(kind string, payload any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch p := payload.(type) {
	case figure.Step:
		b.state.add(p)
		b.active = true
		if p.Step == p.Steps {
			b.draw(0)
		} else {
			b.draw(refresh)
		}
		return
	case event.Progress:
		if b.active && (p.Stage == "pretrain" || p.Stage == "finetune") {
			return // it is on the board
		}
	}
	switch {
	case b.state.look(kind, payload):
		if b.active {
			b.draw(0)
		}
	default:
		if strings.HasPrefix(kind, "train.") && !history.Routine(kind) && kind != figure.KindMachine && payload != nil {
			n := history.NoteOf(event.Event{Kind: kind, Payload: payload})
			if n.Text != "" {
				b.state.note = strings.TrimPrefix(kind, "train.") + ": " + n.Text
			}
		}
		b.rest.Emit(kind, payload)
	}
}

// draw draws unless it did so a moment ago.
func (b *Board) draw(least time.Duration) {
	if time.Since(b.drawn) < least {
		return
	}
	b.drawn = time.Now()
	columns, lines := b.out.Size()
	b.out.Block(b.state.Lines(b.out.Lang, columns, lines))
}

// Close leaves the last frame where it is.
func (b *Board) Close() {
	close(b.stop)
	b.ended.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.active {
		b.draw(0)
		b.out.EndBlock()
		b.active = false
	}
}

// most is the number of points of the curve that are kept; then every other is left out.
const most = 4096

// State is what the board shows.
type State struct {
	step    figure.Step
	loss    []float64
	every   int // steps a point stands for
	sum     float64
	n       int
	heldOut []figure.HeldOut
	best    float64
	tasks   figure.Tasks
	detail  *figure.Detail
	sample  string
	answer  string
	note    string
}

func (s *State) add(p figure.Step) {
	if p.Step <= s.step.Step { // it went back
		keep := len(s.loss) * max(p.Step-1, 0) / max(s.step.Step, 1)
		s.loss, s.sum, s.n = s.loss[:keep], 0, 0
	}
	s.step = p
	if p.Detail != nil {
		s.detail = p.Detail
	}
	s.every = max(s.every, 1)
	s.sum, s.n = s.sum+p.Loss, s.n+1
	if s.n < s.every {
		return
	}
	s.loss = append(s.loss, s.sum/float64(s.n))
	s.sum, s.n = 0, 0
	if len(s.loss) >= most {
		for i := range most / 2 {
			s.loss[i] = (s.loss[2*i] + s.loss[2*i+1]) / 2
		}
		s.loss, s.every = s.loss[:most/2], 2*s.every
	}
}

// look takes the other events of training, and says whether it was one that only the board shows.
func (s *State) look(kind string, payload any) bool {
	switch p := payload.(type) {
	case figure.HeldOut:
		s.heldOut = append(s.heldOut, p)
		if s.best == 0 || p.BitsPerByte < s.best {
			s.best = p.BitsPerByte
		}
	case figure.Prompts:
		if n := len(p.Answers); n > 0 {
			i := (len(s.heldOut) + n) % n // another one each time
			s.sample, s.answer = p.Prompts[i], p.Answers[i]
		}
	case figure.Tasks:
		s.tasks = p
	default:
		return false
	}
	return true
}

// Lines are the board in so many columns, in fewer than so many lines.
func (s *State) Lines(lang string, columns, lines int) []string {
	t := func(key string, args ...any) string { return message.Text(lang, key, args...) }
	p := s.step
	share := float64(p.Step) / float64(max(p.Steps, 1))
	head := t("board.head", p.Step, p.Steps, 100*share)
	if p.Left > 0 {
		head += "  " + t("ui.left", ui.Duration(p.Left.Round(time.Second)))
	}
	width := min(columns-1, 110)
	if room := width - ui.Columns(head) - 2; room >= 8 {
		full := int(share * float64(room))
		head += "  " + strings.Repeat("━", full) + strings.Repeat("─", room-full)
	}
	out := []string{head}
	var facts []string
	add := func(key string, args ...any) { facts = append(facts, t(key, args...)) }
	add("board.loss", ui.Number(p.Loss))
	if p.BitsPerByte > 0 {
		add("board.bits", ui.Number(p.BitsPerByte))
	}
	if n := len(s.heldOut); n > 0 {
		add("board.heldout", ui.Number(s.heldOut[n-1].BitsPerByte), ui.Number(s.best))
	}
	for _, d := range p.Domains {
		v := d.BitsPerByte
		if v == 0 {
			v = d.Loss
		}
		facts = append(facts, d.Name+" "+ui.Number(v))
	}
	rate := p.Moving
	if rate == 0 {
		rate = p.Rate
	}
	add("board.rate", fmt.Sprintf("%.0f", rate))
	if p.MFU > 0 {
		facts = append(facts, fmt.Sprintf("MFU %.1f %%", 100*p.MFU))
	}
	if p.HFU > 0 {
		facts = append(facts, fmt.Sprintf("HFU %.1f %%", 100*p.HFU))
	}
	add("board.lr", ui.Number(p.LearningRate))
	add("board.norm", ui.Number(p.GradientNorm))
	add("board.tokens", p.Tokens)
	if s.detail != nil && s.detail.Memory["resident"] > 0 {
		add("board.memory", ui.Bytes(s.detail.Memory["resident"]))
	}
	if p.Skipped > 0 {
		add("board.skipped", p.Skipped)
	}
	for _, x := range s.tasks.Scores {
		facts = append(facts, fmt.Sprintf("%s %.1f %%", x.Name, 100*x.Value))
	}
	below := flow(facts, width)
	if s.note != "" {
		below = append(below, ui.Cut("! "+s.note, width))
	}
	if s.sample != "" {
		below = append(below, ui.Cut("» "+s.sample+strings.Join(strings.Fields(s.answer), " "), width))
	}
	if height := min(8, lines-len(below)-3); height >= 2 && len(s.loss) > 1 {
		out = append(out, s.curve(width, height)...)
	}
	out = append(out, below...)
	return out[:min(len(out), max(lines-1, 1))]
}

// curve is the loss, with what its top and its bottom are.
func (s *State) curve(width, height int) []string {
	values := s.loss
	low, high := values[0], 0.0
	for i, v := range values {
		low = min(low, v)
		if i*25 >= len(values) { // the first steep fall would press the rest flat
			high = max(high, v)
		}
	}
	top, bottom := ui.Number(high), ui.Number(low)
	margin := max(ui.Columns(top), ui.Columns(bottom)) + 1
	lines := ui.CurveBetween(values, max(width-margin, 8), height, low, high)
	for i, l := range lines {
		label := ""
		switch i {
		case 0:
			label = top
		case height - 1:
			label = bottom
		}
		lines[i] = strings.Repeat(" ", margin-1-ui.Columns(label)) + label + " " + l
	}
	return lines
}

// flow lays words in lines of at most so many columns, none of them cut in two.
func flow(words []string, width int) (lines []string) {
	line := ""
	for _, w := range words {
		if line != "" && ui.Columns(line)+2+ui.Columns(w) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += "  "
		}
		line += ui.Cut(w, width)
	}
	return append(lines, line)
}
