package sample

import (
	"container/heap"
	"math"
)

// candidate is a token that may still be chosen.
type candidate struct {
	id    int32
	logit float32
}

// before orders by falling logit, then by rising id.
func (c candidate) before(d candidate) bool {
	return c.logit > d.logit || c.logit == d.logit && c.id < d.id
}

// byLogit is a heap whose first element is the most likely candidate: the truncations need only the top of the
// vocabulary in order, so nothing sorts all of it.
type byLogit []candidate

func (h byLogit) Len() int           { return len(h) }
func (h byLogit) Less(i, j int) bool { return h[i].before(h[j]) }
func (h byLogit) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *byLogit) Push(any)          { panic("sample: a candidate heap only shrinks") }
func (h *byLogit) Pop() any          { *h = (*h)[:len(*h)-1]; return nil }

// take moves the most likely candidate behind the heap's end and returns it. After n calls the last n places of the
// backing slice hold the n best, the best last.
func (h *byLogit) take() candidate {
	best := (*h)[0]
	heap.Pop(h) // swaps the first element to the end, then shrinks
	return best
}

// taken returns the last n places of list, best first: what n calls of take left there.
func taken(list []candidate, n int) []candidate {
	top := list[len(list)-n:]
	for i, j := 0, n-1; i < j; i, j = i+1, j-1 {
		top[i], top[j] = top[j], top[i]
	}
	return top
}

// topK keeps exactly the k most likely candidates, ties by lower id (llama.cpp; transformers keeps all ties of the last).
func topK(list []candidate, k int) []candidate {
	if k <= 0 || k >= len(list) {
		return list
	}
	h := byLogit(list)
	heap.Init(&h)
	for range k {
		h.take()
	}
	return taken(list, k)
}

// topP keeps the most likely candidates until their probability reaches p, at least one.
func topP(list []candidate, p float32) []candidate {
	if p <= 0 || p >= 1 || len(list) == 0 {
		return list
	}
	largest, total := softmaxSum(list)
	h := byLogit(list)
	heap.Init(&h)
	n, sum := 0, 0.0
	for sum < float64(p) && len(h) > 0 {
		sum += math.Exp(float64(h.take().logit-largest)) / total
		n++
	}
	return taken(list, n)
}

// minP keeps candidates at least p times as likely as the most likely one.
func minP(list []candidate, p float32) []candidate {
	if p <= 0 || len(list) == 0 {
		return list
	}
	largest, _ := softmaxSum(list)
	limit := largest + float32(math.Log(float64(p)))
	kept := list[:0]
	for _, c := range list {
		if c.logit >= limit {
			kept = append(kept, c)
		}
	}
	return kept
}

// softmaxSum returns the largest logit and the sum of exp(logit - largest), in float64 and list order.
func softmaxSum(list []candidate) (largest float32, total float64) {
	largest = float32(math.Inf(-1))
	for _, c := range list {
		largest = max(largest, c.logit)
	}
	for _, c := range list {
		total += math.Exp(float64(c.logit - largest))
	}
	return largest, total
}
