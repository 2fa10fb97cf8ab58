package train

// candidate is a pair that may be merged and the places where it stood when it came
// to be; some of them may have been used by other merges since.
type candidate struct {
	count int64 // no less than the pair has now
	pair  pair
	where list
}

// queue is a heap: highest count first, of equals the one that the rule prefers.
type queue struct {
	items  []candidate
	before func(a, b pair) bool
}

func (q *queue) less(a, b *candidate) bool {
	return a.count > b.count || a.count == b.count && a.pair != b.pair && q.before(a.pair, b.pair)
}

// build orders items that were appended without push.
func (q *queue) build() {
	for i := len(q.items)/2 - 1; i >= 0; i-- {
		q.down(i)
	}
}

func (q *queue) push(c candidate) {
	q.items = append(q.items, c)
	i := len(q.items) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !q.less(&c, &q.items[parent]) {
			break
		}
		q.items[i] = q.items[parent]
		i = parent
	}
	q.items[i] = c
}

// pop removes the first.
func (q *queue) pop() {
	last := len(q.items) - 1
	q.items[0] = q.items[last]
	q.items = q.items[:last]
	if last > 0 {
		q.down(0)
	}
}

// down moves an item to where it belongs below.
func (q *queue) down(i int) {
	c := q.items[i]
	for {
		child := 2*i + 1
		if child >= len(q.items) {
			break
		}
		if child+1 < len(q.items) && q.less(&q.items[child+1], &q.items[child]) {
			child++
		}
		if !q.less(&q.items[child], &c) {
			break
		}
		q.items[i] = q.items[child]
		i = child
	}
	q.items[i] = c
}
