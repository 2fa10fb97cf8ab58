package tokenizer

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/dlclark/regexp2/v2"
)

// match is a part of a text that a pattern matches (hit) or that lies between.
type match struct {
	start, end int
	hit        bool
}

// stage is a compiled step.
type stage struct {
	scan        func(s string, i int) int           // end of the piece that begins at i; the other fields are then unused
	find        func(dst []match, s string) []match // all of s, in order
	change      func(p *passage)                    // before splitting
	ends        func(dst []int, s string) []int     // ends of the pieces, for steps that are no pattern
	behavior    Behavior
	prefixSpace bool
}

// split calls yield with each piece of p.
func (g *stage) split(p passage, yield func(passage)) {
	if p.s == "" {
		return
	}
	if g.prefixSpace && p.s[0] != ' ' {
		p.prepend(" ")
	}
	if g.change != nil {
		g.change(&p)
	}
	switch {
	case g.scan != nil:
		for i := 0; i < len(p.s); {
			end := g.scan(p.s, i)
			yield(p.slice(i, end))
			i = end
		}
	case g.ends != nil:
		i := 0
		for _, end := range g.ends(nil, p.s) {
			if end > i {
				yield(p.slice(i, end))
			}
			i = end
		}
	case g.find != nil:
		for _, m := range cut(g.find(nil, p.s), g.behavior) {
			if m.end > m.start {
				yield(p.slice(m.start, m.end))
			}
		}
	default:
		yield(p)
	}
}

// cut gives the pieces that a behaviour makes of matches and what lies between them.
// Source: huggingface/tokenizers, NormalizedString::split.
func cut(all []match, b Behavior) []match {
	if b == Isolated || b == "" {
		return all
	}
	out := all[:0]
	switch b {
	case Removed:
		for _, m := range all {
			if !m.hit {
				out = append(out, m)
			}
		}
	case Contiguous:
		before := false
		for _, m := range all {
			if m.hit == before && len(out) > 0 {
				out[len(out)-1].end = m.end
			} else {
				out = append(out, m)
			}
			before = m.hit
		}
	case MergedWithPrevious:
		before := false
		for _, m := range all {
			if m.hit && !before && len(out) > 0 {
				out[len(out)-1].end = m.end
			} else {
				out = append(out, m)
			}
			before = m.hit
		}
	case MergedWithNext:
		// From the right: what is merged into its right neighbour is dropped.
		before, keep := false, len(all)
		for i := len(all) - 1; i >= 0; i-- {
			m := all[i]
			if m.hit && !before && keep < len(all) {
				all[keep].start = m.start
			} else {
				keep--
				all[keep] = m
			}
			before = m.hit
		}
		return all[keep:]
	}
	return out
}

// byRegexp finds the matches of an expression.
func byRegexp(re *regexp2.Regexp) func(dst []match, s string) []match {
	return func(dst []match, s string) []match {
		last := 0
		// The only error is a timeout, and none is set: patterns come from a file that
		// was accepted, and every published one takes time linear in the text.
		found, _ := re.FindAllStringIndex(s, -1)
		for _, f := range found {
			if f[0] > last {
				dst = append(dst, match{last, f[0], false})
			}
			dst = append(dst, match{f[0], f[1], true})
			last = f[1]
		}
		if last < len(s) {
			dst = append(dst, match{last, len(s), false})
		}
		return dst
	}
}

// byText finds a text.
func byText(text string) func(dst []match, s string) []match {
	return func(dst []match, s string) []match {
		last := 0
		for text != "" {
			i := strings.Index(s[last:], text)
			if i < 0 {
				break
			}
			if i > 0 {
				dst = append(dst, match{last, last + i, false})
			}
			dst = append(dst, match{last + i, last + i + len(text), true})
			last += i + len(text)
		}
		if last < len(s) {
			dst = append(dst, match{last, len(s), false})
		}
		return dst
	}
}

// byRune finds characters one by one.
func byRune(is func(r rune) bool) func(dst []match, s string) []match {
	return func(dst []match, s string) []match {
		last := 0
		for i, r := range s {
			if !is(r) {
				continue
			}
			_, n := utf8.DecodeRuneInString(s[i:])
			if i > last {
				dst = append(dst, match{last, i, false})
			}
			dst = append(dst, match{i, i + n, true})
			last = i + n
		}
		if last < len(s) {
			dst = append(dst, match{last, len(s), false})
		}
		return dst
	}
}

func inverted(find func(dst []match, s string) []match) func(dst []match, s string) []match {
	return func(dst []match, s string) []match {
		dst = find(dst, s)
		for i := range dst {
			dst[i].hit = !dst[i].hit
		}
		return dst
	}
}

// Splitter cuts text into the pieces that merges never cross. It is safe for
// concurrent use.
type Splitter struct{ stages []stage }

// NewSplitter prepares the steps, or says which cannot be used. The byte-level
// alphabet of ByteLevelStep is left to the model.
func NewSplitter(steps []Step) (*Splitter, error) {
	stages, err := compile(steps, true)
	if err != nil {
		return nil, err
	}
	return &Splitter{stages}, nil
}

// Split calls yield with each piece of text in order. A step with PrefixSpace puts a
// space before the text, so the pieces may be one byte longer than the text.
func (s *Splitter) Split(text string, yield func(piece string)) {
	if n := len(s.stages); n > 0 && s.stages[n-1].scan != nil && !s.stages[n-1].prefixSpace {
		splitAll(s.stages[:n-1], passage{s: text}, func(p passage) {
			scan := s.stages[n-1].scan
			for i := 0; i < len(p.s); {
				end := scan(p.s, i)
				yield(p.s[i:end])
				i = end
			}
		})
		return
	}
	splitAll(s.stages, passage{s: text}, func(p passage) { yield(p.s) })
}

// splitAll runs p through the stages.
func splitAll(stages []stage, p passage, yield func(passage)) {
	if p.s == "" {
		return
	}
	if len(stages) == 0 {
		yield(p)
		return
	}
	stages[0].split(p, func(q passage) { splitAll(stages[1:], q, yield) })
}

// compile prepares steps. bytes tells that the model reads bytes, so that the
// byte-level alphabet need not be written.
func compile(steps []Step, bytes bool) ([]stage, error) {
	var stages []stage
	for i, s := range steps {
		if bytes && s.Kind == ByteLevelStep && i < len(steps)-1 {
			return nil, fmt.Errorf("pre_tokenizer: step %d: ByteLevel must be the last step", i+1)
		}
		g, err := s.compile(bytes)
		if err != nil {
			return nil, fmt.Errorf("pre_tokenizer: step %d: %w", i+1, err)
		}
		if g.scan != nil || g.find != nil || g.change != nil || g.ends != nil || g.prefixSpace {
			stages = append(stages, g)
		}
		if s.Kind == ByteLevelStep && !bytes {
			stages = append(stages, stage{change: byteLevelText})
		}
	}
	return stages, nil
}
