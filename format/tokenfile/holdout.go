package tokenfile

import "lian/random"

// HoldOut takes documents out of a reader, at random but always the same ones, until they have a share of the tokens or most of them. Of a
// single document the end is taken. Closing what it gives does not close the reader.
func HoldOut(r Reader, share float64, most int) (train, held Reader) {
	total := Count(r)
	want := min(int64(share*float64(total)), int64(most))
	if r.Documents() == 1 {
		cut := r.Length(0) - int(want)
		return span{r, 0, cut}, span{r, cut, r.Length(0)}
	}
	out := map[int]bool{}
	for _, i := range random.New(0, "held-out documents").Permutation(r.Documents()) {
		if want <= 0 || len(out)+1 >= r.Documents() {
			break
		}
		out[i], want = true, want-int64(r.Length(i))
	}
	var kept, taken []int
	for i := range r.Documents() {
		if out[i] {
			taken = append(taken, i)
		} else {
			kept = append(kept, i)
		}
	}
	return Subset(r, kept), Subset(r, taken)
}

// span is a part of a reader's only document.
type span struct {
	Reader
	from, to int
}

func (s span) Documents() int      { return min(s.to-s.from, 1) }
func (s span) Length(int) int      { return s.to - s.from }
func (s span) TextBytes(int) int64 { return -1 }
func (s span) Close() error        { return nil }
func (s span) Read(i, first, n int) (Tokens, error) {
	return s.Reader.Read(i, s.from+first, n)
}
