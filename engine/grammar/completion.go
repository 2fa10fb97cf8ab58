package grammar

import "sync"

// distances knows how many bytes the shortest way from each state to the end of its rule has. Worked out when first asked.
type distances struct {
	once sync.Once
	to   []int32
	by   []step // the first move of a shortest way, set when to was: so following it never goes round
}

const unreached = int32(1) << 29 // twice this is still an int32

// find lowers the distances until nothing changes; prune left every state with a way out.
func (d *distances) find(g *Grammar) []int32 {
	d.once.Do(func() {
		d.to = make([]int32, len(g.states))
		d.by = make([]step, len(g.states))
		for i := range d.to {
			d.to[i] = unreached
		}
		for changed := true; changed; {
			changed = false
			for i := len(g.states) - 1; i >= 0; i-- {
				if move, n := d.best(g, int32(i)); n < d.to[i] {
					d.to[i], d.by[i], changed = n, move, true
				}
			}
		}
	})
	return d.to
}

// step is the first move of a shortest way.
type step struct {
	reads   bool // reads byte, and goes to state
	byte    byte
	state   int32
	calls   bool // enters rule, and goes on at state
	rule    int32
	returns bool
}

// best returns the move of a shortest way out of a state, and its length.
func (d *distances) best(g *Grammar, i int32) (move step, length int32) {
	s := &g.states[i]
	if s.returns {
		return step{returns: true}, 0
	}
	length = unreached
	for _, to := range s.empty {
		if n := d.to[to]; n < length {
			move, length = step{state: to}, n
		}
	}
	for _, e := range s.edges {
		if n := d.to[e.to] + 1; n < length {
			move, length = step{reads: true, byte: e.low, state: e.to}, n
		}
	}
	for _, c := range s.calls {
		if n := min(d.to[c.rule]+d.to[c.to], unreached); n < length {
			move, length = step{calls: true, rule: c.rule, state: c.to}, n
		}
	}
	return move, length
}

// maxCompletion bounds a completion: counts within counts can ask for more text than there is memory.
const maxCompletion = 1 << 20

// Completion is a shortest text that completes what there is; empty where it is complete, or where more than a million bytes are missing. An engine that runs out of
// tokens can close a JSON value with it instead of cutting it.
func (m *Matcher) Completion() []byte {
	if m.ended || m.at.complete {
		return nil
	}
	g := m.g
	g.shortest.find(g)
	g.mu.Lock() // frames are shared with the machine
	defer g.mu.Unlock()
	var from thread
	best := int64(1) << 62
	for _, t := range m.at.threads {
		n := int64(g.shortest.to[t.state])
		for f := t.stack; f != nil; f = f.below {
			n += int64(g.shortest.to[f.state])
		}
		if n < best {
			from, best = t, n
		}
	}
	if best > maxCompletion {
		return nil
	}
	var text []byte
	stack := from.stack
	for at := from.state; ; {
		switch move := g.shortest.by[at]; {
		case move.returns && stack == nil:
			return text
		case move.returns:
			at, stack = stack.state, stack.below
		case move.calls:
			at, stack = move.rule, &frame{state: move.state, below: stack}
		default:
			if move.reads {
				text = append(text, move.byte)
			}
			at = move.state
		}
	}
}
