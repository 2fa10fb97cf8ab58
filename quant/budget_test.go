package quant

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"lian/dtype"
)

func TestABudgetIsKeptAndWhatItSaysIsWhatItChose(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tensors []Candidates
		for i := range rapid.IntRange(1, 12).Draw(t, "tensors") {
			c := Candidates{Name: fmt.Sprint(i)}
			for k := range rapid.IntRange(1, 6).Draw(t, "types") {
				c.List = append(c.List, Candidate{dtype.Type(k + 1), int64(rapid.IntRange(1, 1000).Draw(t, "bytes")), rapid.Float64Range(0, 10).Draw(t, "loss")})
			}
			tensors = append(tensors, c)
		}
		least := NewBudget(tensors)
		for more := range int64(8) {
			b, allowed := NewBudget(tensors), least.Bytes+more*300
			if err := b.Spend(allowed); err != nil || b.Bytes > allowed {
				t.Fatalf("%d bytes taken, %d allowed, %v", b.Bytes, allowed, err)
			}
			// what is said is what was chosen
			bytes, loss := int64(0), 0.0
			for _, c := range tensors {
				at := slices.IndexFunc(c.List, func(x Candidate) bool { return x.Type == b.Types()[c.Name] })
				bytes, loss = bytes+c.List[at].Bytes, loss+c.List[at].Loss
			}
			if bytes != b.Bytes || loss-b.Loss > 1e-9 || b.Loss-loss > 1e-9 {
				t.Fatalf("says %d bytes and a loss of %g, chose %d and %g", b.Bytes, b.Loss, bytes, loss)
			}
		}
		if err := NewBudget(tensors).Spend(least.Bytes - 1); err == nil {
			t.Fatal("less than the least was accepted")
		}
		b := NewBudget(tensors)
		if half := least.Loss / 2; b.Reach(half) != (b.Loss <= half) {
			t.Fatal("reached or not?")
		}
	})
}

func TestBytesGoWhereTheyBuyMost(t *testing.T) {
	list := func(scale float64) []Candidate {
		return []Candidate{{dtype.Q2_K, 10, 9 * scale}, {dtype.Q4_K, 20, 2 * scale}, {dtype.Q3_K, 15, 8 * scale}, {dtype.Q8_0, 40, 1 * scale}}
	}
	b := NewBudget([]Candidates{{"dull", list(1)}, {"tender", list(100)}})
	if err := b.Spend(55); err != nil {
		t.Fatal(err)
	}
	if got := b.Types(); got["tender"] != dtype.Q8_0 || got["dull"] != dtype.Q2_K || b.Bytes != 50 {
		t.Errorf("%v with %d bytes", got, b.Bytes)
	}
	if got := Ladder(512); !slices.Equal(got, []dtype.Type{dtype.Q2_K, dtype.Q3_K, dtype.IQ4_XS, dtype.Q4_K, dtype.Q5_K, dtype.Q6_K, dtype.Q8_0, dtype.F16}) {
		t.Errorf("whole blocks: %v", got)
	}
	if got := Ladder(96); !slices.Equal(got, []dtype.Type{dtype.Q4_0, dtype.IQ4_NL, dtype.Q5_0, dtype.Q5_1, dtype.Q8_0, dtype.F16}) {
		t.Errorf("blocks of 32: %v", got)
	}
	if got := Ladder(7); !slices.Equal(got, []dtype.Type{dtype.F16}) {
		t.Errorf("no blocks: %v", got)
	}
}
