package cpu

import (
	"math"

	"lian/compute"
	"lian/compute/host"
)

const (
	keyTile   = compute.KeyTile
	queryRows = 96 // rows of a tile of queries: query rows × heads that share their keys
	noneYet   = -1e38
)

// attentionTask is the queries [first, last) of one sequence, for the heads of one kv head.
type attentionTask struct{ sequence, group, first, last int }

// attentionTasks cuts the queries into tiles. Where they are cut changes no result: rows do not depend on each other.
func attentionTasks(seqs *sequences, kv, queries int) []attentionTask {
	var tasks []attentionTask
	for s := range seqs.lengths {
		for g := range kv {
			for r := int(seqs.starts[s]); r < int(seqs.starts[s+1]); r += queries {
				tasks = append(tasks, attentionTask{s, g, r, min(r+queries, int(seqs.starts[s+1]))})
			}
		}
	}
	return tasks
}

var _ = provides((*backend).attention)

// attention goes over tiles of keys for each tile of queries: scores by the matrix-multiplication kernels, a running softmax,
// values by the same kernels with the output so far as their partial sums. Every chain ascends from key 0.
func (b *backend) attention(o *compute.Attention) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	seqs, err := layout(o)
	if err != nil {
		return err
	}
	group := o.Q.Shape[1] / o.K.Shape[1]
	tasks := attentionTasks(&seqs, o.K.Shape[1], max(1, queryRows/group))
	b.each(len(tasks), func(s *scratch, t int) { b.attentionTile(s, o, &seqs, tasks[t]) })
	return nil
}

func (b *backend) attentionTile(s *scratch, o *compute.Attention, seqs *sequences, t attentionTask) {
	heads, kv, head := o.Q.Shape[1], o.K.Shape[1], o.Q.Shape[2]
	group := heads / kv
	queries := t.last - t.first
	rows := queries * group
	panels := (head + b.columns - 1) / b.columns
	asPairs := o.BF16 && b.gemmPairs != nil
	tiles := (rows + b.rows - 1) / b.rows

	// One row for each query and head; scores, running state and outputs by row.
	q := s.need(slotA, rows*head)
	copyHeads(q, host.F32(o.Q), t, heads, group, head)
	packedQ := s.need(slotB, tiles*b.rows*head)
	b.packTiles(asPairs, packedQ, operand{q, head, true}, rows, head)
	p := s.need(slotC, rows*keyTile)
	state := s.need(slotD, 3*tiles*b.rows)
	most, sum, factor := state[:rows], state[tiles*b.rows:][:rows], state[2*tiles*b.rows:][:tiles*b.rows]
	for i := range most {
		most[i], sum[i] = noneYet, 0
	}
	out := s.need(slotE, tiles*panels*b.rows*b.columns) // by tile and panel, as kernels hold them
	clear(out)
	keys := s.need(slotF, (keyTile+b.columns)*head)
	values := s.need(slotG, keyTile*panels*b.columns)
	packedP := s.need(slotPartial, tiles*b.rows*keyTile)

	begin, _ := seqs.sees(o, t.sequence, t.first)
	_, end := seqs.sees(o, t.sequence, t.last-1)
	for tile := begin / keyTile * keyTile; tile < end; tile += keyTile {
		count := min(keyTile, int(seqs.lengths[t.sequence])-tile, end-tile)
		b.packKeys(asPairs, s, keys, values, o, seqs, t, tile, count)
		b.multiplyTiles(asPairs, s, packedQ, keys, p, rows, count, head, o.Scale)
		masked := hideUnseen(p, o, seqs, t, group, tile, count)
		b.softmaxRows(at(p, 0), rows, at(most, 0), at(sum, 0), at(factor, 0))
		for i := range tiles {
			here := min(b.rows, rows-i*b.rows)
			for j := range panels {
				b.scaleRows(at(out, (i*panels+j)*b.rows*b.columns), here, at(factor, i*b.rows))
			}
		}
		if masked && !asPairs && !finite(b.dot(at(values, 0), at(values, 0), count*panels*b.columns)) {
			b.addSeenValues(s, p, values, out, o, seqs, t, group, tile, count, panels)
			continue
		}
		b.packTiles(asPairs, packedP, operand{p, keyTile, true}, rows, count)
		deep := depth(count, asPairs)
		for j := range panels {
			for i := range tiles {
				here := at(out, (i*panels+j)*b.rows*b.columns)
				s.tile = tile0(at(packedP, i*b.rows*deep), at(values, j*deep*b.columns), here, b.columns, deep)
				s.tile.partial = here
				b.gemmOf(asPairs)[min(b.rows, rows-i*b.rows)-1](&s.tile)
			}
		}
	}
	b.storeAttention(o, t, out, most, sum, group, panels)
}

