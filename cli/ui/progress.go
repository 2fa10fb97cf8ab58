package ui

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"lian/event"
	"lian/message"
)

const (
	redraw   = 100 * time.Millisecond // on a terminal
	relog    = 5 * time.Second        // elsewhere: a line each
	interval = time.Second            // between samples of the rate
	window   = 30                     // samples
)

// progressLine is the one line of progress.
type progressLine struct {
	stage   string
	begun   time.Time
	shown   time.Time
	drawn   bool // on the terminal at this moment
	pending string
	samples []sample
}

type sample struct {
	at   time.Time
	done int64
}

// Emit shows events that tell progress; see Progress.
func (o *Out) Emit(kind string, payload any) { o.Progress(kind, payload) }

// Progress shows how far the work is: on a terminal one line that is redrawn,
// elsewhere a line now and then. Payloads that tell no progress are left to others.
// It is the method value to hand to a package that wants a sink or a callback.
func (o *Out) Progress(kind string, payload any) {
	p, ok := payload.(event.Progresser)
	if !ok || o.Quiet {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.show(p.Progress())
}

func (o *Out) show(p event.Progress) {
	o.clearBlock()
	now, line := o.now(), &o.line
	width := o.width(o.stderr)
	if p.Stage != line.stage || (len(line.samples) > 0 && p.Done < line.samples[len(line.samples)-1].done) {
		o.end()
		*line = progressLine{stage: p.Stage, begun: now}
	}
	if n := len(line.samples); n == 0 || now.Sub(line.samples[n-1].at) >= interval {
		line.samples = append(line.samples, sample{now, p.Done})
		if len(line.samples) > window {
			line.samples = line.samples[1:]
		}
	}
	line.pending = o.describe(p, now)
	finished := p.Total > 0 && p.Done >= p.Total
	every := relog
	if width > 0 {
		every = redraw
	}
	if !line.shown.IsZero() && !finished && now.Sub(line.shown) < every {
		return
	}
	line.shown = now
	if width == 0 {
		io.WriteString(o.stderr, line.pending+"\n")
		line.pending = ""
		return
	}
	io.WriteString(o.stderr, "\r\x1b[K"+cells.Truncate(line.pending, width-1, "…"))
	line.drawn = true
	if finished {
		o.end()
	}
}

// describe is the text of the line.
func (o *Out) describe(p event.Progress, now time.Time) string {
	unit := ""
	if p.Unit != "" {
		unit = " " + o.word("unit.", p.Unit)
	}
	amount := grouped
	if p.Unit == "bytes" {
		amount, unit = Bytes, ""
	}
	parts := []string{o.word("stage.", p.Stage)}
	if p.Total > 0 {
		parts = append(parts, fmt.Sprintf("%3.0f%%", 100*float64(p.Done)/float64(p.Total)), amount(p.Done)+"/"+amount(p.Total)+unit)
	} else if p.Done > 0 || p.Unit != "" {
		parts = append(parts, amount(p.Done)+unit)
	}
	for _, f := range p.Figures {
		text := o.word("figure.", f.Name) + " " + Number(f.Value)
		if f.Unit != "" {
			text += " " + o.word("unit.", f.Unit)
		}
		parts = append(parts, text)
	}
	rate := o.line.rate(now, p.Done)
	if rate > 0 {
		speed := Number(round(rate)) + unit
		if p.Unit == "bytes" {
			speed = Bytes(int64(rate))
		}
		parts = append(parts, speed+"/s")
		if p.Total > p.Done {
			left := time.Duration(float64(p.Total-p.Done) / rate * float64(time.Second))
			parts = append(parts, o.T("ui.left", Duration(left)))
		}
	}
	if p.Total > 0 && p.Done >= p.Total {
		parts = append(parts, o.T("ui.took", Duration(now.Sub(o.line.begun))))
	}
	return strings.Join(parts, gap)
}

// rate is what is done each second, over the last half minute.
func (l *progressLine) rate(now time.Time, done int64) float64 {
	if len(l.samples) == 0 {
		return 0
	}
	first := l.samples[0]
	elapsed := now.Sub(first.at).Seconds()
	if elapsed < 0.5 || done <= first.done {
		return 0
	}
	return float64(done-first.done) / elapsed
}

// round keeps three digits, so that the line does not flicker.
func round(x float64) float64 {
	scale := 1.0
	for x/scale >= 1000 {
		scale *= 10
	}
	return math.Round(x/scale) * scale
}

// word is the message of prefix+name if there is one, or else the name.
func (o *Out) word(prefix, name string) string {
	if key := prefix + name; message.Has(key) {
		return o.T(key)
	}
	return name
}

// grouped writes a count with thousands set apart.
func grouped(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// Finish ends the progress line; what was shown last stays.
func (o *Out) Finish() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.end()
	o.line = progressLine{}
}

// end leaves the last state of a stage on its own line.
func (o *Out) end() {
	if o.line.drawn {
		width := o.width(o.stderr)
		io.WriteString(o.stderr, "\r\x1b[K"+cells.Truncate(o.line.pending, max(width-1, 20), "…")+"\n")
		o.line.drawn = false
	}
}

// clear makes room for other text; the next event draws the line again.
func (o *Out) clear() {
	o.clearBlock()
	if o.line.drawn {
		io.WriteString(o.stderr, "\r\x1b[K")
		o.line.drawn = false
		o.line.shown = time.Time{}
	}
}
