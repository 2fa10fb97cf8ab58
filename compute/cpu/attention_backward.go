package cpu

import (
	"lian/compute"
	"lian/compute/host"
)

var _ = provides((*backend).attentionBackward)

// attentionBackward gives each worker whole (sequence, kv head) pairs, so that the sums over queries have one order. Within
// one, tiles of queries ascend, and for each the tiles of keys it sees.
//
// Unlike the forward pass, a NaN in one row may reach every row of its sequence and kv head: 0·NaN is not left out.
func (b *backend) attentionBackward(o *compute.AttentionBackward) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	seqs, err := layout(&o.Attention)
	if err != nil {
		return err
	}
	dq, dk, dv := host.F32(o.DQ), host.F32(o.DK), host.F32(o.DV)
	for _, x := range [][]float32{dq, dk, dv} {
		b.spans(len(x), stretch, func(_ *scratch, from, to int) { clear(x[from:to]) })
	}
	kv := o.K.Shape[1]
	b.each(len(seqs.lengths)*kv, func(s *scratch, task int) { b.attentionBackwardOf(s, o, &seqs, task/kv, task%kv) })
	return nil
}

func (b *backend) attentionBackwardOf(s *scratch, o *compute.AttentionBackward, seqs *sequences, sequence, g int) {
	heads, kv, head := o.Q.Shape[1], o.K.Shape[1], o.Q.Shape[2]
	group, count := heads/kv, int(seqs.lengths[sequence])
	if count == 0 {
		return
	}
	panels := (head + b.columns - 1) / b.columns
	asPairs := o.BF16 && b.gemmPairs != nil
	wide := panels * b.columns // a row of the head, padded to whole panels

	// Everything about the keys, packed once: keys and values as lanes (for scores), keys over k (for DQ), and the sums.
	from := (int(seqs.starts[sequence])*kv + g) * head
	k, v := host.F32(o.K)[from:], host.F32(o.V)[from:]
	size := (keyTile + b.columns) * head
	tiles := (count + keyTile - 1) / keyTile
	keys, vals := s.need(slotA, tiles*size), s.need(slotB, tiles*size)
	keysK := s.need(slotC, tiles*keyTile*wide)
	sums := s.need(slotD, 2*tiles*keyTile*wide) // of DK, then of DV
	clear(sums)
	for j := range tiles {
		n := min(keyTile, count-j*keyTile)
		x, y := operand{k[j*keyTile*kv*head:], kv * head, true}, operand{v[j*keyTile*kv*head:], kv * head, true}
		b.packKeysOf(asPairs, keys[j*size:], x, n, head)
		b.packKeysOf(asPairs, vals[j*size:], y, n, head)
		x.contiguous = false
		b.packValuesOf(asPairs, keysK[j*keyTile*wide:], x, n, head)
	}
	queries := max(1, queryRows/group)
	for r := int(seqs.starts[sequence]); r < int(seqs.starts[sequence+1]); r += queries {
		t := attentionTask{sequence, g, r, min(r+queries, int(seqs.starts[sequence+1]))}
		b.attentionBackwardTile(s, o, seqs, t, keys, vals, keysK, sums)
	}
	dk, dv := host.F32(o.DK)[from:], host.F32(o.DV)[from:]
	for i := range count {
		copy(dk[i*kv*head:i*kv*head+head], sums[i*wide:])
		copy(dv[i*kv*head:i*kv*head+head], sums[(tiles*keyTile+i)*wide:])
	}
}

