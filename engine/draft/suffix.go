package draft

import "sync"

// Suffix guesses that what followed the longest end of the text that was seen before follows again: in the text itself or, with a
// History, in earlier ones. Source: Oliaro et al., "SuffixDecoding", arXiv 2411.04975, and Hu et al., "SAM decoding", arXiv 2411.10666.
type Suffix struct {
	own     *automaton
	recent  int32 // where the text's longest end that was seen before ended then
	history *History
	at      match // the text's end in history
	read    int   // tokens of the text that at has seen
	edition int   // of history
}

// NewSuffix is a drafter of one text; history may be nil.
func NewSuffix(history *History) *Suffix { return &Suffix{own: newAutomaton(), history: history} }

// Draft implements Drafter.
func (s *Suffix) Draft(text []int32, n int) Guess {
	for _, id := range text[len(s.own.text):] {
		s.append(id)
	}
	length := 0
	var follows []int32
	if link := s.own.states[s.own.last].link; link > 0 {
		length, follows = int(s.own.states[link].length), continued(text, int(s.recent), n)
	}
	if s.history != nil {
		if found, ids := s.history.follow(s, text, n); found > length {
			length, follows = found, ids
		}
	}
	if len(follows) == 0 {
		return Guess{}
	}
	return Guess{follows, matchClass(length)}
}

// append grows the automaton; the place where the longest end was seen before is what its state knew until now.
func (s *Suffix) append(id int32) {
	a, seen := s.own, match{}
	if link := a.states[a.last].link; link > 0 {
		seen = match{link, a.states[link].length}
	}
	s.recent = a.states[a.step(seen, id).state].recent
	a.append(id)
}

// History is the text of earlier replies, for the drafters of later ones. It is safe for concurrent use.
type History struct {
	mu      sync.Mutex
	most    int
	text    *automaton
	edition int
}

// NewHistory keeps about so many tokens, the latest.
func NewHistory(tokens int) *History { return &History{most: tokens, text: newAutomaton()} }

// Add appends a finished text.
func (h *History) Add(text []int32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(text) > h.most {
		text = text[len(text)-h.most:]
	}
	if len(h.text.text)+len(text) > h.most { // begin anew with the later half
		old := h.text.text[max(0, len(h.text.text)-h.most/2):]
		h.text = newAutomaton()
		h.edition++
		for _, id := range old {
			h.text.append(id)
		}
	}
	for _, id := range text {
		h.text.append(id)
	}
	h.text.append(border)
}

// border stands between texts; no token is called so.
const border = -1

// follow is how long an end of the text history knows, and what followed it there.
func (h *History) follow(s *Suffix, text []int32, n int) (length int, ids []int32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.edition != h.edition { // states have other numbers now
		s.edition, s.at, s.read = h.edition, match{}, 0
	}
	for _, id := range text[s.read:] {
		s.at = h.text.step(s.at, id)
	}
	s.read = len(text)
	if s.at.state == 0 {
		return 0, nil
	}
	for _, id := range h.text.text[h.text.states[s.at.state].recent:] {
		if id == border || len(ids) == n {
			break
		}
		ids = append(ids, id)
	}
	return int(s.at.length), ids
}
