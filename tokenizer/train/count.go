package train

import (
	"context"
	"iter"
	"strings"
	"sync"
)

// batchBytes is how much text a worker takes at a time.
const batchBytes = 1 << 18

// count gives how often each piece comes in the texts. split calls its argument with
// the pieces of a text; the workers share the texts. Counts are sums, so neither the
// workers nor the order of texts change them.
func count(ctx context.Context, texts iter.Seq[string], workers int, split func(text string, piece func(string))) (*bag, error) {
	batches := make(chan []string, workers)
	bags := make([]*bag, workers)
	var wait sync.WaitGroup
	for w := range workers {
		bags[w] = newBag()
		wait.Go(func() {
			add := func(piece string) { bags[w].add(piece, 1) }
			for batch := range batches {
				if ctx.Err() != nil {
					continue
				}
				for _, text := range batch {
					split(text, add)
				}
			}
		})
	}
	var batch []string
	size := 0
	for text := range texts {
		batch = append(batch, text)
		if size += len(text); size >= batchBytes {
			if ctx.Err() != nil {
				break
			}
			batches <- batch
			batch, size = nil, 0
		}
	}
	batches <- batch
	close(batches)
	wait.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return union(bags), nil
}

// cut divides long texts before lines that begin with a letter or digit of ASCII.
// Every pattern with a scanner ends a piece at a line break that such a character
// follows, so the pieces are the same, and the workers have something to share.
func cut(texts iter.Seq[string]) iter.Seq[string] {
	return func(yield func(string) bool) {
		for text := range texts {
			for len(text) > 2*batchBytes {
				i := batchBytes
				for {
					k := strings.IndexByte(text[i:], '\n')
					if k < 0 || i+k+1 >= len(text) {
						i = len(text)
						break
					}
					i += k + 1
					if c := text[i]; c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' {
						break
					}
				}
				if !yield(text[:i]) {
					return
				}
				text = text[i:]
			}
			if text != "" && !yield(text) {
				return
			}
		}
	}
}
