package train

import (
	"context"
	"iter"
	"strings"
	"sync"
)

// chunk is some text and the text that comes after it. Chunks are numbered from 0.
type chunk struct {
	text, next string
	number     int
}

// chunkBytes is how much text a worker takes at a time.
const chunkBytes = 1 << 18

// count gives how often each piece comes in the texts. split calls its argument with
// the pieces of a chunk; the workers share the chunks. Counts are sums, so neither the
// workers nor the order of texts change them.
//
// read, unless it is nil, is told how many bytes were handed out.
func count(ctx context.Context, texts iter.Seq[chunk], workers int, read func(bytes int64), split func(c chunk, piece func(string))) (*bag, error) {
	batches := make(chan []chunk, workers)
	bags := make([]*bag, workers)
	var wait sync.WaitGroup
	for w := range workers {
		bags[w] = newBag()
		wait.Go(func() {
			add := func(piece string) { bags[w].add(piece, 1) }
			for batch := range batches {
				for _, c := range batch {
					if ctx.Err() == nil {
						split(c, add)
					}
				}
			}
		})
	}
	var batch []chunk
	size, all := 0, int64(0)
	for c := range texts {
		batch = append(batch, c)
		if size += len(c.text); size >= chunkBytes {
			if ctx.Err() != nil {
				break
			}
			batches <- batch
			if all += int64(size); read != nil {
				read(all)
			}
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

// lookAhead gives each text with the one after it.
func lookAhead(texts iter.Seq[string]) iter.Seq[chunk] {
	return func(yield func(chunk) bool) {
		before, number := "", -1
		for text := range texts {
			if number >= 0 && !yield(chunk{before, text, number}) {
				return
			}
			before = text
			number++
		}
		if number >= 0 {
			yield(chunk{before, "", number})
		}
	}
}

// cutWords divides long texts before lines that begin with a letter or digit of
// ASCII. Every pattern with a scanner ends a piece at a line break that such a
// character follows, so the pieces are the same, and the workers have something to
// share.
func cutWords(texts iter.Seq[string]) iter.Seq[string] {
	return cutAt(texts, func(c byte) bool { return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' })
}

// cutLines divides long texts between lines.
func cutLines(texts iter.Seq[string]) iter.Seq[string] {
	return cutAt(texts, func(byte) bool { return true })
}

// cutAt divides long texts behind line breaks that a fitting byte follows.
func cutAt(texts iter.Seq[string], fits func(byte) bool) iter.Seq[string] {
	return func(yield func(string) bool) {
		for text := range texts {
			for len(text) > 2*chunkBytes {
				i := chunkBytes
				for {
					k := strings.IndexByte(text[i:], '\n')
					if k < 0 || i+k+1 >= len(text) {
						i = len(text)
						break
					}
					if i += k + 1; fits(text[i]) {
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