// tile0 is a kernel call that begins chains at 0 and writes rows of `columns` values.
func tile0(a, b, c *float32, columns, k int) tile {
	return tile{a: a, b: b, c: c, stride: columns * 4, k: k, alpha: 1}
}

// copyHeads gathers the rows of a task from a tensor [rows, heads, head]: query by query, and its heads in order.
func copyHeads(dst, src []float32, t attentionTask, heads, group, head int) {
	for i := range t.last - t.first {
		from := ((t.first+i)*heads + t.group*group) * head
		copy(dst[i*group*head:(i+1)*group*head], src[from:])
	}
}

// packTiles packs all rows of x, k values each, as panels of A.
func (c *kernels) packTiles(asPairs bool, dst []float32, x operand, rows, k int) {
	for first := 0; first < rows; first += c.rows {
		here := min(c.rows, rows-first)
		c.packAs(asPairs, dst[first*depth(k, asPairs):], x, first, here, here, 0, k)
	}
}

// gemmOf is the micro-kernels for float32 values or bfloat16 pairs.
func (c *kernels) gemmOf(asPairs bool) []func(*tile) {
	if asPairs {
		return c.gemmPairs
	}
	return c.gemm
}

// multiplyTiles writes alpha · A·B for packed panels to rows of KeyTile values; columns past count are undefined.
func (c *kernels) multiplyTiles(asPairs bool, s *scratch, packedA, packedB, out []float32, rows, count, k int, alpha float32) {
	deep := depth(k, asPairs)
	for j := 0; j < count; j += c.columns {
		for i := 0; i < rows; i += c.rows {
			s.tile = tile0(at(packedA, i*deep), at(packedB, j*deep), at(out, i*keyTile+j), keyTile, deep)
			s.tile.alpha = alpha
			c.gemmOf(asPairs)[min(c.rows, rows-i)-1](&s.tile)
		}
	}
}

// packKeys packs `count` keys and values from key position `tile` on: keys as lanes, values over k.
func (b *backend) packKeys(asPairs bool, s *scratch, keys, values []float32, o *compute.Attention, seqs *sequences, t attentionTask, tile, count int) {
	kv, head := o.K.Shape[1], o.K.Shape[2]
	k, v := host.F32(o.K), host.F32(o.V)
	row := kv * head
	from := (seqs.slot(t.sequence, tile)*kv + t.group) * head
	if seqs.blocks != nil {
		if !asPairs && b.packPaged(keys, values, o, seqs, t, tile, count) {
			return
		}
		dense := s.need(slotH, 2*keyTile*head)
		for i := range count {
			at := (seqs.slot(t.sequence, tile+i)*kv + t.group) * head
			copy(dense[i*head:(i+1)*head], k[at:])
			copy(dense[(keyTile+i)*head:(keyTile+i+1)*head], v[at:])
		}
		k, v, row, from = dense[:keyTile*head], dense[keyTile*head:], head, 0
	}
	b.packKeysOf(asPairs, keys, operand{k[from:], row, true}, count, head)
	b.packValuesOf(asPairs, values, operand{v[from:], row, false}, count, head)
}

