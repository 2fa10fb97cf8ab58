package engine

import (
	"bytes"
	"cmp"
	"container/list"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"lian/compute"
	"lian/model"
	"lian/store/atomicfile"
)

// disk keeps nodes of the prefix tree in files: those that had to make room, and at closing all. A file is believed only if everything in
// it is as it should be; see docs/format/cache.md.
type disk struct {
	dir      string // of this model; its files are those that are read
	identity [32]byte
	most     int64 // bytes of all models together
	cache    *model.Cache
	bytes    []int // of a block of each group
	blocks   *blocks
	stream   compute.Stream

	mu     sync.Mutex // guards what follows: files are written beside the engine
	files  map[string]*list.Element
	order  *list.List // of *kept, the longest unused first
	total  int64
	buffer []byte
	stats  DiskStats
	queue  chan write
	ended  chan struct{}
}

// DiskStats are the files of keys and values.
type DiskStats struct {
	Files       int
	Bytes       int64
	Saved, Read int // blocks
	Damaged     int // files that were not believed
	Reason      string
	Failed      int // blocks that could not be written
}

type kept struct {
	path string
	size int64
}

type write struct {
	path    string
	content []byte
}

const (
	fileMagic  = "lian keys\n"
	fileHeader = len(fileMagic) + 4 + 32 + 16 + 4*blockSize // magic, version, identity, name of the parent, ids
	fileEnding = ".keys"
	fileFormat = 1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func openDisk(folder string, most int64, identity [32]byte, e *Engine) (*disk, error) {
	d := &disk{dir: filepath.Join(folder, hex.EncodeToString(identity[:8])), identity: identity, most: most, cache: e.cache, bytes: e.blockBytes,
		blocks: e.scheduler.blocks, stream: e.copies, files: map[string]*list.Element{}, order: list.New(), queue: make(chan write, 16), ended: make(chan struct{})}
	if err := os.MkdirAll(d.dir, 0o777); err != nil {
		return nil, fmt.Errorf("cache_dir: %w", err)
	}
	type found struct {
		kept
		used time.Time
	}
	var all []found
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, fileEnding) {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) { // another process made room
			return nil
		}
		if err == nil {
			all = append(all, found{kept{path, info.Size()}, info.ModTime()})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cache_dir: %w", err)
	}
	slices.SortFunc(all, func(a, b found) int { return cmp.Or(a.used.Compare(b.used), cmp.Compare(a.path, b.path)) })
	for _, f := range all {
		d.note(f.kept)
	}
	d.shrink()
	go d.write()
	return d, nil
}

// note counts a file as the last one used.
func (d *disk) note(k kept) {
	d.files[k.path] = d.order.PushBack(&k)
	d.total += k.size
}

// forget removes a file.
func (d *disk) forget(path string) {
	if e := d.files[path]; e != nil {
		d.total -= e.Value.(*kept).size
		d.order.Remove(e)
		delete(d.files, path)
		os.Remove(path) // if it stays, the next process counts it again
	}
}

// shrink removes the longest unused files until the rest is small enough.
func (d *disk) shrink() {
	for d.total > d.most && d.order.Len() > 0 {
		d.forget(d.order.Front().Value.(*kept).path)
	}
}

func (d *disk) path(n name) string { return filepath.Join(d.dir, hex.EncodeToString(n[:])+fileEnding) }

// save implements spill. The blocks are copied at once and written later.
func (d *disk) save(n *node) {
	path := d.path(n.name)
	d.mu.Lock()
	known := d.files[path] != nil
	d.mu.Unlock()
	holds := slices.ContainsFunc(n.blocks, func(block int32) bool { return block >= 0 })
	if known || !holds {
		return
	}
	content, err := d.encode(n)
	if err != nil {
		d.fail(err)
		return
	}
	d.queue <- write{path, content}
}

// encode is the file of a node.
func (d *disk) encode(n *node) ([]byte, error) {
	size := fileHeader + 8*len(d.bytes) + 4
	for g, block := range n.blocks {
		if block >= 0 {
			size += d.bytes[g]
		}
	}
	content := make([]byte, 0, size)
	content = append(content, fileMagic...)
	content = binary.LittleEndian.AppendUint32(content, fileFormat)
	content = append(content, d.identity[:]...)
	content = append(content, n.parent.name[:]...)
	for _, id := range n.ids {
		content = binary.LittleEndian.AppendUint32(content, uint32(id))
	}
	for g, block := range n.blocks {
		here := 0
		if block >= 0 {
			here = d.bytes[g]
		}
		content = binary.LittleEndian.AppendUint64(content, uint64(here))
		from := len(content)
		content = content[:from+here]
		if here > 0 {
			if err := d.cache.ReadBlock(d.stream, g, block, content[from:]); err != nil {
				return nil, err
			}
		}
	}
	return binary.LittleEndian.AppendUint32(content, crc32.Checksum(content, castagnoli)), nil
}

// write writes what is queued.
func (d *disk) write() {
	defer close(d.ended)
	for w := range d.queue {
		if err := atomicfile.WriteFile(w.path, w.content); err != nil {
			d.fail(err)
			continue
		}
		d.mu.Lock()
		if d.files[w.path] == nil {
			d.note(kept{w.path, int64(len(w.content))})
		}
		d.stats.Saved++
		d.shrink()
		d.mu.Unlock()
	}
}

