package sample

// item is a candidate in some order: by ascending key, then id.
type item struct {
	key    float64
	id     int32
	weight float64
}

func (a item) before(b item) bool { return a.key < b.key || a.key == b.key && a.id < b.id }

// prefix finds the last item of the shortest beginning of the items' order that has at least so much weight and so many items;
// without such a beginning, the last of all. It reorders the items and sorts nothing: each turn parts them at one of them and
// goes on in the side where the end must be.
func prefix(items []item, weight float64, count int) item {
	turn := uint64(0)
	for len(items) > 1 {
		turn = mix(turn)
		pivot := items[turn%uint64(len(items))]
		low, sum := 0, 0.0
		for i, x := range items {
			if x.before(pivot) || x == pivot {
				sum += x.weight
				items[i], items[low] = items[low], x
				low++
			}
		}
		switch {
		case sum >= weight && low >= count:
			if low == len(items) { // the pivot is the last: without it it may be too few
				at := 0
				for items[at] != pivot {
					at++
				}
				items[at], items[low-1] = items[low-1], pivot
				if sum-pivot.weight >= weight && low-1 >= count {
					items = items[:low-1]
					continue
				}
				return pivot
			}
			items = items[:low]
		case low == len(items): // all of them are too few
			return pivot
		default:
			weight, count, items = weight-sum, count-low, items[low:]
		}
	}
	return items[0]
}

// upTo keeps the candidates whose items are not after end; with ties also those with its key.
func (c *pool) upTo(end item, ties bool, key func(candidate) float64) {
	kept := c.list[:0]
	for _, x := range c.list {
		if k := key(x); k < end.key || k == end.key && (ties || x.id <= end.id) {
			kept = append(kept, x)
		}
	}
	c.list = kept
}

// byLogit makes items of the list, the most likely first; weights are those of weigh.
func (c *pool) byLogit(largest float32) []item {
	c.items = c.items[:0]
	for _, x := range c.list {
		c.items = append(c.items, item{fallingLogit(x), x.id, c.weight(x, largest)})
	}
	return c.items
}

// byRank is byLogit where only numbers of items matter.
func (c *pool) byRank() []item {
	c.items = c.items[:0]
	for _, x := range c.list {
		c.items = append(c.items, item{fallingLogit(x), x.id, 1})
	}
	return c.items
}

func fallingLogit(x candidate) float64 { return -float64(x.logit) }
