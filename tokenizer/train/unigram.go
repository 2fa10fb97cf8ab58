package train

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync"

	"lian/tokenizer"
)

// unigram learns pieces and their probabilities: from far too many pieces, the number
// of each that the texts are expected to hold is estimated (the E and M steps of EM),
// and the pieces that the texts would miss least are removed, until few enough are
// left. Source: Kudo, arXiv 1804.10959; sentencepiece, unigram_model_trainer.cc.
//
// Expected numbers are summed in the order of the words, whoever computed them, so that
// the result does not depend on the workers.
type unigram struct {
	o       *SentencePieceOptions
	size    int // pieces wanted
	corpus  *corpus
	pieces  []scored
	tree    *pieceTree
	alive   []bool
	unknown float32 // score of a character that no piece holds
	least   float32 // smallest score
}

func newUnigram(c *corpus, o *SentencePieceOptions, size int) *unigram {
	return &unigram{o: o, size: size, corpus: c}
}

func (u *unigram) learn(ctx context.Context) ([]scored, error) {
	u.pieces = u.corpus.seeds(u.o)
	u.plant()
	begun, wanted := len(u.pieces), int(float64(u.o.VocabSize)*1.1)
	for {
		for range u.o.SubIterations {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			u.maximise(u.expected(ctx))
			u.o.Progress(begun-max(len(u.pieces), wanted), begun-wanted)
		}
		before := len(u.pieces)
		u.prune(ctx, wanted)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if len(u.pieces) <= wanted || len(u.pieces) == before {
			break
		}
	}
	u.reachable()
	return u.final(), nil
}

// plant prepares for the pieces as they are.
func (u *unigram) plant() {
	u.tree = newPieceTree(u.pieces)
	u.alive = make([]bool, len(u.pieces))
	for i := range u.alive {
		u.alive[i] = true
	}
	u.weigh()
}

// weigh prepares for the scores as they are.
func (u *unigram) weigh() {
	u.least = math.MaxFloat32
	for i, p := range u.pieces {
		if u.alive[i] {
			u.least = min(u.least, p.score)
		}
	}
	u.unknown = u.least - 10
}

func (u *unigram) score(piece int32) float32 {
	if piece < 0 {
		return u.unknown
	}
	return u.pieces[piece].score
}

// shareWords is how many words a worker takes at a time.
const shareWords = 1 << 10

// each calls visit with the lattice of every word, in parallel; worker numbers the
// callers. done is called when a worker has gone through a share of the words, in the
// order of the shares.
func (u *unigram) each(ctx context.Context, visit func(worker int, l *lattice, times int64), done func(worker int)) {
	words := u.corpus.words
	shares := (len(words.items) + shareWords - 1) / shareWords
	var lock sync.Mutex
	turn := sync.NewCond(&lock)
	next, through := 0, 0
	var wait sync.WaitGroup
	for w := range u.o.Workers {
		wait.Go(func() {
			l := &lattice{u: u}
			for {
				lock.Lock()
				share := next
				next++
				lock.Unlock()
				if share >= shares {
					return
				}
				for i := share * shareWords; i < min((share+1)*shareWords, len(words.items)) && ctx.Err() == nil; i++ {
					l.set(words.text(i), -1)
					visit(w, l, words.items[i].times)
				}
				lock.Lock()
				for through != share {
					turn.Wait()
				}
				done(w)
				through++
				turn.Broadcast()
				lock.Unlock()
			}
		})
	}
	wait.Wait()
}

// expected is how often each piece is expected in the texts.
func (u *unigram) expected(ctx context.Context) []float32 {
	type part struct {
		piece int32
		n     float64
	}
	parts := make([][]part, u.o.Workers)
	out := make([]float32, len(u.pieces))
	u.each(ctx, func(w int, l *lattice, times int64) {
		l.expect(func(piece int32, n float64) {
			// As in the reference, unknown characters count for piece 0, rare ones too.
			parts[w] = append(parts[w], part{max(piece, 0), n * float64(float32(times))})
		})
	}, func(w int) {
		for _, p := range parts[w] {
			out[p.piece] = float32(float64(out[p.piece]) + p.n)
		}
		parts[w] = parts[w][:0]
	})
	out[0] += float32(u.corpus.rare)
	return out
}

// maximise sets the scores by expected numbers, which a sparse prior lowers, and
// removes pieces that are hardly expected.
func (u *unigram) maximise(expected []float32) {
	sum := float32(0)
	for i, n := range expected {
		if u.alive[i] = u.alive[i] && n >= 0.5; u.alive[i] {
			sum += n
		}
	}
	whole := float32(digamma(float64(sum)))
	for i, n := range expected {
		if u.alive[i] {
			u.pieces[i].score = float32(digamma(float64(n)) - float64(whole))
		}
	}
	u.compact()
}

// compact takes dead pieces away. The tree is planted anew when many have gone.
func (u *unigram) compact() {
	left := 0
	for _, a := range u.alive {
		if a {
			left++
		}
	}
	if left == len(u.pieces) {
		u.weigh()
		return
	}
	kept := make([]scored, 0, left)
	for i, a := range u.alive {
		if a {
			kept = append(kept, u.pieces[i])
		}
	}
	u.pieces = kept
	u.plant()
}

