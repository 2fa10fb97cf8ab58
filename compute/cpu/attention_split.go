package cpu

// partSize is the memory of one part's result: values, largest scores and sums.
func (a *attending) partSize() int { return 2 * a.b.lanes * (a.deepValue + 2) }

// part computes one tile of keys for few rows.
func (a *attending) part(s *scratch, number int) {
	t := &a.parts[number]
	p := a.panel(s.need(slotD, a.panelSize()), t.task, t.task.first)
	result := a.partial[t.at*a.partSize():][:a.partSize()]
	out, most, sum := a.partOf(result, p.width)
	from, to := p.range_(t.tile)
	a.loadQueries(s, &p)
	loaded := a.loadTile(s, t.task, t.tile, to, false)
	a.scores(s, &p, &loaded, from, to)
	a.values(s, &p, &loaded, from, to, out, false)
	copy(most, p.most)
	copy(sum, p.sum)
}

func (a *attending) partOf(x []float32, width int) (out, most, sum []float32) {
	n := a.deepValue * width
	return x[:n], x[n : n+width], x[n+width : n+2*width]
}

// joins is the number of tasks that were split; their parts follow each other.
func (a *attending) joins() int {
	n := 0
	for i := range a.parts {
		if i == 0 || a.parts[i].task != a.parts[i-1].task {
			a.firstParts = append(a.firstParts[:n], i)
			n++
		}
	}
	a.firstParts = append(a.firstParts[:n], len(a.parts))
	return n
}

// join joins the parts of split task t, first to last, as rows does.
func (a *attending) join(s *scratch, t int) {
	parts := a.parts[a.firstParts[t]:a.firstParts[t+1]]
	p := a.panel(s.need(slotD, a.panelSize()), parts[0].task, parts[0].task.first)
	p.begin()
	for i := range parts {
		out, most, sum := a.partOf(a.partial[parts[i].at*a.partSize():], p.width)
		a.b.softmaxJoin(at(most, 0), at(sum, 0), at(p.allMost, 0), at(p.allSum, 0), at(p.old, 0), at(p.new, 0), p.width)
		for j := 0; j < p.width; j += a.b.lanes {
			a.b.joinLanes(at(p.out, j), at(out, j), p.width*4, a.value, at(p.old, j), at(p.new, j))
		}
	}
	a.store(s, &p)
}
