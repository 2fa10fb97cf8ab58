package tokenizer

// engine turns pieces of text into tokens. It does not change after it is made.
type engine interface {
	// encode appends the ids of a piece.
	encode(dst []int32, piece string, w *work) []int32
	// parts appends the tokens of a piece with the bytes of the piece they stand for.
	parts(dst []part, piece string, w *work) []part
}

// part is a token of a piece.
type part struct {
	id         int32
	start, end int
}

// work is the memory of one goroutine that encodes: a cache of words and the scratch
// of merging. Tokenizers keep a pool of them.
type work struct {
	cache wordCache
	merge merger
	parts []part
	ids   []int32
	paths []path
}

func newWork() any { return &work{cache: make(wordCache, cacheSlots)} }
