package optim

import (
	"math"
	"strings"
	"testing"

	"lian/compute"
	"lian/compute/cpu"
	"lian/dtype"
	"lian/model"
)

// parameters have the names and kinds of a decoder of two layers.
func parameters(b compute.Backend) *model.Parameters {
	var p model.Parameters
	add := func(name string, shape ...int) { p.Add(name, compute.NewTensor(b, dtype.F32, shape...)) }
	add("embedding", 11, 8)
	for _, l := range []string{"layers.0.", "layers.1."} {
		add(l+"attention_norm", 8)
		add(l+"attention.q", 8, 8)
		add(l+"attention.q.bias", 8)
		add(l+"attention.q_norm", 2, 4)
		add(l+"feed_forward.up", 16, 8)
	}
	add("norm", 8)
	add("head", 11, 8)
	return &p
}

func group(t *testing.T, text string) Group {
	t.Helper()
	var g Group
	if err := g.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if g.String() != text {
		t.Fatalf("%q is written as %q", text, g)
	}
	return g
}

func rows(t *testing.T, o Options) map[string]row {
	t.Helper()
	table, err := tableOf(parameters(cpu.New(1)), o)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]row{}
	for _, r := range table {
		out[r.name] = r
	}
	return out
}

func TestVectorsAndEmbeddingsDoNotDecay(t *testing.T) {
	for name, r := range rows(t, Options{Decay: 0.1}) {
		want := map[Kind]float64{Matrix: 0.1, Head: 0.1}[r.kind]
		if r.decay != want {
			t.Errorf("%s (%s) decays by %v, expected %v", name, r.kind, r.decay, want)
		}
	}
}

func TestLaterGroupsWinFieldByField(t *testing.T) {
	got := rows(t, Options{Decay: 0.1, LayerDecay: 0.5, Groups: []Group{
		group(t, "layers.* lr=0.5 optimizer=lion"), group(t, "*.bias decay=0.3"), group(t, "layers.1.*.q frozen"), group(t, "head lr=0"), group(t, "layers.0.attention.* optimizer=sgd"),
	}})
	for _, c := range []struct {
		name        string
		rate, decay float64
		rule        string
		why         string
	}{
		{"embedding", 0.125, 0, "", "three layers of rates are above it"},
		{"layers.0.attention_norm", 0.5 * 0.25, 0, "lion", "a row for all layers"},
		{"layers.0.attention.q", 0.5 * 0.25, 0.1, "sgd", "the last rule wins, the rate stays"},
		{"layers.0.attention.q.bias", 0.5 * 0.25, 0.3, "sgd", "decay by the row for biases"},
		{"layers.0.attention.q_norm", 0.5 * 0.25, 0, "sgd", "a norm of two axes is a vector"},
		{"layers.1.feed_forward.up", 0.5 * 0.5, 0.1, "lion", "the upper layer"},
		{"norm", 1, 0, "", "no row"},
		{"head", 0, 0.1, "", "a rate of 0"},
	} {
		r, ok := got[c.name]
		if !ok || math.Abs(r.rate-c.rate) > 1e-15 || r.decay != c.decay || r.treatment.rule != c.rule {
			t.Errorf("%s: rate %v, decay %v, rule %q; expected %v, %v, %q: %s", c.name, r.rate, r.decay, r.treatment.rule, c.rate, c.decay, c.rule, c.why)
		}
	}
	if _, ok := got["layers.1.attention.q"]; ok {
		t.Error("a frozen parameter has a row")
	}
}

func TestGroupsThatHoldForNothingNameWhatWasMeant(t *testing.T) {
	b := cpu.New(1)
	for text, says := range map[string]string{
		"layers.0.atention.q frozen":     "did you mean layers.0.attention.q?",
		"layers.*.feed_forward.upp lr=2": "did you mean layers.0.feed_forward.up?",
		"matrx decay=0":                  "did you mean matrix?",
		"something*else lr=1":            "the first are embedding",
	} {
		_, err := New(b, parameters(b), Options{Groups: []Group{group(t, text)}}, func(int) float64 { return 0 })
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "groups[0]") {
			t.Errorf("%q: error %v, expected %q", text, err, says)
		}
	}
	if _, err := New(b, parameters(b), Options{Groups: []Group{group(t, "* frozen")}}, nil); err == nil || !strings.Contains(err.Error(), "nothing can be learnt") {
		t.Errorf("everything frozen: error %v", err)
	}
}

