package history

import (
	"math"
	"slices"
	"strings"

	"lian/train/figure"
)

// Series is one figure over a training. Of many points a series may keep means; Low and High are then what they are means of.
type Series struct {
	Name    string    `json:"name"`
	Step    []int     `json:"step"`
	Tokens  []int64   `json:"tokens"`
	Seconds []float64 `json:"seconds"` // of training
	Value   []float64 `json:"value"`
	Low     []float64 `json:"low,omitempty"`
	High    []float64 `json:"high,omitempty"`
}

// Series are all figures of a training by name, each with at most n points (0: all).
func (s *Stage) Series(n int) []Series {
	b := builder{at: map[string]int{}}
	for i, step := range s.Steps {
		for _, p := range step.Points() {
			b.add(p, step.Step, step.Tokens, s.seconds[i])
		}
	}
	for _, h := range s.HeldOut {
		for _, p := range h.Points() {
			b.add(p, h.Step, h.Tokens, s.secondsAt(h.Step))
		}
	}
	for _, t := range s.Tasks {
		for _, p := range t.Points() {
			b.add(p, t.Step, t.Tokens, s.secondsAt(t.Step))
		}
	}
	for i := range b.list {
		b.list[i] = b.list[i].thin(n)
	}
	return b.list
}

func (s *Stage) secondsAt(step int) float64 {
	i, _ := slices.BinarySearchFunc(s.Steps, step, func(x figure.Step, step int) int { return x.Step - step })
	if len(s.Steps) == 0 {
		return 0
	}
	return s.seconds[min(i, len(s.Steps)-1)]
}

type builder struct {
	list []Series
	at   map[string]int
}

func (b *builder) add(p figure.Point, step int, tokens int64, seconds float64) {
	if math.IsNaN(p.Value) || math.IsInf(p.Value, 0) {
		return
	}
	i, ok := b.at[p.Name]
	if !ok {
		i = len(b.list)
		b.at[p.Name] = i
		b.list = append(b.list, Series{Name: p.Name})
	}
	x := &b.list[i]
	x.Step, x.Tokens, x.Seconds, x.Value = append(x.Step, step), append(x.Tokens, tokens), append(x.Seconds, seconds), append(x.Value, p.Value)
}

// thin puts neighbouring points together until there are at most n: their mean, least and most, where the last of them stands.
func (x Series) thin(n int) Series {
	if n <= 0 || len(x.Value) <= n {
		return x
	}
	out := Series{Name: x.Name}
	for i := range n {
		from, to := i*len(x.Value)/n, (i+1)*len(x.Value)/n
		part := x.Value[from:to]
		out.Step, out.Tokens, out.Seconds = append(out.Step, x.Step[to-1]), append(out.Tokens, x.Tokens[to-1]), append(out.Seconds, x.Seconds[to-1])
		out.Value, out.Low, out.High = append(out.Value, mean(part)), append(out.Low, slices.Min(part)), append(out.High, slices.Max(part))
	}
	return out
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// Find is the series of a name; ok is false if there is none.
func Find(list []Series, name string) (Series, bool) {
	i := slices.IndexFunc(list, func(s Series) bool { return s.Name == name })
	if i < 0 {
		return Series{}, false
	}
	return list[i], true
}

// Parts are the names after a slash that series of a figure have: domains of bits_per_byte, say.
func Parts(list []Series, name string) (out []string) {
	for _, s := range list {
		if part, ok := strings.CutPrefix(s.Name, name+"/"); ok {
			out = append(out, part)
		}
	}
	return out
}

// At is a figure when so many tokens had been learnt from: the mean of the points within five percent of it, because single steps jump; the
// nearest point where there is none; false where the series ends earlier.
func (x Series) At(tokens int64) (float64, bool) {
	n := len(x.Value)
	if n == 0 || tokens > x.Tokens[n-1] {
		return 0, false
	}
	near := tokens / 20
	from, _ := slices.BinarySearch(x.Tokens, tokens-near)
	to, found := slices.BinarySearch(x.Tokens, tokens+near)
	if found {
		to++
	}
	if from < to {
		return mean(x.Value[from:to]), true
	}
	if from > 0 && (from == n || tokens-x.Tokens[from-1] < x.Tokens[from]-tokens) {
		from--
	}
	return x.Value[from], true
}

// Last is the mean of the last tenth of a series.
func (x Series) Last() float64 {
	n := len(x.Value)
	if n == 0 {
		return 0
	}
	return mean(x.Value[n-max(1, n/10):])
}
