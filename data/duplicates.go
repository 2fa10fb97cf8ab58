package data

import (
	"context"
	"fmt"

	"lian/data/dedup"
	"lian/data/document"
)

// exact drops documents that repeat an earlier one word for word.
func (p *pipeline) exact(context.Context) error {
	p.mark("exact_duplicate", dedup.Exact(p.texts()))
	p.drop("exact_duplicates")
	return nil
}

// near drops near duplicates, the first of each cluster stays, and binds the
// groups that a cluster touches together: neighbours of a dropped copy must
// not stand on the other side of the held-out split from the copy that stays.
func (p *pipeline) near(ctx context.Context) error {
	if p.Similarity >= 1 {
		p.drop("near_duplicates")
		return nil
	}
	total := len(p.kept)
	first, err := dedup.Near(ctx, p.texts(), dedup.Options{
		Similarity: p.Similarity, Workers: p.Workers,
		Progress: func(done int) {
			if done%1024 == 0 {
				p.progress(Progress{"duplicates", done, total})
			}
		},
	})
	if err != nil {
		return err
	}
	groups := newGroups()
	clusters := map[int]bool{}
	for i, j := range first {
		if i != j {
			clusters[j] = true
			groups.join(p.kept[i].Group, p.kept[j].Group)
		}
	}
	p.report.Clusters = len(clusters)
	for i := range p.kept {
		p.kept[i].Group = groups.find(p.kept[i].Group)
	}
	p.mark("near_duplicate", first)
	p.drop("near_duplicates")
	return nil
}

func (p *pipeline) texts() []string {
	texts := make([]string, len(p.kept))
	for i := range p.kept {
		texts[i] = p.kept[i].Text
	}
	return texts
}

func (p *pipeline) mark(rule string, first []int) {
	for i, j := range first {
		if i != j {
			p.kept[i].Verdicts = append(p.kept[i].Verdicts, document.Verdict{
				Rule: rule, Value: 1, Reason: fmt.Sprintf("of %s (%s record %d)", p.kept[j].ID, p.kept[j].Source.Path, p.kept[j].Source.Record),
			})
		}
	}
}

// groups joins names; the smallest name stands for all.
type groups struct{ parent map[string]string }

func newGroups() *groups { return &groups{map[string]string{}} }

func (g *groups) find(name string) string {
	for {
		parent, ok := g.parent[name]
		if !ok {
			return name
		}
		name = parent
	}
}

func (g *groups) join(a, b string) {
	a, b = g.find(a), g.find(b)
	if a != b {
		g.parent[max(a, b)] = min(a, b)
	}
}
