package model

import (
	"fmt"
	"slices"

	"lian/compute"
	"lian/dtype"
)

// Cache holds keys and values of past tokens in blocks of positions. Which block belongs to which sequence is the engine's
// business; a batch names them. Layers of one group share the numbers of their blocks.
//
//	Keys, Values            per layer [blocks · BlockSize, kv heads, KVType.Columns]  of the type's element; sizes as the layer's CacheShape
//	KeyScales, ValueScales  per layer [blocks · BlockSize, kv heads, 2]  float32, of a coded type; else nil
type Cache struct {
	Type                   KVType
	BlockSize              int
	Groups                 []CacheGroup
	Blocks                 []int // of each group
	GroupOf                []int // of each layer
	Keys, Values           []*compute.Tensor
	KeyScales, ValueScales []*compute.Tensor
}

// CacheGroup are layers that keep the same span of tokens.
type CacheGroup struct {
	Window int // the last so many tokens; 0: all
	Layers []int
}

// CacheGroups are a model's groups: those that keep everything first, then windows, each as its first layer comes.
func (i Info) CacheGroups() []CacheGroup {
	var groups []CacheGroup
	for l, shape := range i.Cache {
		at := slices.IndexFunc(groups, func(g CacheGroup) bool { return g.Window == shape.Window })
		if at < 0 {
			at = len(groups)
			groups = append(groups, CacheGroup{Window: shape.Window})
		}
		groups[at].Layers = append(groups[at].Layers, l)
	}
	slices.SortStableFunc(groups, func(a, b CacheGroup) int { return min(a.Window, 1) - min(b.Window, 1) })
	return groups
}

// NewCache allocates a cache of so many blocks for each group. On the CPU memory that nothing was written to is not taken.
func NewCache(b compute.Backend, i Info, kv KVType, blockSize int, blocks ...int) *Cache {
	c := &Cache{Type: kv, BlockSize: blockSize, Groups: i.CacheGroups(), Blocks: blocks, GroupOf: make([]int, len(i.Cache))}
	if len(blocks) != len(c.Groups) {
		panic(fmt.Sprintf("model: %d numbers of blocks for %d groups", len(blocks), len(c.Groups)))
	}
	for g, group := range c.Groups {
		for _, l := range group.Layers {
			c.GroupOf[l] = g
		}
	}
	rows := func(slots, heads, columns int) (x, scales *compute.Tensor) {
		if kv.Coded() {
			scales = compute.NewTensor(b, dtype.F32, slots, heads, 2)
		}
		return compute.NewTensor(b, kv.Element(), slots, heads, columns), scales
	}
	c.Keys, c.Values = make([]*compute.Tensor, len(i.Cache)), make([]*compute.Tensor, len(i.Cache))
	c.KeyScales, c.ValueScales = make([]*compute.Tensor, len(i.Cache)), make([]*compute.Tensor, len(i.Cache))
	for l, shape := range i.Cache {
		slots := blocks[c.GroupOf[l]] * blockSize
		keys, values := kv.Columns(shape)
		c.Keys[l], c.KeyScales[l] = rows(slots, shape.KVHeads, keys)
		c.Values[l], c.ValueScales[l] = rows(slots, shape.KVHeads, values)
	}
	return c
}

// BlockBytes is the memory of one block of each of a model's groups.
func BlockBytes(i Info, kv KVType, blockSize int) []int {
	groups := i.CacheGroups()
	bytes := make([]int, len(groups))
	for g, group := range groups {
		for _, l := range group.Layers {
			bytes[g] += blockSize * kv.TokenBytes(i.Cache[l])
		}
	}
	return bytes
}

// Slots appends the slots of a batch's rows in a group.
func (c *Cache) Slots(b *Batch, group int, slots []int32) ([]int32, error) {
	for s, n := range b.KeyLength {
		queries := int(b.QueryStart[s+1] - b.QueryStart[s])
		for p := int(n) - queries; p < int(n); p++ {
			block := b.Blocks[s][group][p/c.BlockSize]
			if block < 0 || int(block) >= c.Blocks[group] {
				return nil, fmt.Errorf("sequence %d names cache block %d of %d", s, block, c.Blocks[group])
			}
			slots = append(slots, block*int32(c.BlockSize)+int32(p%c.BlockSize))
		}
	}
	return slots, nil
}

// parts calls f with what a block of a group is made of, in a fixed order, until f fails.
func (c *Cache) parts(group int, block int32, f func(part *compute.Tensor) error) error {
	from, to := int(block)*c.BlockSize, (int(block)+1)*c.BlockSize
	for _, l := range c.Groups[group].Layers {
		for _, x := range [...]*compute.Tensor{c.Keys[l], c.KeyScales[l], c.Values[l], c.ValueScales[l]} {
			if x == nil {
				continue
			}
			if err := f(x.Slice(from, to)); err != nil {
				return err
			}
		}
	}
	return nil
}

// ReadBlock copies a block of a group to memory, which must be of BlockBytes' size.
func (c *Cache) ReadBlock(s compute.Stream, group int, block int32, to []byte) error {
	return c.parts(group, block, func(part *compute.Tensor) error {
		n := part.Bytes()
		err := s.Read(part, to[:n])
		to = to[n:]
		return err
	})
}

// WriteBlock is the way back.
func (c *Cache) WriteBlock(s compute.Stream, group int, block int32, from []byte) error {
	return c.parts(group, block, func(part *compute.Tensor) error {
		n := part.Bytes()
		s.Write(part, from[:n])
		from = from[n:]
		return nil
	})
}

// CopyBlock copies what a block of a group holds into another one.
func (c *Cache) CopyBlock(s compute.Stream, group int, from, to int32) error {
	content := make([]byte, 0)
	if err := c.parts(group, from, func(part *compute.Tensor) error {
		n := len(content)
		content = append(content, make([]byte, part.Bytes())...)
		return s.Read(part, content[n:])
	}); err != nil {
		return err
	}
	return c.WriteBlock(s, group, to, content)
}

// Alike are the tables of a sequence that has blocks of the same numbers in every group.
func (c *Cache) Alike(blocks []int32) [][]int32 {
	return slices.Repeat([][]int32{blocks}, len(c.Groups))
}
