package pack

import (
	"slices"
	"testing"

	"lian/train"
	"pgregory.net/rapid"
)

type documents [][]int32

func (d documents) Documents() int         { return len(d) }
func (d documents) Document(i int) []int32 { return d[i] }

// TestEveryTokenIsLearntOnceAnEpoch: whatever the lengths and cuts, the targets of one epoch are all tokens and one separator a document.
func TestEveryTokenIsLearntOnceAnEpoch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lengths := rapid.SliceOfN(rapid.IntRange(0, 9), 1, 8).Draw(t, "lengths")
		var d documents
		var want []int32
		next := int32(1)
		for _, n := range lengths {
			var ids []int32
			for range n {
				ids = append(ids, next)
				next++
			}
			d = append(d, ids)
			want = append(append(want, ids...), 0)
		}
		sequence, perStep := rapid.IntRange(1, 7).Draw(t, "sequence"), rapid.IntRange(1, 20).Draw(t, "per step")
		s, err := NewStream(d, 0, sequence, perStep, 5)
		if next == 1 {
			if err == nil {
				t.Fatal("data without a token was accepted")
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		var got []int32
		for step := 0; len(got) < len(want); step++ {
			part, err := s.Step(step)
			if err != nil {
				t.Fatal(err)
			}
			total := 0
			for _, q := range part {
				if len(q.IDs) > sequence || len(q.IDs) == 0 {
					t.Fatalf("a sequence of %d tokens, expected 1 to %d", len(q.IDs), sequence)
				}
				for i := 1; i < len(q.IDs); i++ {
					if q.IDs[i] == 0 || q.Targets[i-1] != q.IDs[i] {
						t.Fatalf("sequence %v asks for %v: it crosses a document", q.IDs, q.Targets)
					}
				}
				total += len(q.IDs)
				got = append(got, q.Targets...)
			}
			if total != perStep {
				t.Fatalf("a step of %d tokens, expected %d", total, perStep)
			}
		}
		got = got[:len(want)]
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("learnt %v, expected %v", got, want)
		}
	})
}

func TestOnlyMaskedTokensAreTargets(t *testing.T) {
	s := FromMask([]int32{7, 8, 9, 10}, []bool{true, false, true, true})
	if !slices.Equal(s.Targets, []int32{-1, 9, 10, -1}) {
		t.Errorf("targets are %v", s.Targets)
	}
	if _, err := NewExamples([]train.Sequence{FromMask([]int32{1, 2}, []bool{true, false})}, 1, 1); err == nil {
		t.Error("an example without a target was accepted")
	}
}
