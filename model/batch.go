package model

import "fmt"

// Batch is the one ragged batch: rows of token ids, sequence after sequence.
//
//	IDs, Positions  [rows]           token, and position for the rotary embedding
//	QueryStart      [sequences + 1]  first row of each sequence, then the number of rows
//	KeyLength       [sequences]      keys each sequence has after this batch; without a cache its number of rows
//	PromptLength    [sequences]      tokens of the prompt that the rows belong to, however it is cut into chunks; see AddPrompt
//	Adapters        [sequences]      what each sequence is computed with, see Adapt; may be shorter, nil is the pass's and the model's own
//	Blocks          [sequences][groups]  cache blocks of each sequence in order of position, for each of the cache's groups; −1 for a
//	                                 block that no row's window reaches any more; nil without a cache
type Batch struct {
	IDs, Positions        []int32
	QueryStart, KeyLength []int32
	PromptLength          []int32
	Blocks                [][][]int32
	Adapters              []Adapter
}

// AddPrompt is Add for a chunk of a prompt of so many tokens in all. Where a model's rotary embedding depends on the length of a
// sequence (dynamic NTK, LongRoPE), a row's length is that of its prompt or its position + 1, whichever is more.
func (b *Batch) AddPrompt(ids []int32, first int, blocks [][]int32, prompt int) {
	b.Add(ids, first, blocks)
	b.PromptLength[len(b.PromptLength)-1] = int32(prompt)
}

// Add appends a sequence of new tokens that stand from position first on, after first cached ones.
func (b *Batch) Add(ids []int32, first int, blocks [][]int32) {
	if len(b.QueryStart) == 0 {
		b.QueryStart = append(b.QueryStart, 0)
	}
	for i, id := range ids {
		b.IDs = append(b.IDs, id)
		b.Positions = append(b.Positions, int32(first+i))
	}
	b.QueryStart = append(b.QueryStart, int32(len(b.IDs)))
	b.KeyLength = append(b.KeyLength, int32(first+len(ids)))
	b.PromptLength = append(b.PromptLength, int32(first+len(ids)))
	if blocks != nil {
		b.Blocks = append(b.Blocks, blocks)
	}
}

// Rows is the number of tokens.
func (b *Batch) Rows() int { return len(b.IDs) }

// Sequences is the number of sequences.
func (b *Batch) Sequences() int { return len(b.KeyLength) }

// Check says what is wrong with a batch for a model of so many tokens and a cache, nil for none.
func (b *Batch) Check(vocab int, c *Cache) error {
	if len(b.Adapters) > b.Sequences() {
		return fmt.Errorf("batch of %d sequences has %d adapters", b.Sequences(), len(b.Adapters))
	}
	if len(b.Positions) != b.Rows() || len(b.PromptLength) != b.Sequences() || len(b.QueryStart) != b.Sequences()+1 || b.QueryStart[0] != 0 || int(b.QueryStart[b.Sequences()]) != b.Rows() {
		return fmt.Errorf("batch of %d ids has %d positions, %d sequence starts and %d lengths", b.Rows(), len(b.Positions), len(b.QueryStart), b.Sequences())
	}
	for i, id := range b.IDs {
		if id < 0 || int(id) >= vocab {
			return fmt.Errorf("token id %d at row %d is outside the vocabulary of %d", id, i, vocab)
		}
	}
	for s, n := range b.KeyLength {
		queries := b.QueryStart[s+1] - b.QueryStart[s]
		switch {
		case queries < 0 || n < queries:
			return fmt.Errorf("sequence %d has %d new tokens but %d keys", s, queries, n)
		case c == nil && n != queries:
			return fmt.Errorf("sequence %d has %d keys but only %d tokens and no cache", s, n, queries)
		case c != nil && (len(b.Blocks) != b.Sequences() || len(b.Blocks[s]) != len(c.Groups)):
			return fmt.Errorf("sequence %d has no cache blocks for each of %d groups", s, len(c.Groups))
		}
		for g := 0; c != nil && g < len(c.Groups); g++ {
			if len(b.Blocks[s][g])*c.BlockSize < int(n) {
				return fmt.Errorf("sequence %d has %d keys, more than its cache blocks hold", s, n)
			}
		}
	}
	return nil
}
