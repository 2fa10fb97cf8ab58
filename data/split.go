package data

import (
	"context"
	"sort"
	"strconv"

	"lian/data/document"
)

// A held-out set below leastHeldOut documents can measure nothing, so up to a
// quarter of a small corpus is held out to reach it.
const leastHeldOut = 100

// split holds whole groups out: those whose hash with the seed is lowest, until
// the share is reached. Adding a document does not move the others.
func (p *pipeline) split(context.Context) error {
	for i := range p.kept {
		p.kept[i].Split = document.Train
	}
	if p.HeldOut <= 0 || len(p.kept) < 2 {
		if len(p.kept) < 2 {
			p.note("one document only: nothing could be held out to measure on")
		}
		return nil
	}
	type group struct {
		name      string
		share     float64
		documents []int
		bytes     int64
	}
	build := func(name func(d *document.Document) string) []*group {
		byName := map[string]*group{}
		var list []*group
		for i := range p.kept {
			d := &p.kept[i]
			g := byName[name(d)]
			if g == nil {
				g = &group{name: name(d), share: share(p.Seed, "heldout", name(d))}
				byName[g.name] = g
				list = append(list, g)
			}
			g.documents = append(g.documents, i)
			g.bytes += int64(len(d.Text))
		}
		return list
	}
	list := build(func(d *document.Document) string { return d.Group })
	if len(list) < 5 {
		p.note("the text is in %d files or clusters: the held-out split is by piece, so neighbours of held-out text are trained on", len(list))
		list = build(func(d *document.Document) string { return d.Source.Path + "#" + strconv.Itoa(d.Source.Record) })
	}
	sort.Slice(list, func(i, j int) bool {
		return list[i].share < list[j].share || list[i].share == list[j].share && list[i].name < list[j].name
	})
	var total int64
	for _, g := range list {
		total += g.bytes
	}
	wantBytes := int64(p.HeldOut * float64(total))
	wantDocuments := max(1, min(leastHeldOut, len(p.kept)/4))
	mostBytes := max(total/3, 2*wantBytes) // one huge file must not become the whole held-out set
	var bytes int64
	documents := 0
	for _, g := range list {
		if bytes >= wantBytes && documents >= wantDocuments {
			break
		}
		if documents > 0 && bytes+g.bytes > mostBytes || documents+len(g.documents) >= len(p.kept) || g.bytes > total/2 {
			continue
		}
		bytes += g.bytes
		documents += len(g.documents)
		for _, i := range g.documents {
			p.kept[i].Split = document.HeldOut
		}
	}
	if documents == 0 {
		p.note("no group is small enough to be held out")
	}
	return nil
}
