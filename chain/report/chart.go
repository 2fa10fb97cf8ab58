package report

import (
	"fmt"
	"html/template"
	"math"
	"strings"
)

// drawing writes SVG. Colours are classes, so that the style sheet chooses them for
// light, dark and print.
type drawing struct{ b strings.Builder }

func draw(width, height float64, label words) *drawing {
	d := &drawing{}
	fmt.Fprintf(&d.b, `<svg class="chart" viewBox="0 0 %s %s" role="img" aria-label="%s">`, xy(width), xy(height), template.HTMLEscapeString(label.en+" · "+label.zh))
	return d
}

func (d *drawing) html() template.HTML { return template.HTML(d.b.String() + "</svg>") }

// xy writes a coordinate.
func xy(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		x = 0
	}
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", x), "0"), ".")
}

func (d *drawing) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(&d.b, `<line class="%s" x1="%s" y1="%s" x2="%s" y2="%s"/>`, class, xy(x1), xy(y1), xy(x2), xy(y2))
}

func (d *drawing) rect(class string, x, y, w, h, round float64) {
	fmt.Fprintf(&d.b, `<rect class="%s" x="%s" y="%s" width="%s" height="%s" rx="%s"/>`, class, xy(x), xy(y), xy(max(0, w)), xy(max(0, h)), xy(round))
}

func (d *drawing) dot(class string, x, y, r float64) {
	fmt.Fprintf(&d.b, `<circle class="%s" cx="%s" cy="%s" r="%s"/>`, class, xy(x), xy(y), xy(r))
}

func (d *drawing) path(class string, points [][2]float64) {
	if len(points) == 0 {
		return
	}
	fmt.Fprintf(&d.b, `<path class="%s" d="`, class)
	for i, p := range points {
		op := "L"
		if i == 0 {
			op = "M"
		}
		d.b.WriteString(op + xy(p[0]) + " " + xy(p[1]))
	}
	d.b.WriteString(`"/>`)
}

// text is drawn in both languages; anchor is start, middle or end.
func (d *drawing) text(class, anchor string, x, y float64, w words) {
	one := func(lang, text string) {
		fmt.Fprintf(&d.b, `<text class="%s" x="%s" y="%s" text-anchor="%s">%s</text>`, strings.TrimSpace(class+" "+lang), xy(x), xy(y), anchor, template.HTMLEscapeString(text))
	}
	if w.en == w.zh {
		one("", w.en)
		return
	}
	one("en", w.en)
	one("zh", w.zh)
}

func plain(text string) words { return words{text, text} }

// ticks are about n round numbers between low and high.
func ticks(low, high float64, n int) []float64 {
	if !(high > low) || n < 1 {
		return []float64{low}
	}
	raw := (high - low) / float64(n)
	unit := math.Pow(10, math.Floor(math.Log10(raw)))
	step := unit * 10
	for _, m := range []float64{1, 2, 2.5, 5} {
		if raw <= unit*m {
			step = unit * m
			break
		}
	}
	var out []float64
	for i := math.Ceil(low/step - 1e-9); i*step <= high+step*1e-9; i++ {
		out = append(out, i*step+0) // +0: not −0
	}
	return out
}

