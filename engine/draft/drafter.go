package draft

// Guess is how a text may go on, and how much is to be thought of that.
type Guess struct {
	IDs   []int32
	Class Class
}

// Class sorts guesses by what they rest on: guesses of a class are right about as often, which Pace learns.
type Class int

// The classes.
const (
	MatchOf1 Class = iota // the text's last token was seen before
	MatchOf2              // its last two were
	MatchOf4              // its last three or four
	MatchOf8              // five to eight
	MatchOfMore
	OfModel // a smaller model says so

	classes
)

// matchClass is the class of a guess that follows a match of so many tokens.
func matchClass(tokens int) Class {
	switch {
	case tokens >= 9:
		return MatchOfMore
	case tokens >= 5:
		return MatchOf8
	case tokens >= 3:
		return MatchOf4
	case tokens == 2:
		return MatchOf2
	}
	return MatchOf1
}

// continued is n ids of the text from a place on; where the text ends, those guessed go on in its stead.
func continued(text []int32, from, n int) []int32 {
	out := make([]int32, n)
	for i := range out {
		if from+i < len(text) {
			out[i] = text[from+i]
		} else {
			out[i] = out[from+i-len(text)]
		}
	}
	return out
}

// Drafter guesses how one text goes on. It is told of the text as it grows and is not safe for concurrent use.
type Drafter interface {
	// Draft guesses at most n ids that follow the text. From call to call the text only grows.
	Draft(text []int32, n int) Guess
}
