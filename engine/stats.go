package engine

// Stats is what an engine holds and has done so far.
type Stats struct {
	Running, Waiting int
	Blocks           []BlockStats // of each cache group
	treeStats

	Steps, Rows, Tokens    int // computed; tokens are those of replies
	Preemptions            int // sequences that gave their blocks to others and waited again
	Drafts, DraftsAccepted int
	Disk                   DiskStats
}

// BlockStats is how the blocks of a cache group are used. Cached ones are known to the prefix tree only: they are free memory.
type BlockStats struct {
	Window                    int // 0: everything is kept
	Total, Free, Cached, Used int
	Bytes                     int // of a block
}

// Load is the number of requests being worked on and waiting.
func (e *Engine) Load() (running, waiting int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.scheduler.running), len(e.scheduler.waiting)
}

// Stats is how things stand.
func (e *Engine) Stats() Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.stats
	s.Running, s.Waiting = len(e.scheduler.running), len(e.scheduler.waiting)
	s.Preemptions, s.treeStats = e.scheduler.preemptions, e.scheduler.blocks.tree.stats
	if e.disk != nil {
		s.Disk = e.disk.now()
	}
	for g, p := range e.scheduler.blocks.pools {
		b := BlockStats{Window: e.cache.Groups[g].Window, Total: len(p.holders), Free: len(p.free), Cached: p.spare, Bytes: e.blockBytes[g]}
		b.Used = b.Total - b.Free - b.Cached
		s.Blocks = append(s.Blocks, b)
	}
	return s
}
