package train

import (
	"context"
	"iter"
	"sync"

	"lian/tokenizer"
)

// batchBytes is how much text a worker takes at a time.
const batchBytes = 1 << 18

// count gives how often each piece comes in the texts. Counts are sums, so neither
// the workers nor the order of texts change them.
func count(ctx context.Context, texts iter.Seq[string], splitter *tokenizer.Splitter, workers int) (map[string]int64, error) {
	batches := make(chan []string, workers)
	parts := make([]map[string]*int64, workers)
	var wait sync.WaitGroup
	for w := range workers {
		parts[w] = map[string]*int64{}
		wait.Go(func() {
			for batch := range batches {
				for _, text := range batch {
					splitter.Split(text, func(piece string) {
						if n := parts[w][piece]; n != nil {
							*n++
						} else {
							n := int64(1)
							parts[w][string([]byte(piece))] = &n
						}
					})
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
	total := make(map[string]int64, len(parts[0]))
	for _, part := range parts {
		for piece, n := range part {
			total[piece] += *n
		}
	}
	return total, nil
}
