package tokenfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"lian/format/mapped"
)

// lines is JSON lines of ids: InternEvo's X.bin with its X.bin.meta, a numpy array of (byte offset, number of tokens), or any
// {"tokens": [ids]} lines, whose offsets are looked for. A negative id −t is token t of a prompt, and so is 0: read but not
// learnt. Source: InternEvo, internlm/data/tokenized/single_dataset.py and collaters.py (a label is kept where its id is > 0).
type lines struct {
	file    *mapped.File
	offsets []int64
	lengths []int32 // tokens, end marks not counted
	skip    []uint8 // 1 where an end mark stands before them
	negate  bool    // negative ids are prompts
	Options

	mu    sync.Mutex // guards the line read last: rows of a step often lie in one document
	last  int
	whole Tokens
}

func openInternEvo(path string, o Options) (Reader, error) {
	meta, err := mapped.Open(path + ".meta")
	if errors.Is(err, fs.ErrNotExist) {
		return openLines(path, o, true)
	}
	if err != nil {
		return nil, err
	}
	defer meta.Close()
	return openMapped(path, func(f *mapped.File) (Reader, error) {
		table, rows, err := npyPairs(meta.Path(), meta.Bytes())
		if err != nil {
			return nil, err
		}
		r := newLines(f, o, true)
		for i := range rows {
			at, n := table.at(2*i), table.at(2*i+1)
			if at < 0 || n < 0 || n > 1<<30 || i > 0 && at <= r.offsets[i-1] {
				return nil, fmt.Errorf("%s: row %d is (byte %d, %d tokens), the one before starts at byte %d; int32 offsets end at 2 GiB: make the table again with int64", meta.Path(), i, at, n, r.before(i))
			}
			if at >= int64(len(f.Bytes())) {
				return nil, size(path, at+1, int64(len(f.Bytes())), fmt.Sprintf("at least: row %d of %s starts a line there", i, meta.Path()))
			}
			if err := r.add(at, int(n)); err != nil {
				return nil, err
			}
		}
		if end := int64(len(f.Bytes())); rows > 0 {
			if last := r.offsets[rows-1] + int64(len(r.line(rows-1))); last < end {
				return nil, fmt.Errorf("%s: has %d bytes after the last line that %s speaks of: the two are not of one run (a tokeniser that appends doubles the data)", path, end-last, meta.Path())
			}
		}
		return r, nil
	})
}

// openLines finds the lines by reading the file.
func openLines(path string, o Options, negate bool) (Reader, error) {
	return openMapped(path, func(f *mapped.File) (Reader, error) {
		r, data := newLines(f, o, negate), f.Bytes()
		for at := 0; at < len(data); {
			end := len(data)
			if i := bytes.IndexByte(data[at:], '\n'); i >= 0 {
				end = at + i + 1
			}
			if len(bytes.TrimSpace(data[at:end])) > 0 {
				if err := r.add(int64(at), -1); err != nil {
					return nil, err
				}
			}
			at = end
		}
		return r, nil
	})
}

func newLines(f *mapped.File, o Options, negate bool) *lines {
	return &lines{file: f, Options: o, negate: negate, last: -1}
}

func (r *lines) before(i int) int64 {
	if i == 0 {
		return 0
	}
	return r.offsets[i-1]
}

// add notes a line; n is what a table says of its tokens, −1 where there is none. Of a long line with a table only the ends are read.
func (r *lines) add(at int64, n int) error {
	i := len(r.offsets)
	r.offsets = append(r.offsets, at)
	line := r.line(i)
	first, last, ok := ends(line)
	if n < 0 || !ok {
		found, err := parseIDs(line, r.Field)
		if err != nil {
			return fmt.Errorf("%v: %w", r.Where(i), err)
		}
		if n >= 0 && n != len(found) {
			return fmt.Errorf("%v: has %d tokens, expected %d from its table", r.Where(i), len(found), n)
		}
		if n = len(found); n > 0 {
			first, last = found[0], found[n-1]
		}
	}
	skip := uint8(0)
	if r.End >= 0 && n > 0 && first == int64(r.End) {
		skip, n = 1, n-1
	}
	if r.End >= 0 && n > 0 && last == int64(r.End) {
		n--
	}
	r.lengths, r.skip = append(r.lengths, int32(n)), append(r.skip, skip)
	return nil
}

// line is line i with its newline.
func (r *lines) line(i int) []byte {
	rest := r.file.Bytes()[r.offsets[i]:]
	if n := bytes.IndexByte(rest, '\n'); n >= 0 {
		return rest[:n+1]
	}
	return rest
}

func (r *lines) Documents() int      { return len(r.offsets) }
func (r *lines) Length(i int) int    { return int(r.lengths[i]) }
func (r *lines) TextBytes(int) int64 { return -1 }
func (r *lines) Close() error        { return r.file.Close() }
func (r *lines) Where(i int) Place {
	return Place{File: r.file.Path(), Line: i + 1, Byte: r.offsets[i]}
}

func (r *lines) Read(i, first, n int) (Tokens, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last != i {
		t, err := r.parse(i)
		if err != nil {
			return Tokens{}, err
		}
		r.last, r.whole = i, t
	}
	t := Tokens{IDs: r.whole.IDs[first : first+n]}
	if r.whole.Prompt != nil {
		t.Prompt = r.whole.Prompt[first : first+n]
	}
	return t, nil
}

// parse reads document i whole.
func (r *lines) parse(i int) (t Tokens, err error) {
	found, err := parseIDs(r.line(i), r.Field)
	if err != nil {
		return t, fmt.Errorf("%v: %w", r.Where(i), err)
	}
	from, n := int(r.skip[i]), int(r.lengths[i])
	if from+n > len(found) || len(found) > from+n+1 {
		return t, fmt.Errorf("%v: has %d tokens, its table speaks of %d", r.Where(i), len(found), from+n)
	}
	t.IDs = make([]int32, n)
	for j, id := range found[from : from+n] {
		if r.negate && id <= 0 {
			if t.Prompt == nil {
				t.Prompt = make([]bool, n)
			}
			id, t.Prompt[j] = -id, true
		}
		if !r.valid(id) {
			return t, outside(r.Where(i), i, j, id, r.Vocabulary)
		}
		t.IDs[j] = int32(id)
	}
	return t, nil
}
