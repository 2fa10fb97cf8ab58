package pack

import (
	"slices"
	"testing"

	"lian/format/tokenfile"
	"lian/train"
	"pgregory.net/rapid"
)

type documents [][]int32

func (d documents) Documents() int   { return len(d) }
func (d documents) Length(i int) int { return len(d[i]) }
func (d documents) Read(i, first, n int) (tokenfile.Tokens, error) {
	return tokenfile.Tokens{IDs: d[i][first : first+n]}, nil
}

// TestEveryTokenIsLearntOnceAnEpoch: whatever the lengths and cuts, the targets of one epoch are all tokens and one mark a document.
func TestEveryTokenIsLearntOnceAnEpoch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lengths := rapid.SliceOfN(rapid.IntRange(0, 9), 1, 8).Draw(t, "lengths")
		o := Options{Row: rapid.IntRange(1, 7).Draw(t, "row"), Seed: 5, Packing: rapid.SampledFrom([]string{Cut, BestFit}).Draw(t, "packing"), Mark: rapid.SampledFrom([]int32{0, tokenfile.None}).Draw(t, "mark"), Least: rapid.IntRange(0, 3).Draw(t, "least")}
		var d documents
		var want []int32
		next, kept, dropped := int32(1), 0, 0
		for _, n := range lengths {
			var ids []int32
			for range n {
				ids = append(ids, next)
				next++
			}
			d = append(d, ids)
			if n < o.Least || n == 0 && o.Mark < 0 {
				dropped++
				continue
			}
			kept += n
			if o.Mark >= 0 {
				want = append(append(want, ids...), 0)
			} else if n > 0 {
				want = append(want, append(ids[1:len(ids):len(ids)], -1)...)
			}
		}
		l, err := New(d, o)
		if kept == 0 {
			if err == nil {
				t.Fatal("data without a token was accepted")
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		var got []int32
		pieces := int64(0)
		for row := 0; float64(row) < l.EpochRows(); row++ {
			for _, p := range l.Pieces(row, 0, o.Row) {
				q, err := o.sequence(d, 0, p)
				if err != nil {
					t.Fatal(err)
				}
				for i := 1; i < len(q.IDs); i++ {
					if q.Targets[i-1] != q.IDs[i] {
						t.Fatalf("sequence %v asks for %v: it crosses a document", q.IDs, q.Targets)
					}
				}
				if left := len(want) - len(got); left < len(q.Targets) {
					q.Targets = q.Targets[:left] // the next epoch starts in this row
				}
				if len(q.Targets) > 0 {
					pieces++
				}
				got = append(got, q.Targets...)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("learnt %v, expected %v", got, want)
		}
		c := l.Counts()
		if c.Dropped != dropped || c.Tokens != int64(kept) || c.Pieces != pieces {
			t.Fatalf("counts are %+v; %d dropped, %d tokens, %d pieces", c, dropped, kept, pieces)
		}
		if o.Packing == BestFit && int64(l.EpochRows())*int64(o.Row) != int64(len(want))+c.Padding {
			t.Fatalf("%v rows of %d are not %d positions and %d of padding", l.EpochRows(), o.Row, len(want), c.Padding)
		}
	})
}

func TestBestFitCutsOnlyWhatIsLongerThanARow(t *testing.T) {
	var d documents
	for i := range 10000 {
		d = append(d, make([]int32, 3+i*i%297))
	}
	d = append(d, make([]int32, 1000))
	fit, err := New(d, Options{Row: 512, Packing: BestFit, Mark: 0})
	if err != nil {
		t.Fatal(err)
	}
	cut, err := New(d, Options{Row: 512, Packing: Cut, Mark: 0})
	if err != nil {
		t.Fatal(err)
	}
	f, c := fit.Counts(), cut.Counts()
	if f.Cut != 1 || c.Cut < 1000 || c.Padding != 0 {
		t.Errorf("best-fit cuts %d documents, cut %d", f.Cut, c.Cut)
	}
	if share := float64(f.Padding) / (fit.EpochRows() * 512); share > 0.01 {
		t.Errorf("best-fit leaves %.2f %% of its rows empty", 100*share)
	}
}

func TestJoinedDocumentsAreOneSequenceWithAllOrigins(t *testing.T) {
	d := documents{{1, 2}, {3}, {4, 5, 6}}
	o := Options{Row: 9, Mark: 0, Packing: Cut}
	l, err := New(d, o)
	if err != nil {
		t.Fatal(err)
	}
	q, err := o.Sequences(d, 2, l.Pieces(0, 0, 9), true)
	if err != nil || len(q) != 1 || len(q[0].IDs) != 9 {
		t.Fatalf("%d sequences, %v: %v", len(q), err, q)
	}
	for i := 1; i < 9; i++ {
		if q[0].Targets[i-1] != q[0].IDs[i] {
			t.Errorf("ids %v ask for %v", q[0].IDs, q[0].Targets)
		}
	}
	seen := map[int]bool{}
	for _, at := range q[0].Origins() {
		seen[at.Document] = true
		if at.Domain != 2 || at.First != 0 {
			t.Errorf("origin %+v", at)
		}
	}
	if len(seen) != 3 {
		t.Errorf("origins are %+v", q[0].Origins())
	}
}

// prompted has a prompt of two tokens in each document.
type prompted struct{ documents }

func (p prompted) Read(i, first, n int) (tokenfile.Tokens, error) {
	t, err := p.documents.Read(i, first, n)
	for j := range t.IDs {
		t.Prompt = append(t.Prompt, first+j < 2)
	}
	return t, err
}

func TestPromptsAreNoLabels(t *testing.T) {
	o := Options{Row: 9, Mark: 0}
	q, err := o.sequence(prompted{documents{{7, 8, 9}}}, 0, Piece{0, 0, 4})
	if err != nil || !slices.Equal(q.IDs, []int32{0, 7, 8, 9}) || !slices.Equal(q.Targets, []int32{-1, -1, 9, 0}) {
		t.Errorf("ids %v ask for %v, %v", q.IDs, q.Targets, err)
	}
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
