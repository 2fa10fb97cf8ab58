package ui

import (
	"math"
	"strings"
)

// Curve draws numbers as a line of braille dots, two columns and four rows of dots in each cell: lines of width cells, the top one first. Neighbours that
// share a column are shown as the span of them. What is no number is left out.
func Curve(values []float64, width, height int) []string {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			low, high = min(low, v), max(high, v)
		}
	}
	return CurveBetween(values, width, height, low, high)
}

// CurveBetween is Curve with the values at the bottom and at the top; what lies outside is drawn at the edge.
func CurveBetween(values []float64, width, height int, low, high float64) []string {
	width, height = max(width, 1), max(height, 1)
	columns, rows := 2*width, 4*height
	dots := make([][]rune, height)
	for i := range dots {
		dots[i] = []rune(strings.Repeat("\u2800", width))
	}
	set := func(x, y int) { // y from the bottom
		y = rows - 1 - y
		// dots of a cell: 1 4 / 2 5 / 3 6 / 7 8
		dots[y/4][x/2] |= []rune{0x01, 0x02, 0x04, 0x40, 0x08, 0x10, 0x20, 0x80}[4*(x%2)+y%4]
	}
	place := func(v float64) int {
		if !(high > low) {
			return rows / 2
		}
		return max(0, min(rows-1, int(math.Round(float64(rows-1)*(v-low)/(high-low)))))
	}
	before, n := -1, len(values)
	for x := range columns {
		from, to := x*n/columns, (x+1)*n/columns
		if n < columns { // fewer points than columns: each stands alone, joined below
			from = x * n / columns
			to = from
			if x == 0 || from != (x-1)*n/columns {
				to = from + 1
			}
		}
		bottom, top, last := rows, -1, -1
		for _, v := range values[min(from, n):min(to, n)] {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				continue
			}
			last = place(v)
			bottom, top = min(bottom, last), max(top, last)
		}
		if last < 0 {
			if before >= 0 && n < columns {
				set(x, before)
			}
			continue
		}
		if before >= 0 { // no gap between neighbours
			if before < bottom {
				bottom = before + 1
			} else if before > top {
				top = before - 1
			}
		}
		for y := bottom; y <= top; y++ {
			set(x, y)
		}
		before = last
	}
	lines := make([]string, height)
	for i, d := range dots {
		lines[i] = string(d)
	}
	return lines
}