func TestWrongGroupsAreRefused(t *testing.T) {
	for text, says := range map[string]string{
		"": "empty", "head": "says nothing", "head lr": "expected lr=", "head lr=-1": "number ≥ 0", "head lr=x": "number ≥ 0", "head optimizer=adm": "no such rule", "head frozen=maybe": "expected lr=", "head color=red": "expected lr=",
	} {
		var g Group
		if err := g.UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: error %v, expected %q", text, err, says)
		}
	}
}

// TestMemoryIsKnownBeforehand: what is said without making anything is what is there.
func TestMemoryIsKnownBeforehand(t *testing.T) {
	b := cpu.New(1)
	var big model.Parameters
	big.Add("layers.0.feed_forward.up", compute.NewTensor(b, dtype.F32, 100, 90))
	big.Add("embedding", compute.NewTensor(b, dtype.F32, 20, 30))
	for name := range rules {
		o := Options{Rule: name, Momentum: 0.9, Beta1: 0.9, FirstMean: true, Average: 0.9}
		said, err := Bytes(&big, o)
		if err != nil {
			t.Fatal(err)
		}
		x, err := New(b, &big, o, func(int) float64 { return 0 })
		if err != nil {
			t.Fatal(err)
		}
		is := int64(0)
		for _, s := range x.State().All() {
			if !strings.HasPrefix(s.Name, "trained/") {
				is += int64(s.Tensor.Bytes())
			}
		}
		if x.scratch != nil {
			is += int64(x.scratch.Bytes())
		}
		if said != is || x.Bytes() != is {
			t.Errorf("%s: %d bytes were said, there are %d", name, said, is)
		}
	}
	eight, _ := Bytes(&big, Options{Rule: "adamw8"})
	whole, _ := Bytes(&big, Options{})
	if eight*3 > whole {
		t.Errorf("8-bit states take %d bytes, those of 32 bits %d", eight, whole)
	}
}

// TestClippingByKindLeavesTheOthersAlone: a kind with a large gradient is scaled to the norm, one with a small gradient is not.
func TestClippingByKindLeavesTheOthersAlone(t *testing.T) {
	for by, want := range map[string][2]float64{"all": {1, 0.01}, "kind": {1, 0.03}} {
		b := cpu.New(1)
		s := b.NewStream()
		var p model.Parameters
		grads := map[*compute.Tensor]*compute.Tensor{}
		for name, size := range map[string]float32{"layers.0.attention.q": 3, "norm": 0.03} {
			shape := []int{1, 1}
			if name == "norm" {
				shape = shape[:1]
			}
			x, g := compute.NewTensor(b, dtype.F32, shape...), compute.NewTensor(b, dtype.F32, shape...)
			s.Write(g, compute.HostBytes([]float32{size}))
			p.Add(name, x)
			grads[x] = g
		}
		x, err := New(b, &p, Options{Rule: "sgd", ClipNorm: 1, ClipBy: by}, func(int) float64 { return 1 })
		if err != nil {
			t.Fatal(err)
		}
		gradient := func(x *compute.Tensor) *compute.Tensor { return grads[x] }
		x.Measure(s, gradient)
		x.Step(s, 1, gradient)
		for i, name := range []string{"layers.0.attention.q", "norm"} {
			got, err := model.Floats(s, p.Get(name))
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(float64(-got[0])-want[i]) > 1e-4*want[i]+1e-6 {
				t.Errorf("by %s: %s moved by %v, expected %v", by, name, -got[0], want[i])
			}
		}
		if norm, err := x.Norm(s); err != nil || math.Abs(norm-math.Sqrt(9+9e-4)) > 1e-5 {
			t.Errorf("the norm is %v (%v)", norm, err)
		}
	}
}
