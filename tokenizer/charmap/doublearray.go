package charmap

import (
	"encoding/binary"
	"maps"
	"slices"
)

// compiled is the rules as sentencepiece keeps them in a model file: the length of a
// double-array trie in bytes, the trie, and the texts that rules give, each with a
// zero byte behind it; a rule's value in the trie is where its text begins. Empty for
// no rules. Source: sentencepiece, normalizer.cc; darts-clone.
func (r rules) compiled() []byte {
	if len(r) == 0 {
		return nil
	}
	places := map[string]int{}
	var texts []byte
	for _, text := range slices.Sorted(maps.Values(r)) {
		if _, there := places[text]; !there {
			places[text] = len(texts)
			texts = append(append(texts, text...), 0)
		}
	}
	keys := slices.Sorted(maps.Keys(r))
	values := make([]int, len(keys))
	for i, k := range keys {
		values[i] = places[r[k]]
	}
	units := doubleArray(keys, values)
	out := binary.LittleEndian.AppendUint32(nil, uint32(4*len(units)))
	for _, u := range units {
		out = binary.LittleEndian.AppendUint32(out, u)
	}
	return append(out, texts...)
}

// doubleArray builds a trie of sorted, different keys in the layout of darts-clone.
//
// A unit holds a label (bits 0–7), whether the key that ends there has a value (bit 8)
// and an offset (bits 10–30): the children of unit i are at (i XOR offset) XOR label.
// The value of a key is a child with label 0, whose bit 31 is set. Units with the
// same children share them, which makes the rules of NFKC a tenth as large.
func doubleArray(keys []string, values []int) []uint32 {
	b := &arrayBuilder{keys: keys, values: values, known: map[string]int{}}
	b.grow()
	b.taken[0] = true
	base, leaf := b.children(0, len(keys), 0)
	b.units[0] = uint32(base)<<10 | leaf<<8
	// Units that are not used get labels that no search can meet: they would be children
	// of a base that no unit has.
	for block := 0; block < len(b.units); block += 256 {
		idle := block
		for idle < block+255 && b.base[idle] {
			idle++
		}
		for i := block; i < block+256; i++ {
			if !b.taken[i] {
				b.units[i] = uint32(i^idle) & 0xff
			}
		}
	}
	return b.units
}

type arrayBuilder struct {
	keys   []string
	values []int
	units  []uint32
	taken  []bool         // units that are in use
	base   []bool         // places that are the base of some unit's children
	known  map[string]int // bases by what the children are
}

func (b *arrayBuilder) grow() {
	b.units = append(b.units, make([]uint32, 256)...)
	b.taken = append(b.taken, make([]bool, 256)...)
	b.base = append(b.base, make([]bool, 256)...)
}

// child is a unit that has no place yet: its label, and its value or its children.
type child struct {
	label byte
	leaf  uint32 // 1 if one of its children is a value
	base  int    // of its children; the value itself for label 0
}

// children lays out the children of a unit, after their own children: keys from first
// to before last, which agree in their first depth bytes. leaf is 1 if one is a value.
func (b *arrayBuilder) children(first, last, depth int) (base int, leaf uint32) {
	var all []child
	for i := first; i < last; {
		if len(b.keys[i]) == depth {
			all = append(all, child{base: b.values[i]})
			leaf = 1
			i++
			continue
		}
		c := child{label: b.keys[i][depth]}
		stop := i + 1
		for stop < last && b.keys[stop][depth] == c.label {
			stop++
		}
		c.base, c.leaf = b.children(i, stop, depth+1)
		all = append(all, c)
		i = stop
	}
	var what []byte
	for _, c := range all {
		what = binary.LittleEndian.AppendUint32(append(what, c.label, byte(c.leaf)), uint32(c.base))
	}
	if base, ok := b.known[string(what)]; ok {
		return base, leaf
	}
	base = b.room(all)
	b.known[string(what)] = base
	b.base[base] = true
	for _, c := range all {
		unit := base ^ int(c.label)
		b.taken[unit] = true
		if c.label == 0 {
			b.units[unit] = 1<<31 | uint32(c.base)
		} else {
			b.units[unit] = uint32(c.label) | c.leaf<<8 | uint32(unit^c.base)<<10
		}
	}
	return base, leaf
}

// room finds a base whose children are free. One base in each block stays unused.
func (b *arrayBuilder) room(all []child) int {
	const near = 16 // blocks to look at from the end
	for block := max(0, len(b.units)/256-near) * 256; ; block += 256 {
		if block == len(b.units) {
			b.grow()
		}
		idle := 0
		for i := block; i < block+256; i++ {
			if !b.base[i] {
				idle++
			}
		}
		if idle < 2 {
			continue
		}
	search:
		for base := block; base < block+256; base++ {
			if b.base[base] {
				continue
			}
			for _, c := range all {
				if b.taken[base^int(c.label)] {
					continue search
				}
			}
			return base
		}
	}
}
