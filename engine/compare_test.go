package engine

import (
	"context"
	"math"
	"strings"
	"testing"

	"lian/compute/ref"
	"lian/model"
)

// TestEveryTokenIsAskedForOnce, whatever the window and the stride are.
func TestEveryTokenIsAskedForOnce(t *testing.T) {
	for _, w := range []Windows{{}, {Window: 7}, {Window: 7, Stride: 3}, {Window: 16, Stride: 1}} {
		for _, n := range []int{0, 1, 2, 7, 8, 9, 16, 17, 40} {
			next := 1
			for _, s := range w.Spans(n, 16) {
				if s.Start != next || s.To <= s.Start || s.From >= s.Start || s.To-1-s.From > w.length(16) {
					t.Errorf("%+v of %d tokens has the span %+v after token %d", w, n, s, next)
				}
				if w.Stride > 0 && s.Start-s.From < min(s.Start, w.Window-w.Stride+1) {
					t.Errorf("%+v: token %d has only %d before it", w, s.Start, s.Start-s.From)
				}
				next = s.To
			}
			if next != max(n, 1) {
				t.Errorf("%+v of %d tokens ends before token %d", w, n, next)
			}
		}
	}
	if s := (Windows{Chunk: 8}).Spans(17, 16); len(s) != 2 || s[1] != (Span{8, 13, 16}) {
		t.Errorf("chunks of 8 are %v", s)
	}
	for _, w := range []Windows{{Window: 17}, {Window: 4, Stride: 5}, {Chunk: 3}, {Chunk: 8, Stride: 2}} {
		if w.Check(16) == nil {
			t.Errorf("%+v was accepted", w)
		}
	}
}

// TestComparisonIsTheFormula compares two random models with sums written plainly.
func TestComparisonIsTheFormula(t *testing.T) {
	b := ref.New()
	m, tok := tiny(t, b, 96)
	o, _ := tiny(t, b, 96)
	for _, p := range o.Parameters().All() {
		values, err := model.Floats(b.NewStream(), p.Tensor)
		if err != nil {
			t.Fatal(err)
		}
		for i := range values {
			values[i] += 0.02 * float32(math.Sin(float64(i)))
		}
		b.NewStream().Write(p.Tensor, floatBytes(values))
	}
	texts := [][]int32{tok.Encode("链条 and a chain"), tok.Encode("x"), tok.Encode("another text, somewhat longer than the window")}
	w := Windows{Window: 11, Stride: 5}
	got, err := Compare(context.Background(), b, exact(m), exact(o), texts, w)
	if err != nil {
		t.Fatal(err)
	}
	var kl, largest, nats float64
	tokens, same := 0, 0
	for _, ids := range texts {
		for _, s := range w.Spans(len(ids), 96) {
			p, q := rowsOf(t, b, m, ids[s.From:s.To-1]), rowsOf(t, b, o, ids[s.From:s.To-1])
			for at := s.Start; at < s.To; at++ {
				lp, lq := plainLogSoftmax(p[at-1-s.From]), plainLogSoftmax(q[at-1-s.From])
				d, bp, bq := 0.0, 0, 0
				for i := range lp {
					d += math.Exp(lp[i]) * (lp[i] - lq[i])
					if lp[i] > lp[bp] {
						bp = i
					}
					if lq[i] > lq[bq] {
						bq = i
					}
				}
				kl, largest, tokens = kl+d, max(largest, d), tokens+1
				nats += lp[ids[at]] - lq[ids[at]]
				if bp == bq {
					same++
				}
			}
		}
	}
	if got.Tokens != tokens || math.Abs(got.MeanKL-kl/float64(tokens)) > 1e-9 || math.Abs(got.MaxKL-largest) > 1e-9 || got.Top1 != float64(same)/float64(tokens) ||
		math.Abs(got.Ratio()-math.Exp(nats/float64(tokens))) > 1e-9 || got.KL99 > got.MaxKL || got.MedianKL > got.KL99 || got.MeanKL <= 0 {
		t.Errorf("%+v with ratio %v; plainly %d tokens, KL %v and at most %v, %d same, ratio %v", got, got.Ratio(), tokens, kl/float64(tokens), largest, same, math.Exp(nats/float64(tokens)))
	}
	alike, err := Compare(context.Background(), b, exact(m), exact(m), texts, w)
	if err != nil || alike.MaxKL != 0 || alike.Top1 != 1 || alike.Ratio() != 1 {
		t.Errorf("a model beside itself: %+v, %v", alike, err)
	}
	if _, err := Compare(context.Background(), b, exact(m), exact(m), [][]int32{{1}}, w); err == nil || !strings.Contains(err.Error(), "no token to foretell") {
		t.Errorf("texts of one token: %v", err)
	}
}

func exact(m model.Model) Compared { return Compared{Model: m, Precision: model.Exact} }
