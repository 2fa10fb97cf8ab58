package pack

import (
	"math/bits"
	"slices"

	"lian/random"
)

// window is the number of documents that are fitted together. More fit better and take longer; at 4096 rows are fuller than 99 % on text.
const window = 4096

// bestFit fits whole documents into rows: of each window of documents in a seeded order the longest first, each into the row with the
// least room that takes it. A document longer than a row fills rows of its own, and its rest is fitted as others are. Rows are the same in all
// epochs, their order is not. Source: Ding et al., Fewer Truncations Improve Language Modeling, arXiv 2404.10830.
type bestFit struct {
	Options
	counts Counts
	pieces []fitted
	rows   []int32 // first piece of each row, and one more
	cache  permutations
}

type fitted struct{ document, first, count int32 }

func newBestFit(d Documents, o Options, kept []int32, c Counts) *bestFit {
	b := &bestFit{Options: o, counts: c, rows: []int32{0}}
	room := newRoom(o.Row)
	order := random.New(o.Seed, "order of fitting").Permutation(len(kept))
	for at := 0; at < len(order); at += window {
		var rest []fitted // what does not fill a row
		for _, k := range order[at:min(at+window, len(order))] {
			document, n := kept[k], d.Length(int(kept[k]))+o.mark()
			first := 0
			for ; n-first > o.Row; first += o.Row {
				b.row(fitted{document, int32(first), int32(o.Row)})
			}
			if first > 0 {
				b.counts.Cut++
				b.counts.CutTokens += int64(n - o.Row)
			}
			rest = append(rest, fitted{document, int32(first), int32(n - first)})
		}
		b.fit(rest, room)
	}
	b.counts.Pieces = int64(len(b.pieces))
	for _, p := range b.pieces {
		b.counts.Padding -= int64(p.count)
	}
	b.counts.Padding += int64(len(b.rows)-1) * int64(o.Row)
	b.cache = permutations{seed: o.Seed, n: len(b.rows) - 1, epoch: -1}
	return b
}

func (b *bestFit) row(pieces ...fitted) {
	b.pieces = append(b.pieces, pieces...)
	b.rows = append(b.rows, int32(len(b.pieces)))
}

// fit makes rows of the parts of a window.
func (b *bestFit) fit(parts []fitted, room *room) {
	slices.SortStableFunc(parts, func(x, y fitted) int { return int(y.count) - int(x.count) })
	var rows [][]fitted
	room.empty()
	for _, p := range parts {
		row, left, ok := room.take(int(p.count))
		if !ok {
			row, left = len(rows), b.Row
			rows = append(rows, nil)
		}
		rows[row] = append(rows[row], p)
		room.put(row, left-int(p.count))
	}
	for _, r := range rows {
		b.row(r...)
	}
}

func (b *bestFit) EpochRows() float64 { return float64(len(b.rows) - 1) }
func (b *bestFit) Counts() Counts     { return b.counts }

func (b *bestFit) Pieces(row, from, to int) (out []Piece) {
	n := len(b.rows) - 1
	r := b.cache.at(row/n, row%n)
	at := 0
	for _, p := range b.pieces[b.rows[r]:b.rows[r+1]] {
		first, last := max(at, from), min(at+int(p.count), to)
		if first < last {
			out = append(out, Piece{int(p.document), int(p.first) + first - at, last - first})
		}
		at += int(p.count)
	}
	return out
}

// room finds the row with the least room that is enough: rows by what they have left, and a bit for each amount that any has.
type room struct {
	rows [][]int
	any  []uint64
}

func newRoom(most int) *room { return &room{make([][]int, most+1), make([]uint64, most/64+1)} }

// empty forgets all rows.
func (r *room) empty() {
	for w, word := range r.any {
		for ; word != 0; word &= word - 1 {
			left := w*64 + bits.TrailingZeros64(word)
			r.rows[left] = r.rows[left][:0]
		}
		r.any[w] = 0
	}
}

func (r *room) put(row, left int) {
	if left > 0 {
		r.rows[left] = append(r.rows[left], row)
		r.any[left/64] |= 1 << (left % 64)
	}
}

func (r *room) take(need int) (row, left int, ok bool) {
	for w := need / 64; w < len(r.any); w++ {
		word := r.any[w]
		if w == need/64 {
			word &^= 1<<(need%64) - 1
		}
		if word == 0 {
			continue
		}
		left = w*64 + bits.TrailingZeros64(word)
		list := r.rows[left]
		row, r.rows[left] = list[len(list)-1], list[:len(list)-1]
		if len(list) == 1 {
			r.any[w] &^= 1 << (left % 64)
		}
		return row, left, true
	}
	return 0, 0, false
}
