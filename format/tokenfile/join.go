package tokenfile

import (
	"errors"
	"sort"
)

// Join is several readers as one, one after another. Closing it closes them.
func Join(readers ...Reader) Reader {
	if len(readers) == 1 {
		return readers[0]
	}
	j := joined{readers: readers, starts: make([]int, len(readers)+1)}
	for i, r := range readers {
		j.starts[i+1] = j.starts[i] + r.Documents()
	}
	return j
}

type joined struct {
	readers []Reader
	starts  []int
}

// find is the reader that has document i, and its number there.
func (j joined) find(i int) (Reader, int) {
	r := sort.SearchInts(j.starts, i+1) - 1
	return j.readers[r], i - j.starts[r]
}

func (j joined) Documents() int { return j.starts[len(j.readers)] }

func (j joined) Length(i int) int {
	r, k := j.find(i)
	return r.Length(k)
}

func (j joined) Read(i, first, n int) (Tokens, error) {
	r, k := j.find(i)
	return r.Read(k, first, n)
}

func (j joined) TextBytes(i int) int64 {
	r, k := j.find(i)
	return r.TextBytes(k)
}

func (j joined) Where(i int) Place {
	r, k := j.find(i)
	return r.Where(k)
}

func (j joined) Close() (err error) {
	for _, r := range j.readers {
		err = errors.Join(err, r.Close())
	}
	return err
}

// Subset is some documents of a reader, by their numbers there. Closing it does not close the reader.
func Subset(r Reader, documents []int) Reader { return subset{r, documents} }

type subset struct {
	Reader
	documents []int
}

func (s subset) Documents() int        { return len(s.documents) }
func (s subset) Length(i int) int      { return s.Reader.Length(s.documents[i]) }
func (s subset) TextBytes(i int) int64 { return s.Reader.TextBytes(s.documents[i]) }
func (s subset) Where(i int) Place     { return s.Reader.Where(s.documents[i]) }
func (s subset) Close() error          { return nil }
func (s subset) Read(i, first, n int) (Tokens, error) {
	return s.Reader.Read(s.documents[i], first, n)
}
