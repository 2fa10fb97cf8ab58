package mixture

import (
	"fmt"
	"hash/fnv"
	"math"
	"reflect"
	"strings"
	"testing"

	"lian/format/tokenfile"
	"lian/train"
	"lian/train/pack"
	"lian/train/schedule"
	"pgregory.net/rapid"
)

// made is a domain of so many documents whose ids say where they are from.
type made struct{ first, documents, length int }

func (m made) Documents() int        { return m.documents }
func (m made) Length(i int) int      { return m.length + i%3 }
func (m made) TextBytes(i int) int64 { return -1 }
func (m made) Close() error          { return nil }
func (m made) Where(i int) tokenfile.Place {
	return tokenfile.Place{File: fmt.Sprint("domain at ", m.first), Line: i + 1}
}
func (m made) Read(i, first, n int) (t tokenfile.Tokens, err error) {
	for j := range n {
		t.IDs = append(t.IDs, int32(m.first+100*i+first+j))
	}
	return t, nil
}

func constant(n int) func(int) int { return func(step int) int { return n * step } }

func options(packing string) Options {
	return Options{Options: pack.Options{Row: 16, Mark: 0, Seed: 3, Packing: packing}, Before: constant(64), Steps: 100}
}

func domains() []Domain {
	return []Domain{{Name: "en", Documents: made{1_000_000, 40, 11}}, {Name: "中文", Documents: made{2_000_000, 90, 5}}, {Name: "code", Documents: made{3_000_000, 7, 50}}}
}

func must(t *testing.T, d []Domain, o Options) *Source {
	t.Helper()
	s, err := New(d, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func step(t *testing.T, s *Source, n int) []train.Sequence {
	t.Helper()
	q, err := s.Step(n)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestStepsAreTheSameInAnyOrder(t *testing.T) {
	for _, packing := range []string{pack.Cut, pack.BestFit} {
		o := options(packing)
		o.Before = schedule.Ramp{Start: 30, Increment: 7, Every: 1, Full: 400}.Before
		o.Phases = []Phase{{From: 0}, {From: 0.3, Weights: map[string]float64{"en": 1, "中文": 2, "code": 0}}}
		forward := must(t, domains(), o)
		var want [][]train.Sequence
		for n := range 60 {
			want = append(want, step(t, forward, n))
		}
		other := must(t, domains(), o)
		for i := range 60 {
			n := i * 37 % 60
			if got := step(t, other, n); !reflect.DeepEqual(got, want[n]) {
				t.Fatalf("%s: step %d differs when it is asked for out of order", packing, n)
			}
		}
		if got := step(t, must(t, domains(), o), 59); !reflect.DeepEqual(got, want[59]) {
			t.Errorf("%s: step 59 asked for at once differs", packing)
		}
	}
}

// TestBatchesStayWhatTheyAre: a change of these sums changes every run that is resumed.
func TestBatchesStayWhatTheyAre(t *testing.T) {
	for packing, want := range map[string]uint64{pack.Cut: 0xc5a6997cb857ac6, pack.BestFit: 0xc09a0a6dbbac3f22} {
		o := options(packing)
		o.Phases = []Phase{{Weights: map[string]float64{"en": 0.5, "中文": 0.3, "code": 0.2}}}
		s, h := must(t, domains(), o), fnv.New64a()
		for n := range 50 {
			fmt.Fprint(h, step(t, s, n))
		}
		if got := h.Sum64(); got != want {
			t.Errorf("%s: sum %#x, expected %#x", packing, got, want)
		}
	}
}

func TestDomainsAreWithinARowOfTheirShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.Float64Range(0, 1), 1, 12).Draw(t, "weights")
		a, err := newApportion(weights)
		if err != nil {
			return // all are 0
		}
		total := 0
		for _, q := range a.quota {
			total += q
		}
		counts := make([]int, len(weights))
		for k := range 20_000 {
			d, row := a.row(k)
			if row != counts[d] {
				t.Fatalf("row %d is number %d of domain %d, expected %d", k, row, d, counts[d])
			}
			counts[d]++
			for i, n := range counts {
				if off := float64(n) - float64(a.quota[i])/float64(total)*float64(k+1); math.Abs(off) >= 1 {
					t.Fatalf("after %d rows domain %d is %v rows off its share", k+1, i, off)
				}
			}
		}
		if got := a.before(20_000); !reflect.DeepEqual(got, counts) {
			t.Fatalf("before is %v, counted %v", got, counts)
		}
	})
}

func TestAStepHasItsTokens(t *testing.T) {
	o := options(pack.Cut)
	o.Before = func(step int) int { return 10*step + step*(step-1)/2 }
	s := must(t, domains(), o)
	for n := range 40 {
		total := 0
		for _, q := range step(t, s, n) {
			total += len(q.IDs)
			if len(q.IDs) > o.Row {
				t.Fatalf("a sequence of %d tokens in rows of %d", len(q.IDs), o.Row)
			}
		}
		if total != 10+n {
			t.Fatalf("step %d has %d tokens, expected %d", n, total, 10+n)
		}
	}
}

