package model

import (
	"fmt"

	"lian/compute"
	"lian/dtype"
)

// Cache holds keys and values of past tokens in blocks of positions. Which
// block belongs to which sequence is the engine's business; a batch names them.
//
//	Keys, Values  per layer [blocks · BlockSize, kv heads, head]  float32, or bfloat16 for Fast; sizes as the layer's CacheShape
type Cache struct {
	BlockSize, Blocks int
	Keys, Values      []*compute.Tensor
}

// CacheType is what keys and values are kept as.
func (p Precision) CacheType() dtype.Type {
	if p == Fast {
		return dtype.BF16
	}
	return dtype.F32
}

// NewCache allocates a cache for a model.
func NewCache(b compute.Backend, i Info, p Precision, blocks, blockSize int) *Cache {
	c := &Cache{BlockSize: blockSize, Blocks: blocks}
	for _, l := range i.Cache {
		c.Keys = append(c.Keys, compute.NewTensor(b, p.CacheType(), blocks*blockSize, l.KVHeads, l.KeySize))
		c.Values = append(c.Values, compute.NewTensor(b, p.CacheType(), blocks*blockSize, l.KVHeads, l.ValueSize))
	}
	return c
}

// CacheBytes is the memory of one cache block for a model.
func CacheBytes(i Info, p Precision, blockSize int) int {
	n := 0
	for _, l := range i.Cache {
		n += blockSize * p.CacheType().Bytes(l.KVHeads*(l.KeySize+l.ValueSize))
	}
	return n
}

// Slots appends the cache slots of a batch's rows.
func (c *Cache) Slots(b *Batch, slots []int32) ([]int32, error) {
	for s, n := range b.KeyLength {
		queries := int(b.QueryStart[s+1] - b.QueryStart[s])
		for p := int(n) - queries; p < int(n); p++ {
			block := b.Blocks[s][p/c.BlockSize]
			if block < 0 || int(block) >= c.Blocks {
				return nil, fmt.Errorf("sequence %d names cache block %d of %d", s, block, c.Blocks)
			}
			slots = append(slots, block*int32(c.BlockSize)+int32(p%c.BlockSize))
		}
	}
	return slots, nil
}
