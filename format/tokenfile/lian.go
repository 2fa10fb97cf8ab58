package tokenfile

import "lian/format/shard"

// ours is a shard of Lian's own.
type ours struct {
	*shard.Reader
	path string
	Options
}

func openLian(path string, o Options) (Reader, error) {
	r, err := shard.Open(path)
	if err != nil {
		return nil, err
	}
	return &ours{r, path, o}, nil
}

// OfShard is an open shard as a Reader. Closing it closes the shard.
func OfShard(r *shard.Reader, path string, o Options) Reader { return &ours{r, path, o} }

// Shard is the shard that a reader reads, where it is one.
func Shard(r Reader) (*shard.Reader, bool) {
	if s, ok := r.(*ours); ok {
		return s.Reader, true
	}
	return nil, false
}

func (r *ours) Length(i int) int {
	from, to := r.Span(i)
	return int(to - from)
}

func (r *ours) Read(i, first, n int) (Tokens, error) {
	from, _ := r.Span(i)
	out := make([]int32, n)
	r.Reader.Read(out, from+int64(first))
	for j, id := range out {
		if !r.valid(int64(id)) {
			return Tokens{}, outside(r.Where(i), i, first+j, int64(id), r.Vocabulary)
		}
	}
	return Tokens{IDs: out}, nil
}

func (r *ours) TextBytes(i int) int64 { return r.DocumentTextBytes(i) }

func (r *ours) Where(i int) Place {
	from, _ := r.Span(i)
	return Place{File: r.path, Byte: r.Reader.Byte(from)}
}
