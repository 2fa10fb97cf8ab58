package ui

import (
	"math"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestACurveFallsWhereItsNumbersFall(t *testing.T) {
	values := make([]float64, 400)
	for i := range values {
		values[i] = 1 / float64(i+20)
	}
	lines := Curve(values, 12, 3)
	if strings.Trim(lines[0], "\u2800") == "" || !strings.HasSuffix(lines[0], "\u2800\u2800") || strings.HasSuffix(lines[2], "\u2800") {
		t.Errorf("\n%s", strings.Join(lines, "\n"))
	}
}

func TestACurveHasItsSizeWhateverIsInIt(t *testing.T) {
	for _, values := range [][]float64{nil, {1}, {2, 2, 2}, {math.NaN(), 1, math.Inf(1), 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}} {
		for _, size := range [][2]int{{1, 1}, {5, 2}, {60, 1}} {
			lines := Curve(values, size[0], size[1])
			if len(lines) != size[1] {
				t.Fatalf("%v: %d lines", values, len(lines))
			}
			for _, l := range lines {
				if n := utf8.RuneCountInString(l); n != size[0] {
					t.Fatalf("%v in %v: a line of %d", values, size, n)
				}
			}
		}
	}
}
