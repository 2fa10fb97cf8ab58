package tokenizer

import "runtime"

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
	pairs pairMemo
	long  map[string][]int32
	merge merger
	parts []part
	paths []path
}

// benches keeps the work of goroutines that are done for those to come. Unlike a
// sync.Pool it does not forget at every collection: a warm cache is the point.
type benches struct{ idle chan *work }

func newBenches() benches { return benches{make(chan *work, runtime.GOMAXPROCS(0))} }

func (b benches) take() *work {
	select {
	case w := <-b.idle:
		return w
	default:
		return newWork()
	}
}

func (b benches) give(w *work) {
	select {
	case b.idle <- w:
	default:
	}
}

func newWork() *work {
	return &work{cache: make(wordCache, cacheSlots), pairs: make(pairMemo, pairSlots)}
}
