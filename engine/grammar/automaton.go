package grammar

import "fmt"

// automaton is a language as a table: states that can still end in a text of it, state 0 first.
type automaton struct {
	atoms  []ranges
	next   [][]int32 // state, atom → state; -1 is none
	accept []bool
}

// maxAutomaton bounds the states of one pattern.
const maxAutomaton = 1 << 14

// automaton works the table out; nil where no text is of the language.
func (a *algebra) automaton(l *language) (t *automaton, err error) {
	err = a.bounded(func() error { t = a.table(l); return nil })
	return t, err
}

func (a *algebra) table(l *language) *automaton {
	t := &automaton{atoms: atoms(l)}
	index := map[*language]int32{l: 0}
	queue := []*language{l}
	for i := 0; i < len(queue); i++ {
		row := make([]int32, len(t.atoms))
		a.spend(20 * len(row))
		for j, atom := range t.atoms {
			to := a.derive(queue[i], atom[0][0])
			if to == a.none {
				row[j] = -1
				continue
			}
			k, ok := index[to]
			if !ok {
				if len(queue) >= maxAutomaton {
					panic(errTooLarge{})
				}
				k = int32(len(queue))
				index[to] = k
				queue = append(queue, to)
			}
			row[j] = k
		}
		t.next = append(t.next, row)
		t.accept = append(t.accept, queue[i].nullable)
	}
	if !t.trim() {
		return nil
	}
	return t
}

// trim takes out the states that lead nowhere and reports whether the first one is left.
func (t *automaton) trim() bool {
	before := make([][]int32, len(t.next))
	live := make([]bool, len(t.next))
	var work []int32
	for s, row := range t.next {
		for _, to := range row {
			if to >= 0 {
				before[to] = append(before[to], int32(s))
			}
		}
		if t.accept[s] {
			live[s] = true
			work = append(work, int32(s))
		}
	}
	for len(work) > 0 {
		s := work[len(work)-1]
		work = work[:len(work)-1]
		for _, p := range before[s] {
			if !live[p] {
				live[p] = true
				work = append(work, p)
			}
		}
	}
	for s, row := range t.next {
		for j, to := range row {
			if to >= 0 && !live[to] || !live[s] {
				row[j] = -1
			}
		}
	}
	return live[0]
}

// ofLength is the texts of low to high code points; high < 0 is no limit. Where there would be too many states, fewer of the longer
// texts are left.
func (t *automaton) ofLength(low, high int) *automaton {
	if t == nil {
		return nil
	}
	if most := max(4096/len(t.next), low+len(t.next)); high > most {
		high = most
	}
	far := low // counting stops here
	if high >= 0 {
		far = high
	}
	type place struct{ state, read int32 }
	out := &automaton{atoms: t.atoms}
	index := map[place]int32{{}: 0}
	queue := []place{{}}
	for i := 0; i < len(queue); i++ {
		p := queue[i]
		row := make([]int32, len(t.atoms))
		for j, to := range t.next[p.state] {
			row[j] = -1
			if to < 0 || high >= 0 && int(p.read) == high {
				continue
			}
			next := place{to, min(p.read+1, int32(far))}
			k, ok := index[next]
			if !ok {
				k = int32(len(queue))
				index[next] = k
				queue = append(queue, next)
			}
			row[j] = k
		}
		out.next = append(out.next, row)
		out.accept = append(out.accept, t.accept[p.state] && int(p.read) >= low)
	}
	if !out.trim() {
		return nil
	}
	return out
}

// has reports whether a text is of the language.
func (t *automaton) has(text string) bool {
	if t == nil {
		return false
	}
	s := int32(0)
	for _, r := range text {
		to := int32(-1)
		for j, atom := range t.atoms {
			if atom.contains(r) {
				to = t.next[s][j]
				break
			}
		}
		if to < 0 {
			return false
		}
		s = to
	}
	return t.accept[s]
}

// regular reads the texts of an automaton, quoted ones as the inside of a JSON string with the fewest escapes.
func (b *builder) regular(from int32, t *automaton, quoted bool) int32 {
	to := b.state()
	if t == nil {
		return to
	}
	states := make([]int32, len(t.next))
	for i := range states {
		states[i] = -1
	}
	states[0] = b.state()
	b.join(from, states[0])
	queue := []int32{0}
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		if t.accept[s] {
			b.join(states[s], to)
		}
		targets := map[int32]ranges{}
		var order []int32
		for j, next := range t.next[s] {
			if next < 0 {
				continue
			}
			if _, ok := targets[next]; !ok {
				order = append(order, next)
			}
			targets[next] = append(targets[next], t.atoms[j]...)
		}
		for _, next := range order {
			if states[next] < 0 {
				states[next] = b.state()
				queue = append(queue, next)
			}
			b.oneRune(states[s], normal(targets[next]), quoted, states[next])
		}
	}
	return to
}

// oneRune reads one code point of a set: plain ASCII at once, others through a rule that all places with this set share.
func (b *builder) oneRune(from int32, set ranges, quoted bool, to int32) {
	plain := true
	for _, r := range set {
		escaped := r[0] < 0x20 || r[0] <= '"' && r[1] >= '"' || r[0] <= '\\' && r[1] >= '\\'
		plain = plain && r[1] < 0x80 && !(quoted && escaped)
	}
	if plain {
		for _, r := range set {
			b.edge(from, byte(r[0]), byte(r[1]), to)
		}
		return
	}
	b.invokeTo(from, b.named(fmt.Sprint("set ", quoted, set), func(from int32) int32 {
		end := b.state()
		for _, r := range set {
			b.spelled(from, r[0], r[1], quoted, end)
		}
		return end
	}), to)
}
