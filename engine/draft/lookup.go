package draft

import "slices"

// Lookup guesses that what followed the text's last tokens when they were last seen follows again. Source: Saxena, "Prompt lookup
// decoding", 2023, which transformers and vLLM have too.
type Lookup struct {
	text  []int32
	after [lookupLongest + 1]map[uint64]int // by length of a run of tokens and its hash: where the last one of it, but for the text's end, ends
}

// lookupLongest is how many of the last tokens are looked up first; then fewer, down to one.
const lookupLongest = 4

// Draft implements Drafter.
func (l *Lookup) Draft(text []int32, n int) Guess {
	for len(l.text) < len(text) {
		l.index()
		l.text = append(l.text, text[len(l.text)])
	}
	for length := min(lookupLongest, len(text)); length > 0; length-- {
		last := text[len(text)-length:]
		end, ok := l.after[length][hashOf(last)]
		if ok && slices.Equal(text[end-length:end], last) { // believed only when compared
			return Guess{continued(text, end, n), matchClass(length)}
		}
	}
	return Guess{}
}

// index notes the runs that end where the text ends now: once another token has come, they were seen before.
func (l *Lookup) index() {
	for length := 1; length <= min(lookupLongest, len(l.text)); length++ {
		if l.after[length] == nil {
			l.after[length] = map[uint64]int{}
		}
		l.after[length][hashOf(l.text[len(l.text)-length:])] = len(l.text)
	}
}

// hashOf is FNV-1a over ids.
func hashOf(ids []int32) uint64 {
	h := uint64(14695981039346656037)
	for _, id := range ids {
		h = (h ^ uint64(uint32(id))) * 1099511628211
	}
	return h
}
