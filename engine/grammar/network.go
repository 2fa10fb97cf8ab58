package grammar

import (
	"fmt"
	"sync"
)

// Grammar is a compiled language. It is immutable to its users and safe for concurrent use: matchers of many sequences
// share it, and with it the automaton states and masks worked out so far.
type Grammar struct {
	name   string
	states []state
	start  int32
	class  [256]uint8 // byte → class: bytes that no edge tells apart
	sample []byte     // class → one byte of it

	// character is the rule of one character in a JSON string, −1 where there is none; runs tells for the states after it how
	// many more may follow at once.
	character int32
	runs      map[int32]int32

	shortest distances
	schema   *document // what a schema's grammar was compiled from

	mu         sync.Mutex
	machine    *machine
	thoughtful map[string]*Grammar // of AfterThought
}

// String says what the grammar was compiled from, in a word or two.
func (g *Grammar) String() string { return g.name }

// state is a state of the recursive transition network: edges read one byte, calls read what another rule reads, empty
// moves read nothing. A returning state ends its rule.
type state struct {
	edges   []edge
	calls   []call
	empty   []int32
	returns bool
}

type edge struct {
	low, high byte
	to        int32
}

// call enters the rule that begins at state rule and goes on at state to when that rule returns.
type call struct{ rule, to int32 }

// maxStates bounds a grammar: a maxLength of a million is refused, not built.
const maxStates = 1 << 18

// builder makes a network. Its methods add paths from a state to another and return where they end.
type builder struct {
	states  []state
	shared  map[string]int32 // rules used in many places, by name
	algebra *algebra
	runs    map[int32]int32
}

func newBuilder() *builder {
	return &builder{shared: map[string]int32{}, runs: map[int32]int32{}, algebra: newAlgebra()}
}

// errTooLarge is what state panics with and finish reports: building is deeply nested and this is its only failure.
type errTooLarge struct{}

func (b *builder) state() int32 {
	if len(b.states) >= maxStates {
		panic(errTooLarge{})
	}
	b.states = append(b.states, state{})
	return int32(len(b.states) - 1)
}

// end marks a state as the end of its rule.
func (b *builder) end(s int32) { b.states[s].returns = true }

func (b *builder) join(from, to int32) { b.states[from].empty = append(b.states[from].empty, to) }

func (b *builder) edge(from int32, low, high byte, to int32) {
	b.states[from].edges = append(b.states[from].edges, edge{low, high, to})
}

// literal reads exactly text.
func (b *builder) literal(from int32, text string) int32 {
	for i := range len(text) {
		next := b.state()
		b.edge(from, text[i], text[i], next)
		from = next
	}
	return from
}

// invoke reads one text of a rule.
func (b *builder) invoke(from, rule int32) int32 {
	to := b.state()
	b.invokeTo(from, rule, to)
	return to
}

func (b *builder) invokeTo(from, rule, to int32) {
	b.states[from].calls = append(b.states[from].calls, call{rule, to})
}

// rule makes a rule of what body builds from its first to its last state.
func (b *builder) rule(body func(from int32) (to int32)) int32 {
	start := b.state()
	b.end(body(start))
	return start
}

// named makes a rule once and returns it afterwards. The name is taken before the body is built, so rules may recurse.
func (b *builder) named(name string, body func(from int32) (to int32)) int32 {
	if start, ok := b.shared[name]; ok {
		return start
	}
	start := b.state()
	b.shared[name] = start
	b.end(body(start))
	return start
}

// alternatives reads what any of the bodies reads.
func (b *builder) alternatives(from int32, bodies ...func(from int32) int32) int32 {
	to := b.state()
	for _, body := range bodies {
		first := b.state()
		b.join(from, first)
		b.join(body(first), to)
	}
	return to
}

// repeat reads a rule at least low and at most high times; high < 0 is no limit.
func (b *builder) repeat(from, rule int32, low, high int) int32 {
	for range low {
		from = b.invoke(from, rule)
	}
	if high < 0 {
		loop := b.state()
		b.join(from, loop)
		b.invokeTo(loop, rule, loop)
		return loop
	}
	to := b.state()
	b.join(from, to)
	for range high - low {
		from = b.invoke(from, rule)
		b.join(from, to)
	}
	return to
}

// finish makes the grammar that begins at start, without states from which no text can be completed.
func (b *builder) finish(name string, start int32) (*Grammar, error) {
	g := &Grammar{name: name, states: b.states, start: start, character: -1, runs: b.runs}
	if rule, ok := b.shared["character"]; ok {
		g.character = rule
	}
	if !g.prune() {
		return nil, fmt.Errorf("%s: %w", name, errNothing)
	}
	if g.leftRecursive() {
		return nil, fmt.Errorf("%s: refers to itself before any text is read", name)
	}
	g.classify()
	if g.machine = newMachine(g); g.machine.cut {
		return nil, fmt.Errorf("%s: more than %d moves read nothing where a text begins; lower the repeat counts of what may be empty", name, maxWays)
	}
	return g, nil
}

// classify groups the bytes that all edges treat alike, so that automaton states have a few dozen exits, not 256.
func (g *Grammar) classify() {
	var border [257]bool
	for _, s := range g.states {
		for _, e := range s.edges {
			border[e.low], border[int(e.high)+1] = true, true
		}
	}
	for c := range 256 {
		if c == 0 || border[c] {
			g.sample = append(g.sample, byte(c))
		}
		g.class[c] = uint8(len(g.sample) - 1)
	}
}
