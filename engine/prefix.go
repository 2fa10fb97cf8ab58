package engine

import (
	"container/list"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// tree knows the keys of what was computed, by what it was computed of: a node is a full block of tokens after those of its parent.
// It shares blocks with sequences; those that it alone holds are free memory, given up in the order of their last use.
type tree struct {
	*blocks
	roots map[rootKey]*node
	// recent are the nodes that have a block in a group, the longest unused first. Where everything is kept a node stands before its
	// parent, so that leaves go first; in a window it stands after, because the last blocks of a text serve what continues it.
	recent []*list.List
	gone   map[name]bool // of some nodes that had to make room, to tell why they miss
	disk   spill         // where nodes go and come from; may be nil
	stats  treeStats
}

type treeStats struct{ Nodes, Evicted, Hits, HitTokens, Misses int }

// rootKey is what keys depend on beside the tokens before them.
type rootKey struct {
	adapter string
	length  int // class of the prompt's length
}

type blockIDs [blockSize]int32

// name says what a node's keys were computed of: a hash over all tokens from the root on.
type name [16]byte

type node struct {
	name     name
	ids      blockIDs
	parent   *node // nil for a root
	children map[blockIDs]*node
	blocks   []int32         // of each group, −1 where it has none any more
	places   []*list.Element // in recent
	depth    int             // blocks from the root to here
	users    int             // tables that end here
}

// spill is a place for nodes outside of memory.
type spill interface {
	// save is told of a node that is about to go. It must not keep it.
	save(*node)
	// load is asked for the child of a node; it takes blocks for it and fills them, or says no.
	load(parent *node, name name, ids *blockIDs) (blocks []int32, ok bool)
}

func newTree(b *blocks) *tree {
	t := &tree{blocks: b, roots: map[rootKey]*node{}, gone: map[name]bool{}}
	for range b.pools {
		t.recent = append(t.recent, list.New())
	}
	return t
}

func (t *tree) root(k rootKey) *node {
	n := t.roots[k]
	if n == nil {
		n = &node{name: rootName(k)}
		t.roots[k] = n
	}
	return n
}

func rootName(k rootKey) (n name) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %d", k.adapter, k.length))
	copy(n[:], sum[:])
	return n
}

// childName is the name of the block of ids after a node.
func (n *node) childName(ids *blockIDs) (child name) {
	var in [len(name{}) + 4*blockSize]byte
	copy(in[:], n.name[:])
	for i, id := range ids {
		binary.LittleEndian.PutUint32(in[len(name{})+4*i:], uint32(id))
	}
	sum := sha256.Sum256(in[:])
	copy(child[:], sum[:])
	return child
}

// child finds the block of ids after a node, in memory or outside. A map's key is compared whole: a hash alone is never believed.
func (t *tree) child(n *node, ids *blockIDs) *node {
	if c := n.children[*ids]; c != nil || t.disk == nil {
		return c
	}
	n.users++ // must not go while blocks are made free
	defer func() { n.users-- }()
	name := n.childName(ids)
	if blocks, ok := t.disk.load(n, name, ids); ok {
		return t.add(n, name, ids, blocks)
	}
	return nil
}

// add makes a node of blocks whose holder the tree becomes.
func (t *tree) add(parent *node, name name, ids *blockIDs, blocks []int32) *node {
	n := &node{name: name, ids: *ids, parent: parent, blocks: blocks, places: make([]*list.Element, len(blocks)), depth: parent.depth + 1}
	if parent.children == nil {
		parent.children = map[blockIDs]*node{}
	}
	parent.children[*ids] = n
	for g, block := range blocks {
		if block >= 0 {
			t.pools[g].inTree[block] = true
			if t.pools[g].holders[block] == 1 {
				t.pools[g].spare++
			}
			n.places[g] = t.recent[g].PushBack(n)
		}
	}
	delete(t.gone, name)
	t.stats.Nodes++
	return n
}

// match begins a table with the longest part of ids that is known, at most all but the last, whose keys must be computed to have
// something to go on from. It returns the number of tokens, and why there are not more.
func (t *tree) match(k rootKey, ids []int32, to *table) (tokens int, miss string) {
	root := t.root(k)
	path := []*node{root}
	to.leaf = t.enter(root)
	t.begin(to)
	for n := root; (n.depth+1)*blockSize < len(ids); path = append(path, n) {
		c := t.child(n, (*blockIDs)(ids[n.depth*blockSize:]))
		if c == nil {
			break
		}
		n = c
		for g, block := range n.blocks { // hold on to it, so that loading the next does not push it out
			if block >= 0 {
				t.pools[g].hold(block)
			}
			to.blocks[g] = append(to.blocks[g], block)
		}
	}
	miss = t.whyMissing(k, path[len(path)-1], ids)
	known := len(path) - 1
	for known > 0 && !t.whole(path, known) {
		known--
		miss = MissEvicted
	}
	for g := range to.blocks {
		first := t.firstSeen(g, known*blockSize)
		for i, block := range to.blocks[g] {
			if block >= 0 && (i >= known || i < first) {
				t.pools[g].release(block)
				to.blocks[g][i] = -1
			}
		}
		to.blocks[g], to.passed[g] = to.blocks[g][:known], min(first, known)
	}
	t.leave(to)
	to.leaf = t.enter(path[known])
	t.touch(to.leaf)
	return known * blockSize, miss
}

