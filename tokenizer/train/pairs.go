package train

// pair is two ids side by side: the left one in the upper half, so that pairs are in
// the order of their ids.
type pair uint64

func pairOf(left, right int32) pair { return pair(uint32(left))<<32 | pair(uint32(right)) }

func (p pair) left() int32  { return int32(p >> 32) }
func (p pair) right() int32 { return int32(uint32(p)) }

// counts is an open hash table from pairs to how often they stand in the texts. A
// count of 0 is not kept.
type counts struct {
	slots []counted
	used  int
}

type counted struct {
	pair  pair
	count int64 // 0: free
}

func newCounts() counts { return counts{slots: make([]counted, 1<<12)} }

func (c *counts) home(p pair) int {
	return int(uint64(p) * 0x9e3779b97f4a7c15 >> 20 & uint64(len(c.slots)-1))
}

// get is the count of a pair.
func (c *counts) get(p pair) int64 {
	for i := c.home(p); c.slots[i].count != 0; i = (i + 1) & (len(c.slots) - 1) {
		if c.slots[i].pair == p {
			return c.slots[i].count
		}
	}
	return 0
}

// add changes the count of a pair and returns the new one. A pair that is not there
// is taken to have 0, and never goes below.
func (c *counts) add(p pair, n int64) int64 {
	mask := len(c.slots) - 1
	i := c.home(p)
	for ; c.slots[i].count != 0; i = (i + 1) & mask {
		if c.slots[i].pair == p {
			if c.slots[i].count += n; c.slots[i].count <= 0 {
				c.remove(i)
				return 0
			}
			return c.slots[i].count
		}
	}
	if n <= 0 {
		return 0
	}
	c.slots[i] = counted{p, n}
	if c.used++; 3*c.used > 2*len(c.slots) {
		c.grow()
	}
	return n
}

// remove frees a slot and moves those behind it that belong nearer to their home.
func (c *counts) remove(i int) {
	mask := len(c.slots) - 1
	c.used--
	for j := (i + 1) & mask; c.slots[j].count != 0; j = (j + 1) & mask {
		if home := c.home(c.slots[j].pair); (j-home)&mask >= (j-i)&mask {
			c.slots[i] = c.slots[j]
			i = j
		}
	}
	c.slots[i] = counted{}
}

func (c *counts) grow() {
	old := c.slots
	c.slots = make([]counted, 2*len(old))
	for _, s := range old {
		if s.count == 0 {
			continue
		}
		i := c.home(s.pair)
		for c.slots[i].count != 0 {
			i = (i + 1) & (len(c.slots) - 1)
		}
		c.slots[i] = s
	}
}