func (d *disk) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stats.Failed++
	d.stats.Reason = err.Error()
}

// load implements spill. It makes room in memory without holding mu: what has to go is saved.
func (d *disk) load(parent *node, name name, ids *blockIDs) ([]int32, bool) {
	path := d.path(name)
	d.mu.Lock()
	known := d.files[path] != nil
	d.mu.Unlock()
	if !known {
		return nil, false
	}
	content, err := d.read(path)
	var parts [][]byte
	if err == nil {
		parts, err = d.decode(content, parent, ids)
	}
	if err != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		if !errors.Is(err, fs.ErrNotExist) { // else another process made room
			d.stats.Damaged++
			d.stats.Reason = fmt.Sprintf("%s: %v; it is removed and what it held is computed again", path, err)
		}
		d.forget(path)
		return nil, false
	}
	blocks := make([]int32, len(parts))
	for g, part := range parts {
		if blocks[g] = -1; len(part) == 0 {
			continue
		}
		block, ok := d.blocks.take(g)
		if ok {
			blocks[g] = block
			err = d.cache.WriteBlock(d.stream, g, block, part)
		}
		if !ok || err != nil {
			for h, taken := range blocks[:g+1] {
				if taken >= 0 {
					d.blocks.pools[h].release(taken)
				}
			}
			return nil, false
		}
	}
	now := time.Now()
	os.Chtimes(path, now, now) // so that the next process knows; if not, it goes a little sooner
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.files[path]; e != nil {
		d.order.MoveToBack(e)
	}
	d.stats.Read++
	return blocks, true
}

// read is the content of a file, until the next read: memory that was touched before is read into much faster than new one.
func (d *disk) read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d.buffer = d.buffer[:0]
	for {
		if len(d.buffer) == cap(d.buffer) {
			d.buffer = slices.Grow(d.buffer, d.largest()+1-len(d.buffer))
		}
		n, err := f.Read(d.buffer[len(d.buffer):cap(d.buffer)])
		d.buffer = d.buffer[:len(d.buffer)+n]
		switch {
		case errors.Is(err, io.EOF):
			return d.buffer, nil
		case err != nil:
			return nil, err
		case len(d.buffer) > d.largest():
			return nil, fmt.Errorf("more than %d bytes", d.largest())
		}
	}
}

// largest is the size of a file with a block of each group.
func (d *disk) largest() int {
	n := fileHeader + 4
	for _, size := range d.bytes {
		n += 8 + size
	}
	return n
}

// decode checks a file and gives the bytes of each group's block, none where it has none.
func (d *disk) decode(content []byte, parent *node, ids *blockIDs) ([][]byte, error) {
	if len(content) < fileHeader+8*len(d.bytes)+4 {
		return nil, fmt.Errorf("%d bytes are less than a header", len(content))
	}
	sum := binary.LittleEndian.Uint32(content[len(content)-4:])
	content = content[:len(content)-4]
	if got := crc32.Checksum(content, castagnoli); got != sum {
		return nil, fmt.Errorf("the checksum is %08x, expected %08x", got, sum)
	}
	next := func(n int) []byte {
		part := content[:n]
		content = content[n:]
		return part
	}
	switch {
	case string(next(len(fileMagic))) != fileMagic:
		return nil, errors.New("it is no file of keys")
	case binary.LittleEndian.Uint32(next(4)) != fileFormat:
		return nil, errors.New("it is of another version")
	case !bytes.Equal(next(32), d.identity[:]):
		return nil, errors.New("its keys are of another model, or were computed otherwise")
	case !bytes.Equal(next(16), parent.name[:]):
		return nil, errors.New("it follows other tokens")
	}
	for i, id := range ids {
		if got := int32(binary.LittleEndian.Uint32(next(4))); got != id {
			return nil, fmt.Errorf("its token %d is %d, expected %d", i, got, id)
		}
	}
	parts := make([][]byte, len(d.bytes))
	for g, expected := range d.bytes {
		if len(content) < 8 {
			return nil, fmt.Errorf("it ends before group %d", g)
		}
		n := binary.LittleEndian.Uint64(next(8))
		if n != 0 && n != uint64(expected) || n > uint64(len(content)) || n == 0 && d.blocks.windows[g] == 0 {
			return nil, fmt.Errorf("group %d has %d bytes, expected %d", g, n, expected)
		}
		parts[g] = next(int(n))
	}
	if len(content) > 0 {
		return nil, fmt.Errorf("%d bytes follow its end", len(content))
	}
	return parts, nil
}

// close saves what a tree still holds, the last used last, and waits until everything is written.
func (d *disk) close(t *tree) {
	var save func(n *node)
	save = func(n *node) {
		for _, c := range n.children {
			save(c)
		}
		if n.parent != nil {
			d.save(n)
		}
	}
	if t.windows[0] == 0 {
		for e := t.recent[0].Front(); e != nil; e = e.Next() {
			d.save(e.Value.(*node))
		}
	} else {
		for _, root := range t.roots {
			save(root)
		}
	}
	close(d.queue)
	<-d.ended
}

func (d *disk) now() DiskStats {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.stats
	s.Files, s.Bytes = d.order.Len(), d.total
	return s
}