// whole says whether what a row after a path's first n blocks sees is there.
func (t *tree) whole(path []*node, n int) bool {
	for g := range t.pools {
		for i := t.firstSeen(g, n*blockSize); i < n; i++ {
			if path[i+1].blocks[g] < 0 {
				return false
			}
		}
	}
	return true
}

// whyMissing says why the tree knows nothing of ids after a node.
func (t *tree) whyMissing(k rootKey, n *node, ids []int32) string {
	from := n.depth * blockSize
	switch {
	case from+blockSize >= len(ids):
		return ""
	case t.gone[n.childName((*blockIDs)(ids[from:]))]:
		return MissEvicted
	case len(n.children) > 0 && n.depth > 0:
		return MissDiffers
	case n.depth > 0:
		return "" // all that was seen of it
	}
	for other, root := range t.roots {
		if other.adapter == k.adapter && other.length != k.length && root.children[blockIDs(ids)] != nil {
			return MissLength
		}
	}
	return MissCold
}

// plant makes what a table has computed known: every block of ids below `computed`. What another sequence has computed too is shared
// from now on.
func (t *tree) plant(ids []int32, computed int, to *table) {
	for n := to.leaf; (n.depth+1)*blockSize <= computed; n = to.leaf {
		block := (*blockIDs)(ids[n.depth*blockSize:])
		c := n.children[*block]
		if c == nil {
			own := make([]int32, len(t.pools))
			for g := range own {
				if own[g] = to.blocks[g][n.depth]; own[g] >= 0 {
					t.pools[g].hold(own[g])
				}
			}
			c = t.add(n, n.childName(block), block, own)
		} else {
			t.share(c, to)
		}
		t.leave(to)
		to.leaf = t.enter(c)
	}
}

// share puts a node's blocks in the place of those that a table has computed itself, or the other way where the node has none.
func (t *tree) share(n *node, to *table) {
	for g := range t.pools {
		own := &to.blocks[g][n.depth-1]
		switch known := n.blocks[g]; {
		case *own < 0 || *own == known:
		case known >= 0:
			t.pools[g].hold(known)
			t.pools[g].release(*own)
			*own = known
		default:
			t.pools[g].plant(*own)
			n.blocks[g], n.places[g] = *own, t.recent[g].PushBack(n)
		}
	}
}

// enter and leave count the tables that end at a node.
func (t *tree) enter(n *node) *node {
	if n != nil {
		n.users++
	}
	return n
}

func (t *tree) leave(to *table) {
	if to.leaf != nil {
		to.leaf.users--
		to.leaf = nil
	}
}

// touch makes a path the last to go.
func (t *tree) touch(leaf *node) {
	for g, window := range t.windows {
		first := t.firstSeen(g, leaf.depth*blockSize)
		var path []*node
		for n := leaf; n.parent != nil && n.depth > first; n = n.parent {
			if n.places[g] == nil {
				continue
			}
			if window == 0 {
				t.recent[g].MoveToBack(n.places[g])
			} else {
				path = append(path, n)
			}
		}
		for i := len(path) - 1; i >= 0; i-- {
			t.recent[g].MoveToBack(path[i].places[g])
		}
	}
}

// evict frees a block of a group that only the tree holds.
func (t *tree) evict(group int) bool {
	if t.pools[group].spare == 0 {
		return false
	}
	for e := t.recent[group].Front(); e != nil; e = e.Next() {
		n := e.Value.(*node)
		whole := t.windows[group] == 0 // then the node goes, else its place in the window
		if t.pools[group].holders[n.blocks[group]] > 1 || whole && (len(n.children) > 0 || n.users > 0) {
			continue
		}
		t.stats.Evicted++
		if whole {
			t.remove(n)
		} else {
			if t.disk != nil && t.windows[0] > 0 { // else it is saved with what is kept of it
				t.disk.save(n)
			}
			t.drop(n, group)
			t.prune(n)
		}
		return true
	}
	return false
}

// remove takes a leaf out of the tree.
func (t *tree) remove(n *node) {
	if t.disk != nil {
		t.disk.save(n)
	}
	if len(t.gone) >= 4096 {
		clear(t.gone)
	}
	t.gone[n.name] = true
	for g := range n.blocks {
		t.drop(n, g)
	}
	delete(n.parent.children, n.ids)
	t.stats.Nodes--
	t.prune(n.parent)
}

// drop gives up a node's block of a group.
func (t *tree) drop(n *node, group int) {
	if block := n.blocks[group]; block >= 0 {
		t.pools[group].uproot(block)
		t.recent[group].Remove(n.places[group])
		n.blocks[group], n.places[group] = -1, nil
	}
}

// prune removes a leaf that holds nothing, and its parents that hold nothing then.
func (t *tree) prune(n *node) {
	if n.parent == nil || len(n.children) > 0 || n.users > 0 {
		return
	}
	for _, block := range n.blocks {
		if block >= 0 {
			return
		}
	}
	t.remove(n)
}

// count notes a look-up that found so many tokens.
func (t *tree) count(tokens int) {
	if tokens == 0 {
		t.stats.Misses++
		return
	}
	t.stats.Hits++
	t.stats.HitTokens += tokens
}
