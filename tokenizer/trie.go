package tokenizer

// trie finds added tokens in text.
type trie struct {
	next  map[uint64]int32 // node<<8 | byte → node
	token []int32          // by node: index into added, -1 for none
	added []Added
	first [256]bool // bytes that begin a token: most positions are dismissed by it
}

func (t *trie) add(a Added) {
	if t.next == nil {
		t.next = map[uint64]int32{}
		t.token = []int32{-1}
	}
	node := int32(0)
	for i := range len(a.Text) {
		key := uint64(node)<<8 | uint64(a.Text[i])
		child, ok := t.next[key]
		if !ok {
			child = int32(len(t.token))
			t.token = append(t.token, -1)
			t.next[key] = child
		}
		node = child
	}
	t.token[node] = int32(len(t.added))
	t.added = append(t.added, a)
	t.first[a.Text[0]] = true
}

// find gives the leftmost token in text[from:], the longest of those that begin
// there; a control token counts only where allowed says so.
func (t *trie) find(text string, from int, allowed func(start, end int) bool) (a *Added, start, end int) {
	if len(t.added) == 0 {
		return nil, len(text), len(text)
	}
	for i := from; i < len(text); i++ {
		if !t.first[text[i]] {
			continue
		}
		node, found := int32(0), -1
		for j := i; j < len(text); j++ {
			child, ok := t.next[uint64(node)<<8|uint64(text[j])]
			if !ok {
				break
			}
			node = child
			k := t.token[node]
			if k >= 0 && (!t.added[k].Special || allowed != nil && allowed(i, j+1)) {
				found, end = int(k), j+1
			}
		}
		if found >= 0 {
			return &t.added[found], i, end
		}
	}
	return nil, len(text), len(text)
}