func TestMixturesChangeAtTheirShareOfTheRun(t *testing.T) {
	o := options(pack.Cut)
	o.Phases = []Phase{{Weights: map[string]float64{"en": 1, "中文": 0, "code": 0}}, {From: 0.5, Weights: map[string]float64{"en": 0, "中文": 1, "code": 1}}}
	s := must(t, domains(), o)
	for n := range 100 {
		for _, q := range step(t, s, n) {
			if (q.Origin.Domain == 0) != (n < 50) {
				t.Fatalf("step %d has domain %d", n, q.Origin.Domain)
			}
		}
	}
	st := s.Statistics()
	if st[0].Taken != 3200 || st[1].Share != 0.25 || st[2].Share != 0.25 {
		t.Errorf("statistics are %+v", st)
	}
}

func TestADomainThatIsSeenOftenEnoughLeavesItsShare(t *testing.T) {
	d, o := domains(), options(pack.Cut)
	d[2].MaxEpochs = 2
	o.Phases = []Phase{{Weights: map[string]float64{"en": 1, "中文": 1, "code": 2}}}
	st := must(t, d, o).Statistics()
	if st[2].Epochs > 2.05 || st[2].Epochs < 1.95 || math.Abs(st[0].Share-st[1].Share) > 0.01 || st[0].Taken+st[1].Taken+st[2].Taken != 6400 {
		t.Errorf("statistics are %+v", st)
	}
	for i := range d {
		d[i].MaxEpochs = 0.5
	}
	if _, err := New(d, o); err == nil || !strings.Contains(err.Error(), "fewer steps") {
		t.Errorf("a run with too little data: %v", err)
	}
}

func TestAnOriginLeadsBackToItsTokens(t *testing.T) {
	for _, packing := range []string{pack.Cut, pack.BestFit} {
		o := options(packing)
		o.Joined = packing == pack.BestFit
		s := must(t, domains(), o)
		for n := range 30 {
			for _, q := range step(t, s, n) {
				for i, at := range q.Origins() {
					from := 0
					if i > 0 {
						from = q.Parts[i-1].At
					}
					tr, err := s.Trace(at, 1)
					if err != nil {
						t.Fatal(err)
					}
					if from < len(q.IDs) && q.IDs[from] == 0 {
						from++ // the mark
					}
					if len(tr.IDs) == 0 || from >= len(q.IDs) || from == 1 && len(q.IDs) == 1 {
						continue
					}
					if tr.IDs[0] != q.IDs[from] || tr.Domain != s.Domains()[at.Domain] || tr.Where.Line != at.Document+1 {
						t.Fatalf("origin %+v leads to %+v, the sequence has %v", at, tr, q.IDs)
					}
				}
			}
		}
		if _, err := s.Trace(train.Origin{Domain: 9}, 1); err == nil {
			t.Error("an origin of another run was traced")
		}
	}
}

func TestWrongMixturesAreNamed(t *testing.T) {
	for want, change := range map[string]func(d []Domain, o *Options){
		"no domain fr": func(d []Domain, o *Options) {
			o.Phases = []Phase{{Weights: map[string]float64{"en": 1, "中文": 1, "code": 1, "fr": 1}}}
		},
		"code has no weight": func(d []Domain, o *Options) { o.Phases = []Phase{{Weights: map[string]float64{"en": 1, "中文": 1}}} },
		"all weights are 0": func(d []Domain, o *Options) {
			o.Phases = []Phase{{Weights: map[string]float64{"en": 0, "中文": 0, "code": 0}}}
		},
		"no token":          func(d []Domain, o *Options) { d[1].Documents = made{} },
		"are called en":     func(d []Domain, o *Options) { d[1].Name = "en" },
		"later than":        func(d []Domain, o *Options) { o.Phases = []Phase{{}, {From: 0.5}, {From: 0.5}} },
		"packing \"tight\"": func(d []Domain, o *Options) { o.Packing = "tight" },
		"weight -1": func(d []Domain, o *Options) {
			o.Phases = []Phase{{Weights: map[string]float64{"en": -1, "中文": 1, "code": 1}}}
		},
	} {
		d, o := domains(), options(pack.Cut)
		change(d, &o)
		if _, err := New(d, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want it to say %q", err, want)
		}
	}
}

func TestABatchMadeAheadIsTheSame(t *testing.T) {
	s, plain := pack.NewAhead(must(t, domains(), options(pack.Cut))), must(t, domains(), options(pack.Cut))
	defer s.Close()
	for _, n := range []int{0, 1, 2, 5, 6, 3, 3, 4} { // a step passed over, one taken again
		got, err := s.Step(n)
		if err != nil || !reflect.DeepEqual(got, step(t, plain, n)) {
			t.Fatalf("batch %d differs, %v", n, err)
		}
	}
}
