package engine

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// chosen is the next token of a sequence that was taken before the others' turn came.
type chosen struct {
	token Token
	stop  string
	is    bool
}

// chooseTogether takes the next tokens of sequences that ask for one row and have no grammar, on all processors: a sequence's draws
// know nothing of the others. What else a step does with tokens is done in turn.
func (e *Engine) chooseTogether(plan []work, logits []float32) []chosen {
	taken, rows, at := make([]chosen, len(plan)), make([][]float32, len(plan)), 0
	alone, vocab := 0, e.Model.Info().Vocab
	for i := range plan {
		if asks := plan[i].asks(); asks == 1 && plan[i].sequence.matcher == nil {
			rows[i] = logits[at*vocab : (at+1)*vocab]
			alone++
		}
		at += plan[i].asks()
	}
	if alone < 2 {
		return taken
	}
	var next atomic.Int64
	var done sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), alone) {
		done.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(plan); i = int(next.Add(1)) - 1 {
				if rows[i] != nil {
					e.mute(rows[i])
					t, stop := plan[i].sequence.choose(rows[i], nil)
					taken[i] = chosen{t, stop, true}
				}
			}
		})
	}
	done.Wait()
	return taken
}

// mute keeps rows of the head that stand for no token from being chosen.
func (e *Engine) mute(logits []float32) {
	for id := e.Tokenizer.VocabSize(); id < len(logits); id++ {
		logits[id] = float32(negativeInfinity)
	}
}