func (b *backend) attentionBackwardTile(s *scratch, o *compute.AttentionBackward, seqs *sequences, t attentionTask, keys, vals, keysK, sums []float32) {
	heads, head := o.Q.Shape[1], o.Q.Shape[2]
	group := heads / o.K.Shape[1]
	rows := (t.last - t.first) * group
	panels := (head + b.columns - 1) / b.columns
	asPairs := o.BF16 && b.gemmPairs != nil
	wide := panels * b.columns
	count := int(seqs.lengths[t.sequence])
	size := (keyTile + b.columns) * head
	sumsV := sums[len(sums)/2:]

	dense := s.need(slotE, 3*rows*head)
	q, d, out := dense[:rows*head], dense[rows*head:2*rows*head], dense[2*rows*head:]
	copyHeads(q, host.F32(o.Q), t, heads, group, head)
	copyHeads(d, host.F32(o.DOut), t, heads, group, head)
	copyHeads(out, host.F32(o.Out), t, heads, group, head)
	packed := s.need(slotF, 2*rows*(head+wide)+4*slack)
	packedQ, packedD := packed[:rows*head+slack], packed[rows*head+slack:2*(rows*head+slack)]
	b.packTiles(asPairs, packedQ, operand{q, head, true}, rows, head)
	b.packTiles(asPairs, packedD, operand{d, head, true}, rows, head)
	rest := packed[2*(rows*head+slack):]
	overQ, overD := rest[:rows*wide], rest[rows*wide:]
	b.packValuesOf(asPairs, overQ, operand{q, head, false}, rows, head)
	b.packValuesOf(asPairs, overD, operand{d, head, false}, rows, head)

	state := s.need(slotG, 2*rows)
	lse, mean := state[:rows], state[rows:]
	for r := range rows {
		lse[r] = host.F32(o.LogSumExp)[(t.first+r/group)*heads+t.group*group+r%group]
		mean[r] = b.dot(at(d, r*head), at(out, r*head), head)
	}
	work := s.need(slotH, 2*rows*keyTile)
	p, dp := work[:rows*keyTile], work[rows*keyTile:]
	sumQ := s.need(slotPartial, (rows+b.rows)*wide+max(rows, keyTile)*keyTile+b.rows*rows+slack)
	packedA := sumQ[(rows+b.rows)*wide:]
	sumQ = sumQ[:(rows+b.rows)*wide]
	clear(sumQ)

	begin, _ := seqs.sees(&o.Attention, t.sequence, t.first)
	_, end := seqs.sees(&o.Attention, t.sequence, t.last-1)
	for tile := begin / keyTile * keyTile; tile < end; tile += keyTile {
		j := tile / keyTile
		n := min(keyTile, count-tile)
		b.multiplyTiles(asPairs, s, packedQ, keys[j*size:], p, rows, n, head, o.Scale)
		b.multiplyTiles(asPairs, s, packedD, vals[j*size:], dp, rows, n, head, 1)
		b.softmaxGrad(at(p, 0), at(dp, 0), rows, at(lse, 0), at(mean, 0), o.Scale)
		clearUnseen(p, dp, &o.Attention, seqs, t, group, tile, n)
		// DV += Pᵀ·DOut, DK += dSᵀ·Q: lanes are keys, k is the rows of this tile.
		b.addProduct(asPairs, s, packedA, operand{p, keyTile, false}, overD, sumsV[j*keyTile*wide:], n, rows, panels)
		b.addProduct(asPairs, s, packedA, operand{dp, keyTile, false}, overQ, sums[j*keyTile*wide:], n, rows, panels)
		b.addProduct(asPairs, s, packedA, operand{dp, keyTile, true}, keysK[j*keyTile*wide:], sumQ, rows, n, panels)
	}
	dq := host.F32(o.DQ)
	for r := range rows {
		row := (t.first+r/group)*heads + t.group*group + r%group
		copy(dq[row*head:(row+1)*head], sumQ[r*wide:])
	}
}

// addProduct adds A·B to rows of whole panels: m rows of A over k, B packed.
func (c *kernels) addProduct(asPairs bool, s *scratch, packedA []float32, a operand, packedB, sum []float32, m, k, panels int) {
	wide := panels * c.columns
	c.packTiles(asPairs, packedA, a, m, k)
	deep := depth(k, asPairs)
	for j := range panels {
		for i := 0; i < m; i += c.rows {
			s.tile = tile0(at(packedA, i*deep), at(packedB, j*deep*c.columns), at(sum, i*wide+j*c.columns), wide, deep)
			s.tile.flags = flagAccumulate
			c.gemmOf(asPairs)[min(c.rows, m-i)-1](&s.tile)
		}
	}
}

// clearUnseen sets the probabilities and gradients of keys that a row does not see to 0.
func clearUnseen(p, dp []float32, o *compute.Attention, seqs *sequences, t attentionTask, group, tile, count int) {
	for i := range t.last - t.first {
		first, last := seqs.seesOf(o, t, i, tile, count)
		if first == 0 && last == keyTile {
			continue
		}
		for r := i * group; r < (i+1)*group; r++ {
			for _, x := range [][]float32{p, dp} {
				clear(x[r*keyTile : r*keyTile+first])
				clear(x[r*keyTile+last : (r+1)*keyTile])
			}
		}
	}
}
