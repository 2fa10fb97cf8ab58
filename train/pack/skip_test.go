package pack

import (
	"slices"
	"testing"

	"lian/train"
)

// numbered gives a batch whose only id is its number.
type numbered struct{}

func (numbered) Step(batch int) ([]train.Sequence, error) {
	return []train.Sequence{{IDs: []int32{int32(batch)}}}, nil
}

func TestBatchesThatAreLeftOutAreNotSeen(t *testing.T) {
	skipped, err := ParseSkips("10, 1-3,2")
	if err != nil || !slices.Equal(skipped, []int{1, 2, 3, 10}) {
		t.Fatalf("skips %v, %v", skipped, err)
	}
	var got []int32
	for n := range 9 {
		q, err := Without(numbered{}, skipped).Step(n)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, q[0].IDs[0])
	}
	if !slices.Equal(got, []int32{0, 4, 5, 6, 7, 8, 9, 11, 12}) {
		t.Errorf("batches are %v", got)
	}
	for _, text := range []string{"x", "3-1", "-1", "1-", "1-99999999999"} {
		if s, err := ParseSkips(text); err == nil {
			t.Errorf("%q was read as %v", text, s)
		}
	}
}
