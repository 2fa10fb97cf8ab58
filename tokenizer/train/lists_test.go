package train

import "testing"

// TestShortListsDoNotLieInALongOne: also where the first list of all is a long one, as with a corpus whose first pair comes very often.
func TestShortListsDoNotLieInALongOne(t *testing.T) {
	var l lists
	var made []list
	for i, n := range []int32{longList + 100, 3, 17, longList - 1, 900, longList, 1} {
		x := l.make(n)
		for j := range l.places(x) {
			l.places(x)[j] = int32(i)
		}
		made = append(made, x)
	}
	for i, x := range made {
		for j, got := range l.places(x) {
			if got != int32(i) {
				t.Fatalf("place %d of list %d was overwritten by list %d", j, i, got)
			}
		}
	}
}