// packPaged packs straight from the blocks of a cache, where eight neighbouring keys lie in one block. Keys past count may be
// read and packed too: nobody sees their scores. It says whether it could.
func (b *backend) packPaged(keys, values []float32, o *compute.Attention, seqs *sequences, t attentionTask, tile, count int) bool {
	kv, head := o.K.Shape[1], o.K.Shape[2]
	if b.columns%8 != 0 || seqs.size%8 != 0 || head%8 != 0 || head%b.columns != 0 || o.K.Shape[0]%seqs.size != 0 {
		return false
	}
	k, v, row := host.F32(o.K), host.F32(o.V), kv*head
	for i := 0; i < count; i += 8 {
		from := (seqs.slot(t.sequence, tile+i)*kv + t.group) * head
		b.transpose8(at(keys, i/b.columns*b.columns*head+i%b.columns), b.columns*4, at(k, from), row*4, head/8)
		for j := 0; j < head; j += b.columns {
			b.copyB(at(values, j*count+i*b.columns), at(v, from+j), row*4, min(8, count-i))
		}
	}
	return true
}

// packKeysOf packs rows as lanes: panels of B for a product over the head.
func (c *kernels) packKeysOf(asPairs bool, dst []float32, x operand, count, head int) {
	for j := 0; j < count; j += c.columns {
		c.packAs(asPairs, dst[j*depth(head, asPairs):], x, j, min(c.columns, count-j), c.columns, 0, head)
	}
}

// packValuesOf packs rows as k: panels of B for a product over the rows.
func (c *kernels) packValuesOf(asPairs bool, dst []float32, x operand, count, head int) {
	for j := 0; j < head; j += c.columns {
		c.packAs(asPairs, dst[j*depth(count, asPairs):], x, j, min(c.columns, head-j), c.columns, 0, count)
	}
}

// hideUnseen sets the scores of keys that a row does not see to −∞ and says whether there are any within count.
func hideUnseen(p []float32, o *compute.Attention, seqs *sequences, t attentionTask, group, tile, count int) bool {
	masked := false
	for i := range t.last - t.first {
		first, last := seqs.seesOf(o, t, i, tile, count)
		if first == 0 && last == keyTile {
			continue
		}
		masked = masked || first > 0 || last < count
		for r := i * group; r < (i+1)*group; r++ {
			fill(p[r*keyTile:r*keyTile+first], float32(math.Inf(-1)))
			fill(p[r*keyTile+last:(r+1)*keyTile], float32(math.Inf(-1)))
		}
	}
	return masked
}

func fill(x []float32, v float32) {
	for i := range x {
		x[i] = v
	}
}

func finite(x float32) bool { return x-x == 0 }

// addSeenValues is the product with the values, row by row over the keys it sees: for a tile that holds NaN or ∞, which must
// not reach the rows that do not see it. The chains are the same.
func (b *backend) addSeenValues(s *scratch, p, values, out []float32, o *compute.Attention, seqs *sequences, t attentionTask, group, tile, count, panels int) {
	for i := range t.last - t.first {
		first, last := seqs.seesOf(o, t, i, tile, count)
		for r := i * group; r < (i+1)*group; r++ {
			for j := range panels {
				if first >= last {
					continue
				}
				here := at(out, ((r/b.rows*panels+j)*b.rows+r%b.rows)*b.columns)
				s.tile = tile0(at(p, r*keyTile+first), at(values, (j*count+first)*b.columns), here, b.columns, last-first)
				s.tile.partial = here
				b.gemm[0](&s.tile)
			}
		}
	}
}

// storeAttention divides by the sums and writes the rows where they belong. A row that saw no key is 0.
func (b *backend) storeAttention(o *compute.Attention, t attentionTask, out, most, sum []float32, group, panels int) {
	y, lse := host.F32(o.Out), host.F32(o.LogSumExp)
	heads, head := o.Q.Shape[1], o.Q.Shape[2]
	for r := range most {
		row := (t.first+r/group)*heads + t.group*group + r%group
		by := 1 / sum[r]
		if sum[r] == 0 {
			by = 0
		}
		for j := range panels {
			from := j * b.columns
			n := min(b.columns, head-from)
			src := at(out, ((r/b.rows*panels+j)*b.rows+r%b.rows)*b.columns)
			b.scale(src, n, by)
			copy(y[row*head+from:row*head+from+n], slice(src, n))
		}
		if lse != nil {
			lse[row] = most[r] + float32(math.Log(float64(sum[r])))
		}
	}
}