func digamma(x float64) float64 {
	sum := 0.0
	for ; x < 7; x++ {
		sum -= 1 / x
	}
	x -= 0.5
	q := 1 / (x * x)
	return sum + math.Log(x) + q/24 - 7*q*q/960 + 31*q*q*q/8064 - 127*q*q*q*q/30720
}

// prune removes the pieces without which the texts would lose least likelihood, if
// each were replaced by the next best way to write it.
func (u *unigram) prune(ctx context.Context, wanted int) {
	keep, instead := u.alternatives()
	parts := make([][]int64, u.o.Workers)
	for w := range parts {
		parts[w] = make([]int64, len(u.pieces))
	}
	u.each(ctx, func(w int, l *lattice, times int64) {
		way, _ := l.viterbi()
		for _, k := range way {
			parts[w][max(l.edges[k].piece, 0)] += times
		}
	}, func(int) {})
	if ctx.Err() != nil {
		return
	}
	parts[0][0] += u.corpus.rare
	freq := make([]float32, len(u.pieces))
	exact := 0.0
	for i := range freq {
		n := int64(0)
		for _, p := range parts {
			n += p[i]
		}
		freq[i] = float32(n)
		exact += float64(freq[i])
	}
	type loss struct {
		piece int
		value float32
	}
	var losses []loss
	var kept []scored
	// Rounded where the reference rounds: many losses are equal then.
	sum := float32(exact)
	log := func(x float32) float64 { return math.Log(float64(x)) }
	logSum := float32(log(sum))
	for i, p := range u.pieces {
		switch {
		case freq[i] == 0 || !keep[i]: // the best ways do not use it
		case len(instead[i]) == 0:
			kept = append(kept, p)
		default:
			logNow := float32(log(freq[i]) - float64(logSum))
			logSumThen := float32(log(sum + freq[i]*float32(len(instead[i])-1)))
			logThen := float32(0)
			for _, k := range instead[i] {
				logThen = float32(float64(logThen) + log(freq[k]+freq[i]) - float64(logSumThen))
			}
			losses = append(losses, loss{i, freq[i] / sum * (logNow - logThen)})
		}
	}
	slices.SortStableFunc(losses, func(a, b loss) int { return cmp.Compare(b.value, a.value) })
	size := max(wanted, int(float32(u.o.ShrinkingFactor)*float32(len(u.pieces))))
	for _, l := range losses {
		if len(kept) == size {
			break
		}
		kept = append(kept, u.pieces[l.piece])
	}
	u.pieces = kept
	u.plant()
}

// alternatives tells which pieces are better than their parts, and what would stand
// for them: nothing for single characters.
func (u *unigram) alternatives() (keep []bool, instead [][]int32) {
	keep, instead = make([]bool, len(u.pieces)), make([][]int32, len(u.pieces))
	u.eachPiece(func(l *lattice, i int) {
		l.set([]byte(u.pieces[i].text), int32(i))
		keep[i] = true
		if len(l.chars) == 1 {
			return
		}
		way, score := l.viterbi()
		if keep[i] = score <= u.pieces[i].score; !keep[i] {
			return
		}
		for _, k := range way {
			instead[i] = append(instead[i], max(l.edges[k].piece, 0))
		}
	})
	return keep, instead
}

// eachPiece calls visit with every piece, in parallel.
func (u *unigram) eachPiece(visit func(l *lattice, piece int)) {
	var wait sync.WaitGroup
	for w := range u.o.Workers {
		wait.Go(func() {
			l := &lattice{u: u}
			for i := w; i < len(u.pieces); i += u.o.Workers {
				visit(l, i)
			}
		})
	}
	wait.Wait()
}

// reachable removes pieces that are worse than their parts, and would never be used.
func (u *unigram) reachable() {
	u.eachPiece(func(l *lattice, i int) {
		l.set([]byte(u.pieces[i].text), int32(i))
		if len(l.chars) == 1 {
			return
		}
		if _, score := l.viterbi(); score > u.pieces[i].score {
			u.pieces[i].role = tokenizer.Unused
		}
	})
	for i, p := range u.pieces {
		u.alive[i] = p.role != tokenizer.Unused
	}
	u.compact()
}

// final is the characters of the vocabulary and the best of the other pieces.
func (u *unigram) final() []scored {
	scores := make(map[string]float32, len(u.pieces))
	for _, p := range u.pieces {
		scores[p.text] = p.score
	}
	taken := make(map[string]bool, u.size)
	var out []scored
	penalty := float32(0)
	take := func(text string, score float32) {
		taken[text] = true
		out = append(out, scored{text, score, tokenizer.Ordinary})
	}
	for _, x := range u.corpus.kept {
		text := string(x.char)
		if score, ok := scores[text]; ok {
			take(text, score)
		} else {
			// The rarer, the better, but never two of the same score.
			take(text, u.least+penalty)
			penalty += 0.0001
		}
	}
	byScore := func(a, b scored) int { return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.text, b.text)) }
	slices.SortFunc(u.pieces, byScore)
	for _, p := range u.pieces {
		if len(out) == u.size {
			break
		}
		if !taken[p.text] {
			take(p.text, p.score)
		}
	}
	slices.SortFunc(out, byScore)
	return out
}
