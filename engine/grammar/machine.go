package grammar

import (
	"encoding/binary"
	"slices"
)

// machine determinises a network as it is walked. A moment is the set of all (state, stack) pairs that the text so far
// can have led to; equal sets are one moment, so its exits and its token masks are worked out once and shared by all
// matchers of the grammar. Guarded by Grammar.mu.
type machine struct {
	g       *Grammar
	frames  map[frameKey]*frame
	moments map[string]*moment
	next    uint64 // number of the next frame
	memory  int    // bytes held by masks
	first   *moment
	cut     bool // some moment has not all its ways

	// memory for settle, step and mask
	work, reading, seen []thread
	many                map[thread]bool
	key                 []byte
	path                []*moment
}

// Above these the tables are dropped and filled anew; moments in use by matchers live on.
const (
	maxMoments    = 1 << 14
	maxMaskMemory = 32 << 20
)

// frame is a stack of return states, its top first. Equal stacks are one frame.
type frame struct {
	state  int32
	below  *frame
	number uint64
}

type frameKey struct {
	state int32
	below *frame
}

// thread is one way in which the network can have read the text: the state it is in and where it returns to.
type thread struct {
	state int32
	stack *frame
}

type moment struct {
	threads  []thread  // those with a byte to read, in canonical order
	complete bool      // the text so far is of the language
	exits    []*moment // by byte class; nil is not worked out yet
	masks    []maskOf
}

type maskOf struct {
	vocabulary *Vocabulary
	bits       []uint64
	count      int
}

// dead is the moment after a text that nothing in the language begins with.
var dead = &moment{}

func newMachine(g *Grammar) *machine {
	m := &machine{g: g, many: map[thread]bool{}}
	m.reset()
	return m
}

func (m *machine) reset() {
	m.frames, m.moments, m.memory = map[frameKey]*frame{}, map[string]*moment{}, 0
	m.first = m.settle([]thread{{state: m.g.start}})
}

func (m *machine) push(state int32, below *frame) *frame {
	key := frameKey{state, below}
	f, ok := m.frames[key]
	if !ok {
		m.next++
		f = &frame{state, below, m.next}
		m.frames[key] = f
	}
	return f
}

// step returns the moment after one more byte, dead if there is none.
func (m *machine) step(from *moment, c byte) *moment {
	class := m.g.class[c]
	if to := from.exits[class]; to != nil {
		return to
	}
	next := m.work[:0]
	for _, t := range from.threads {
		for _, e := range m.g.states[t.state].edges {
			if e.low <= c && c <= e.high {
				next = append(next, thread{e.to, t.stack})
			}
		}
	}
	to := dead
	if len(next) > 0 {
		to = m.settle(next)
	}
	from.exits[class] = to
	return to
}

// settle follows all moves that read nothing and returns the moment of what is reached.
func (m *machine) settle(work []thread) *moment {
	reading := m.reading[:0]
	m.seen = m.seen[:0]
	clear(m.many)
	complete := false
	for visits := 0; len(work) > 0; {
		t := work[len(work)-1]
		work = work[:len(work)-1]
		if m.met(t) {
			continue
		}
		if visits++; visits > maxWays && (complete || len(reading) > 0) {
			m.cut, work = true, work[:0]
			break
		}
		s := &m.g.states[t.state]
		if len(s.edges) > 0 {
			reading = append(reading, t)
		}
		for _, to := range s.empty {
			work = append(work, thread{to, t.stack})
		}
		for _, c := range s.calls {
			work = append(work, thread{c.rule, m.push(c.to, t.stack)})
		}
		if s.returns {
			if t.stack == nil {
				complete = true
			} else {
				work = append(work, thread{t.stack.state, t.stack.below})
			}
		}
	}
	slices.SortFunc(reading, func(a, b thread) int {
		if d := int(a.state) - int(b.state); d != 0 {
			return d
		}
		if a.stack.id() < b.stack.id() {
			return -1
		}
		return 1
	})
	reading = fewStacks(reading)
	m.work, m.reading = work, reading
	key := append(m.key[:0], 0)
	if complete {
		key[0] = 1
	}
	for _, t := range reading {
		key = binary.LittleEndian.AppendUint32(key, uint32(t.state))
		key = binary.LittleEndian.AppendUint64(key, t.stack.id())
	}
	m.key = key
	if known, ok := m.moments[string(key)]; ok {
		return known
	}
	if len(m.moments) >= maxMoments || m.memory > maxMaskMemory {
		m.frames, m.moments, m.memory = map[frameKey]*frame{}, map[string]*moment{}, 0
	}
	made := &moment{threads: slices.Clone(reading), complete: complete, exits: make([]*moment, len(m.g.sample))}
	m.moments[string(key)] = made
	return made
}

// maxWays bounds the moves that read nothing between two bytes. Only repeats of what may be empty come to it: those that do at their
// beginning are refused, in others some ways are left out as for maxStacks.
const maxWays = 1 << 14

// maxStacks bounds the ways in which a text can have led to one state. Only grammars that can read a text in exponentially many ways
// come to it; of those some ways are then left out, so that less is allowed, but nothing false.
const maxStacks = 1024

// fewStacks keeps the first threads of each state; they are in order.
func fewStacks(reading []thread) []thread {
	if len(reading) <= maxStacks {
		return reading
	}
	kept, same := reading[:0], 0
	for _, t := range reading {
		if same++; len(kept) == 0 || kept[len(kept)-1].state != t.state {
			same = 1
		}
		if same <= maxStacks {
			kept = append(kept, t)
		}
	}
	return kept
}

// met reports whether settle has seen a thread, and notes it.
func (m *machine) met(t thread) bool {
	const few = 16
	if len(m.seen) < few {
		if slices.Contains(m.seen, t) {
			return true
		}
	} else {
		if m.many[t] || slices.Contains(m.seen[:few], t) {
			return true
		}
		m.many[t] = true
	}
	m.seen = append(m.seen, t)
	return false
}

func (f *frame) id() uint64 {
	if f == nil {
		return 0
	}
	return f.number
}
