package draft

// automaton is the suffix automaton of a text that grows: every run of tokens that the text holds is a path from state 0, and a state
// stands for the runs that end at the same places. It grows by a token in amortised constant time. Source: Blumer et al., "The smallest
// automaton recognizing the subwords of a text", 1985.
type automaton struct {
	text   []int32
	states []state
	to     map[edge]int32
	tokens map[int32][]int32 // the tokens on the edges of a state, for copying it
	last   int32             // the state of the whole text
}

// state is a set of runs that end at the same places.
type state struct {
	length int32 // of the longest run
	link   int32 // the state of the longest suffix that ends elsewhere too; −1 for state 0
	recent int32 // a place in the text that its runs end before, the latest that is known
}

type edge struct {
	from, token int32
}

func newAutomaton() *automaton {
	return &automaton{states: []state{{link: -1}}, to: map[edge]int32{}, tokens: map[int32][]int32{}}
}

func (a *automaton) connect(from, token, to int32) {
	key := edge{from, token}
	if _, known := a.to[key]; !known {
		a.tokens[from] = append(a.tokens[from], token)
	}
	a.to[key] = to
}

// append grows the text by a token.
func (a *automaton) append(token int32) {
	a.text = append(a.text, token)
	end := int32(len(a.text))
	current := int32(len(a.states))
	a.states = append(a.states, state{length: a.states[a.last].length + 1, recent: end})
	p := a.last
	for ; p >= 0; p = a.states[p].link {
		if _, known := a.to[edge{p, token}]; known {
			break
		}
		a.connect(p, token, current)
	}
	link := int32(0)
	if p >= 0 {
		link = a.to[edge{p, token}]
		if a.states[p].length+1 < a.states[link].length {
			link = a.split(p, token, link)
		}
	}
	a.states[current].link, a.last = link, current
	for s, depth := link, 0; s > 0 && depth < recentDepth; s, depth = a.states[s].link, depth+1 {
		a.states[s].recent = end
	}
}

// recentDepth is how many of the shorter runs learn that they ended here; others keep an earlier place.
const recentDepth = 16

// split gives the runs of q that are as long as p and a token, and shorter ones, a state of their own.
func (a *automaton) split(p, token, q int32) int32 {
	clone := int32(len(a.states))
	a.states = append(a.states, state{length: a.states[p].length + 1, link: a.states[q].link, recent: a.states[q].recent})
	for _, t := range a.tokens[q] {
		a.connect(clone, t, a.to[edge{q, t}])
	}
	a.states[q].link = clone
	for ; p >= 0 && a.to[edge{p, token}] == q; p = a.states[p].link {
		a.to[edge{p, token}] = clone
	}
	return clone
}

// match is a run of tokens in an automaton's text.
type match struct {
	state, length int32
}

// step is the longest suffix of m and a token that the text holds.
func (a *automaton) step(m match, token int32) match {
	for {
		if to, ok := a.to[edge{m.state, token}]; ok {
			return match{to, m.length + 1}
		}
		if m.state == 0 {
			return match{}
		}
		m.state = a.states[m.state].link
		m.length = a.states[m.state].length
	}
}
