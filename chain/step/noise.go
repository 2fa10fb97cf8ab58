package step

import "lian/train"

// noise is text for measuring speed only: so many tokens a step in rows of a length, of documents of a length, which are cut where a row ends and do not see
// each other; 0 is a document for each row.
type noise struct{ tokens, length, vocab, document int }

// Step implements train.Source.
func (n noise) Step(step int) (out []train.Sequence, err error) {
	document := n.document
	if document <= 0 {
		document = n.length
	}
	state := uint64(step) + 1
	row, left := 0, document
	for at := 0; at < n.tokens; {
		size := min(left, n.length-row, n.tokens-at)
		s := train.Sequence{IDs: make([]int32, size), Targets: make([]int32, size)}
		for i := range s.IDs {
			state = state*6364136223846793005 + 1442695040888963407
			s.IDs[i], s.Targets[i] = int32(state>>33)%int32(n.vocab), int32(state>>13&0x7fffffff)%int32(n.vocab)
		}
		out, at = append(out, s), at+size
		if left -= size; left == 0 {
			left = document
		}
		if row += size; row == n.length {
			row = 0
			if n.document <= 0 {
				left = document
			}
		}
	}
	return out, nil
}

// alternating is noise of one micro-batch in odd steps and of two in even ones.
type alternating struct{ noise }

// Step implements train.Source.
func (a alternating) Step(step int) ([]train.Sequence, error) {
	n := a.noise
	n.tokens *= 1 + step%2
	return n.Step(step)
}
