package hub

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"sync"

	"lian/store/atomicfile"
)

// span is bytes [from, to) of a file.
type span struct{ from, to int64 }

// part is a file on its way: its bytes under a hidden name, and beside it which of them are here. Whatever is noted there was handed to
// the system before; after a power cut the checksum tells.
type part struct {
	path string // the final name
	size int64
	data *os.File
	note *os.File
	head int64 // bytes of the note's first line
	mu   sync.Mutex
	got  []int32 // bytes of each chunk that are here
	old  bool    // something was here before
}

// partHead is the first line of the note: what the bytes are of.
type partHead struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256,omitempty"`
	Git    string `json:"git,omitempty"`
	From   string `json:"from,omitempty"` // where no checksum tells the file: hub, name and revision
	Chunk  int    `json:"chunk"`
}

func partPaths(final string) (data, note string) {
	dir, name := filepath.Split(final)
	return dir + "." + name + partSuffix, dir + "." + name + doneSuffix
}

// openPart goes on with what is here of the file, or begins it.
func openPart(final string, f File, from string) (*part, error) {
	dataPath, notePath := partPaths(final)
	want := partHead{Size: f.Size, SHA256: f.SHA256, Git: f.Git, Chunk: chunk}
	if f.SHA256 == "" && f.Git == "" {
		want.From = from
	}
	head, err := json.Marshal(want)
	if err != nil {
		return nil, err
	}
	head = append(head, '\n')
	p := &part{path: final, size: f.Size, head: int64(len(head)), got: make([]int32, (f.Size+chunk-1)/chunk)}
	text, err := os.ReadFile(notePath)
	if err == nil && bytes.HasPrefix(text, head) {
		if info, err := os.Stat(dataPath); err == nil && info.Size() == f.Size {
			for i, mark := range text[len(head):] {
				if mark == '1' && i < len(p.got) {
					p.got[i], p.old = int32(p.chunkSize(i)), true
				}
			}
		}
	}
	if !p.old { // nothing, or of another file
		if err := os.WriteFile(notePath, head, 0o666); err != nil {
			return nil, err
		}
	}
	if p.data, err = os.OpenFile(dataPath, os.O_CREATE|os.O_RDWR, 0o666); err != nil {
		return nil, err
	}
	if err = p.data.Truncate(f.Size); err == nil {
		p.note, err = os.OpenFile(notePath, os.O_RDWR, 0o666)
	}
	if err != nil {
		p.data.Close()
		return nil, err
	}
	return p, nil
}

// partBytes is how much of a file a stopped download has left here.
func partBytes(final string, f File, from string) int64 {
	dataPath, notePath := partPaths(final)
	if _, err := os.Stat(dataPath); err != nil {
		return 0
	}
	if _, err := os.Stat(notePath); err != nil {
		return 0
	}
	p, err := openPart(final, f, from)
	if err != nil {
		return 0
	}
	defer p.close()
	return p.have()
}

func (p *part) chunkSize(i int) int64 { return min(int64(chunk), p.size-int64(i)*chunk) }

func (p *part) have() (n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, g := range p.got {
		n += int64(g)
	}
	return n
}

// missing are the spans that are not here, of at most size bytes, in order.
func (p *part) missing(size int64) (spans []span) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, g := range p.got {
		from := int64(i) * chunk
		to := from + p.chunkSize(i)
		if int64(g) == to-from {
			continue
		}
		if n := len(spans); n > 0 && spans[n-1].to == from && to-spans[n-1].from <= size {
			spans[n-1].to = to
			continue
		}
		spans = append(spans, span{from, to})
	}
	return spans
}

// rest is a span without what is here at its beginning.
func (p *part) rest(s span) span {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s.from < s.to {
		i := int(s.from / chunk)
		here := int64(i)*chunk + int64(p.got[i])
		if here <= s.from {
			return s
		}
		s.from = here
	}
	return s
}

// write puts bytes in their place and notes the chunks that are whole. fresh is how many of them were not here before. Writers of one
// chunk follow each other, so that what is here of it is always its beginning.
func (p *part) write(b []byte, at int64) (fresh int64, err error) {
	if _, err := p.data.WriteAt(b, at); err != nil {
		return 0, err
	}
	end := at + int64(len(b))
	for at < end {
		i := int(at / chunk)
		begin := int64(i) * chunk
		until := min(end, begin+p.chunkSize(i))
		p.mu.Lock()
		more := until - begin - int64(p.got[i])
		if more > 0 && at-begin <= int64(p.got[i]) {
			p.got[i] += int32(more)
			fresh += more
		}
		whole := int64(p.got[i]) == p.chunkSize(i) && more > 0
		p.mu.Unlock()
		if whole {
			if _, err := p.note.WriteAt([]byte{'1'}, p.head+int64(i)); err != nil {
				return fresh, err
			}
		}
		at = until
	}
	return fresh, nil
}

func (p *part) close() error { return errors.Join(p.data.Close(), p.note.Close()) }

// drop removes what is here.
func (p *part) drop() error {
	data, note := partPaths(p.path)
	return errors.Join(p.close(), os.Remove(data), os.Remove(note))
}

// finish checks the whole file and gives it its name. checked says by what.
func (p *part) finish(f File, read func(n int64)) (checked string, err error) {
	if _, err := p.data.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	if checked, err = check(p.data, f, read); err != nil {
		return "", errors.Join(err, p.drop())
	}
	if err := p.close(); err != nil {
		return "", err
	}
	data, note := partPaths(p.path)
	if err := atomicfile.Adopt(data, p.path); err != nil {
		return "", err
	}
	return checked, os.Remove(note)
}

// errDiffers is wrapped by the error of a file that is not what the hub lists.
var errDiffers = errors.New("the content is not what the hub lists")

// check compares bytes with what is known of a file.
func check(r io.Reader, f File, read func(n int64)) (checked string, err error) {
	var h hash.Hash
	want := first(f.SHA256, f.Git)
	switch {
	case f.SHA256 != "":
		h, checked = sha256.New(), "sha256"
	case f.Git != "":
		h, checked = sha1.New(), "git"
		fmt.Fprintf(h, "blob %d\x00", f.Size)
	default:
		return "size", nil // which the ranges have shown already
	}
	buffer := make([]byte, chunk)
	for {
		n, err := r.Read(buffer)
		h.Write(buffer[:n])
		read(int64(n))
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", err
		}
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		return "", fmt.Errorf("%s: %w: its %s is %s, expected %s", f.Path, errDiffers, checked, got, want)
	}
	return checked, nil
}
