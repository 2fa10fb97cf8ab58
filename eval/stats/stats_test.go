package stats

import (
	"bufio"
	"encoding/json"
	"math"
	"os"
	"testing"

	"lian/verify/shared"
)

type golden struct {
	Stat       string
	K, N       int
	Confidence float64
	Wilson     [2]float64
	Table      [2][2]int
	ExactP     float64 `json:"exact_p"`
}

func TestIntervalsAndTestsAreTheReference(t *testing.T) {
	f, err := os.Open(shared.Path(t, "testdata", "golden", "eval", "statistics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, seen := bufio.NewScanner(f), 0
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var g golden
		if json.Unmarshal(lines.Bytes(), &g) != nil {
			continue // other statistics have other fields
		}
		switch g.Stat {
		case "proportion_ci":
			seen++
			if w := Wilson(g.K, g.N, g.Confidence); math.Abs(w.Low-g.Wilson[0]) > 1e-9 || math.Abs(w.High-g.Wilson[1]) > 1e-9 {
				t.Errorf("Wilson(%d, %d, %v) is %v, expected %v", g.K, g.N, g.Confidence, w, g.Wilson)
			}
		case "mcnemar":
			seen++
			if p := McNemar(g.Table[0][1], g.Table[1][0]); math.Abs(p-g.ExactP) > 1e-9 {
				t.Errorf("McNemar of %v is %v, expected %v", g.Table, p, g.ExactP)
			}
		}
	}
	if seen < 90 {
		t.Errorf("only %d vectors were read", seen)
	}
}

// TestPairedShareIsNewcombes holds the interval against the worked example of Newcombe (1998), table III: 36, 12, 2, 0.
func TestPairedShareIsNewcombes(t *testing.T) {
	d, i := PairedShare(36, 2, 12, 0, .95)
	if math.Abs(d-.2) > 1e-9 || math.Abs(i.Low-.0569) > 5e-4 || math.Abs(i.High-.3404) > 5e-4 {
		t.Errorf("difference %v in %v, expected 0.2 in [0.0569 0.3404]", d, i)
	}
}

func TestBootstrapFindsAClearDifferenceOnly(t *testing.T) {
	var a, b, c []Ratio
	for i := range 60 {
		noise := math.Sin(float64(i * 7))
		a = append(a, Ratio{20 + noise, 10})
		b = append(b, Ratio{22 + noise, 10})
		c = append(c, Ratio{20 + math.Sin(float64(i*13+1)), 10})
	}
	if d, i, p := PairedRatio(a, b, .95, 500, 1); math.Abs(d-.2) > 1e-9 || !i.Excludes(0) || p > .05 {
		t.Errorf("a clear difference: %v in %v, p %v", d, i, p)
	}
	if _, i, p := PairedRatio(a, c, .95, 500, 1); i.Excludes(0) || p < .05 {
		t.Errorf("no difference: %v, p %v", i, p)
	}
	if BootstrapRatio(a, .95, 200, 1) != BootstrapRatio(a, .95, 200, 1) {
		t.Error("the same seed gives another interval")
	}
	if !math.IsNaN(BootstrapRatio(nil, .95, 200, 1).Low) || !math.IsNaN(Wilson(0, 0, .95).Low) {
		t.Error("nothing has an interval")
	}
}