// lossChart shows bits per byte while the model reads: the training text as a thin
// line, held-out text as dots, and the two counting models as levels to pass.
func lossChart(p *Pretrain) template.HTML {
	const width, height, left, right, top, bottom = 760.0, 340.0, 44.0, 128.0, 14.0, 40.0
	d := draw(width, height, say("report.pretrain.chart"))
	most := float64(p.TokensTotal)
	lowest, highest := math.Inf(1), math.Inf(-1)
	see := func(v float64) { lowest, highest = min(lowest, v), max(highest, v) }
	for _, q := range p.HeldOut {
		see(q.Value)
		most = max(most, float64(q.Tokens))
	}
	for i, q := range p.Train {
		most = max(most, float64(q.Tokens))
		if i*20 >= len(p.Train) { // the first steep fall would press the rest flat
			see(q.Value)
		}
	}
	for _, v := range []float64{p.TrigramBits, p.FivegramBits} {
		if v > 0 {
			see(v)
		}
	}
	if math.IsInf(lowest, 0) || most <= 0 {
		return ""
	}
	lowest, highest = math.Floor(lowest*2-0.2)/2, min(8, math.Ceil(highest*2+0.2)/2)
	if highest-lowest > 4 {
		highest = lowest + 4
	}
	x := func(tokens float64) float64 { return left + (width-left-right)*tokens/most }
	y := func(bits float64) float64 {
		return top + (height-top-bottom)*(highest-min(bits, highest))/(highest-lowest)
	}
	for _, t := range ticks(lowest, highest, 6) {
		d.line("grid", left, y(t), width-right, y(t))
		d.text("tick", "end", left-8, y(t)+4, plain(short(t)))
	}
	for _, t := range ticks(0, most, 5) {
		d.text("tick", "middle", x(t), height-bottom+20, count(int64(t)))
	}
	d.text("tick", "middle", (left+width-right)/2, height-4, say("report.pretrain.axis"))
	labels := &labelColumn{}
	for _, level := range []struct {
		bits float64
		key  string
	}{{p.TrigramBits, "report.pretrain.trigram"}, {p.FivegramBits, "report.pretrain.fivegram"}} {
		if level.bits > 0 {
			d.line("level", left, y(level.bits), width-right, y(level.bits))
			labels.add("levelname", y(level.bits), say(level.key, fixed(level.bits, 2)))
		}
	}
	var train, held [][2]float64
	for _, q := range p.Train {
		if q.Value <= highest {
			train = append(train, [2]float64{x(float64(q.Tokens)), y(q.Value)})
		}
	}
	for _, q := range p.HeldOut {
		if q.Value <= highest {
			held = append(held, [2]float64{x(float64(q.Tokens)), y(q.Value)})
		}
	}
	d.path("train", train)
	d.path("held", held)
	for _, q := range held {
		d.dot("helddot", q[0], q[1], 3.2)
	}
	if n := len(p.HeldOut); n > 0 {
		last := p.HeldOut[n-1].Value
		labels.add("heldname", y(last), say("report.pretrain.heldout", fixed(last, 2)))
	}
	if n := len(p.Train); n > 0 {
		mean := 0.0 // of the last tenth: single steps jump
		tail := p.Train[n-max(1, n/10):]
		for _, q := range tail {
			mean += q.Value / float64(len(tail))
		}
		labels.add("trainname", y(mean), say("report.pretrain.training", fixed(mean, 2)))
	}
	labels.drawInto(d, width-right+8, top+6, height-bottom)
	return d.html()
}

// labelColumn keeps labels from lying on each other.
type labelColumn struct {
	labels []struct {
		class string
		y     float64
		text  words
	}
}

func (l *labelColumn) add(class string, y float64, text words) {
	l.labels = append(l.labels, struct {
		class string
		y     float64
		text  words
	}{class, y, text})
}

func (l *labelColumn) drawInto(d *drawing, x, top, bottom float64) {
	const gap = 17
	// few labels: insertion by height, then push apart downwards and back up
	for i := range l.labels {
		for j := i; j > 0 && l.labels[j].y < l.labels[j-1].y; j-- {
			l.labels[j], l.labels[j-1] = l.labels[j-1], l.labels[j]
		}
	}
	at := top - gap
	for i := range l.labels {
		l.labels[i].y = max(l.labels[i].y, at+gap)
		at = l.labels[i].y
	}
	at = bottom + gap
	for i := len(l.labels) - 1; i >= 0; i-- {
		l.labels[i].y = min(l.labels[i].y, at-gap)
		at = l.labels[i].y
	}
	for _, e := range l.labels {
		d.text("label "+e.class, "start", x, e.y+4, e.text)
	}
}

