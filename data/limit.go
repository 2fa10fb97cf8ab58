package data

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sort"

	"lian/data/document"
	"lian/data/read"
)

// rawFactor: so many times max_bytes of files are read at most, because markup
// and rejected documents leave less text than there are bytes. It bounds memory.
const rawFactor = 4

// affordable leaves out files, by a hash of seed and name, when there are far
// more bytes than text may be kept.
func (p *pipeline) affordable(files []read.File) (kept []read.File, left []read.Result) {
	limit := rawFactor * p.MaxBytes
	var total int64
	for _, f := range files {
		total += f.Size
	}
	if p.standard || p.MaxBytes <= 0 || total <= limit {
		return files, nil
	}
	order := make([]int, len(files))
	for i := range order {
		order[i] = i
	}
	sort.Slice(order, func(i, j int) bool {
		x, y := share(p.Seed, "file", files[order[i]].Name), share(p.Seed, "file", files[order[j]].Name)
		return x < y || x == y && order[i] < order[j]
	})
	in := make([]bool, len(files))
	used := int64(0)
	for _, i := range order {
		if used == 0 || used+files[i].Size <= limit { // one at least, however large
			used += files[i].Size
			in[i] = true
		}
	}
	for i, f := range files {
		if in[i] {
			kept = append(kept, f)
		} else {
			left = append(left, read.Failed(f, overSize, fmt.Sprintf("the input has %d bytes, more than %d times max_bytes %d; a sample of its files is read", total, rawFactor, p.MaxBytes)))
		}
	}
	p.note("%d of %d files were left out: the input has %d bytes, and max_bytes is %d", len(left), len(files), total, p.MaxBytes)
	return kept, left
}

// overSize is the reason of what goes because there is enough already.
const overSize = "over_size"

// limit keeps at most MaxBytes of text, whole groups at a time. Of the Go
// distribution documentation goes before source, exported before unexported;
// within a class, and in every other corpus, a hash of seed and group decides,
// so what stays is a fair sample.
func (p *pipeline) limit(context.Context) error {
	limit := p.MaxBytes
	if p.standard {
		limit = p.GoBytes
	}
	var total int64
	for i := range p.kept {
		total += int64(len(p.kept[i].Text))
	}
	stage := stage("size")
	stage.row.In = Count{len(p.kept), total}
	if limit <= 0 || total <= limit {
		p.finish(stage)
		return nil
	}
	type key struct {
		class int
		group string
	}
	sizes := map[key]int64{}
	var keys []key
	of := func(d *document.Document) key { return key{p.class(d), d.Group} }
	for i := range p.kept {
		k := of(&p.kept[i])
		if _, ok := sizes[k]; !ok {
			keys = append(keys, k)
		}
		sizes[k] += int64(len(p.kept[i].Text))
	}
	sort.Slice(keys, func(i, j int) bool {
		a, b := keys[i], keys[j]
		if a.class != b.class {
			return a.class < b.class
		}
		x, y := share(p.Seed, "size", a.group), share(p.Seed, "size", b.group)
		return x < y || x == y && a.group < b.group
	})
	in := map[key]bool{}
	used := int64(0)
	for _, k := range keys {
		if used+sizes[k] <= limit {
			used += sizes[k]
			in[k] = true
		}
	}
	kept := p.kept[:0]
	for _, d := range p.kept {
		if in[of(&d)] {
			kept = append(kept, d)
			continue
		}
		size := len(d.Text)
		d.Verdicts = append(d.Verdicts, document.Verdict{Rule: overSize, Value: float64(size), Max: float64(limit), Reason: fmt.Sprintf("the text kept reaches max_bytes %d; the source has it", limit)})
		stage.reject(&d)
		d.Text, d.Fields = "", nil // it can be read again from its source
		p.gone = append(p.gone, d)
	}
	p.kept = kept
	p.finish(stage)
	return nil
}

func (p *pipeline) class(d *document.Document) int {
	switch {
	case !p.standard:
		return 0
	case d.Kind == document.KindCode:
		return 2
	case d.Kind == document.KindGo && d.Fields["exported"] == "no":
		return 1
	}
	return 0
}

// share maps a name to [0, 1), evenly, the same for one seed and purpose.
func share(seed uint64, purpose, name string) float64 {
	var s [8]byte
	binary.LittleEndian.PutUint64(s[:], seed)
	sum := sha256.Sum256([]byte(string(s[:]) + purpose + "\x00" + name))
	return float64(binary.LittleEndian.Uint64(sum[:])>>11) / (1 << 53)
}
