package train

// sides is what a merge changes on both sides of the new token, by neighbour. Taking
// the changes of a neighbour together saves most of the look-ups in the counts.
type sides struct {
	left, right             []delta // by id of the neighbour
	lefts, rights           []int32 // neighbours that have changes
	leftPlaces, rightPlaces []placed
}

type delta struct {
	loss   int64 // of the pair with the old symbol
	gain   int64 // of the pair with the new one
	places int32 // of the new pair
	seen   bool
	filled int32
	where  list
}

type placed struct{ neighbour, place int32 }

// size makes room for n ids.
func (s *sides) size(n int) {
	for len(s.left) < n {
		s.left = append(s.left, delta{})
		s.right = append(s.right, delta{})
	}
}

func (s *sides) atLeft(id int32) *delta {
	d := &s.left[id]
	if !d.seen {
		d.seen = true
		s.lefts = append(s.lefts, id)
	}
	return d
}

func (s *sides) atRight(id int32) *delta {
	d := &s.right[id]
	if !d.seen {
		d.seen = true
		s.rights = append(s.rights, id)
	}
	return d
}

// apply merges a pair at places, in rising order, and notes the changes.
func (s *sides) apply(c *cells, places []int32, p pair, whole int32) {
	ids, left, right := c.ids, p.left(), p.right()
	for _, at := range places {
		if ids[at] != left {
			continue
		}
		next := c.after(at)
		if ids[next] != right {
			continue
		}
		behind := c.after(next)
		times := c.weight(at)
		c.join(at, next, behind, whole)
		if b := c.previous(at); b >= 0 {
			d := s.atLeft(ids[b])
			d.loss += times
			d.gain += times
			d.places++
			s.leftPlaces = append(s.leftPlaces, placed{ids[b], b})
		}
		if y := ids[behind]; y != end {
			s.atRight(y).loss += times
			if y != whole {
				d := &s.right[y]
				d.gain += times
				d.places++
				s.rightPlaces = append(s.rightPlaces, placed{y, at})
				continue
			}
			// Two new tokens side by side, where one was there before.
			d := s.atLeft(whole)
			d.gain += times
			d.places++
			s.leftPlaces = append(s.leftPlaces, placed{whole, at})
		}
	}
}

// take adds the changes that another worker noted, further on in the texts.
func (s *sides) take(o *sides) {
	for _, id := range o.lefts {
		d := s.atLeft(id)
		d.loss += o.left[id].loss
		d.gain += o.left[id].gain
		d.places += o.left[id].places
	}
	for _, id := range o.rights {
		d := s.atRight(id)
		d.loss += o.right[id].loss
		d.gain += o.right[id].gain
		d.places += o.right[id].places
	}
	s.leftPlaces = append(s.leftPlaces, o.leftPlaces...)
	s.rightPlaces = append(s.rightPlaces, o.rightPlaces...)
}

func (s *sides) clear() {
	for _, id := range s.lefts {
		s.left[id] = delta{}
	}
	for _, id := range s.rights {
		s.right[id] = delta{}
	}
	s.lefts, s.rights = s.lefts[:0], s.rights[:0]
	s.leftPlaces, s.rightPlaces = s.leftPlaces[:0], s.rightPlaces[:0]
}