// funnelChart shows how much text is left after each stage.
func funnelChart(data *Data) template.HTML {
	if len(data.Stages) == 0 || data.Stages[0].In.Bytes == 0 {
		return ""
	}
	const width, row, bar, left, right = 760.0, 34.0, 20.0, 150.0, 210.0
	type level struct {
		name words
		Count
	}
	levels := []level{{say("report.data.found"), data.Stages[0].In}}
	for _, s := range data.Stages {
		levels = append(levels, level{sayOr("report.data.stage.", s.Name), s.Out})
	}
	d := draw(width, row*float64(len(levels)), say("report.data.chart"))
	most := float64(levels[0].Bytes)
	middle := left + (width-left-right)/2
	for i, l := range levels {
		y := float64(i) * row
		w := (width - left - right) * float64(l.Bytes) / most
		if i > 0 {
			before := (width - left - right) * float64(levels[i-1].Bytes) / most
			fmt.Fprintf(&d.b, `<polygon class="neck" points="%s,%s %s,%s %s,%s %s,%s"/>`,
				xy(middle-before/2), xy(y-row+bar+6), xy(middle+before/2), xy(y-row+bar+6), xy(middle+w/2), xy(y+6), xy(middle-w/2), xy(y+6))
		}
		d.rect("funnel", middle-w/2, y+6, w, bar, 2)
		d.text("label", "end", left-12, y+20, l.name)
		d.text("value", "start", width-right+12, y+20, say("report.data.level", count(int64(l.Documents)), size(l.Bytes)))
	}
	return d.html()
}

// barChart is one horizontal bar per row, the longest filling the width.
func barChart(label words, class string, names []words, values []float64, texts []words) template.HTML {
	const width, row, bar, left, right = 360.0, 30.0, 16.0, 62.0, 86.0
	most := 0.0
	for _, v := range values {
		most = max(most, v)
	}
	if most <= 0 {
		return ""
	}
	d := draw(width, row*float64(len(values)), label)
	for i, v := range values {
		y := float64(i) * row
		d.text("label", "start", 0, y+20, names[i])
		d.rect("track", left, y+7, width-left-right, bar, 3)
		d.rect(class, left, y+7, (width-left-right)*v/most, bar, 3)
		d.text("value", "start", width-right+8, y+20, texts[i])
	}
	return d.html()
}

func quantizeSizes(q *Quantize) template.HTML {
	var names, texts []words
	var values []float64
	for _, v := range q.Variants {
		names, values, texts = append(names, plain(v.Type)), append(values, float64(v.Bytes)), append(texts, size(v.Bytes))
	}
	return barChart(say("report.quantize.size"), "bar1", names, values, texts)
}

func quantizeSpeeds(q *Quantize) template.HTML {
	var names, texts []words
	var values []float64
	for _, v := range q.Variants {
		if v.Decode > 0 {
			names, values, texts = append(names, plain(v.Type)), append(values, v.Decode), append(texts, say("report.rate", short(v.Decode)))
		}
	}
	return barChart(say("report.quantize.speed"), "bar2", names, values, texts)
}

// timeChart lays the stages end to end.
func timeChart(stages []Stage) template.HTML {
	total := 0.0
	for _, s := range stages {
		total += s.Seconds
	}
	if total <= 0 {
		return ""
	}
	const width, height = 760.0, 26.0
	d := draw(width, height, say("report.run.chart"))
	x := 0.0
	for i, s := range stages {
		w := width * s.Seconds / total
		if w >= 0.5 {
			d.rect(fmt.Sprintf("slice%d", i%2), x, 0, max(0.5, w-1), height, 2)
			if w > 70 {
				d.text("inbar", "middle", x+w/2, 17, sayOr("report.stage.", s.Name))
			}
		}
		x += w
	}
	return d.html()
}
