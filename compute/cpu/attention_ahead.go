package cpu

import (
	"unsafe"

	"lian/compute"
	"lian/compute/host"
)

// ahead is memory that is soon needed, asked for a little with each product: keys and values of the next tile come from far away,
// and waiting for them would take a tenth of the time.
type ahead struct {
	regions [8]region
	at, n   int
}

// region is rows of lines of 64 bytes.
type region struct {
	p           *byte
	stride      int
	rows, lines int
}

const linesAtOnce = 12

// clear forgets what was not asked for yet.
func (x *ahead) clear() { x.at, x.n = 0, 0 }

func (x *ahead) add(p *byte, stride, rows, bytes int) {
	if x.n < len(x.regions) && rows > 0 && bytes > 0 {
		x.regions[x.n] = region{p, stride, rows, (bytes + 63) / 64}
		x.n++
	}
}

// step asks for some lines, if there are any to ask for.
func (s *scratch) step(c *kernels) {
	x := &s.ahead
	for lines := 0; lines < linesAtOnce && x.at < x.n; {
		r := &x.regions[x.at]
		c.prefetch(r.p, r.lines)
		lines += r.lines
		if r.rows--; r.rows == 0 {
			x.at++
			continue
		}
		r.p = (*byte)(unsafe.Add(unsafe.Pointer(r.p), r.stride))
	}
}

// tileAhead adds the keys and values of a tile, as far as they lie evenly.
func (a *attending) tileAhead(x *ahead, t attentionTask, tile int) {
	count := min(keyTile, int(a.lengths[t.sequence])-tile)
	for done := 0; done < count && x.n < len(x.regions); {
		slot, run := a.run(t.sequence, tile+done, count-done)
		if slot < 0 {
			done += run
			continue
		}
		for _, y := range [2]*compute.Tensor{a.o.K, a.o.V} {
			head := y.Type.Bytes(y.Shape[2])
			x.add(bytePointer(host.Bytes(y), (slot*a.kv+t.group)*head), a.kv*head, run, head)
		}
		done += run
	}
}

// queriesAhead adds the queries of a task.
func (a *attending) queriesAhead(x *ahead, t attentionTask) {
	from, to := int(a.starts[t.sequence])+t.first/a.group, int(a.starts[t.sequence])+(t.last-1)/a.group
	x.add(bytesAt(host.F32(a.o.Q), (from*a.heads+t.group*a.group)*a.head), a.heads*a.head*4, to-from+1, a.group*a.head*4)
}
