package read

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// separated reads CSV and TSV. A first row of distinct, short cells, none of
// them a number, names the columns; else they are called column 1, 2 ….
func separated(r *Result, text string, comma rune) {
	format := map[rune]string{',': "csv", '\t': "tsv"}[comma]
	reader := csv.NewReader(strings.NewReader(text))
	reader.Comma, reader.FieldsPerRecord, reader.LazyQuotes = comma, -1, true
	var names []string
	for number := 0; ; number++ {
		row, err := reader.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			var problem *csv.ParseError
			line := number
			if errors.As(err, &problem) {
				line = problem.Line
			}
			r.reject(number, format, Damaged, fmt.Sprintf("line %d: %v", line, err), float64(line))
			if problem == nil {
				break
			}
			continue
		}
		if number == 0 && header(row) {
			names = row
			continue
		}
		object := map[string]any{}
		for i, cell := range row {
			name := fmt.Sprintf("column %d", i+1)
			if i < len(names) {
				name = strings.TrimSpace(names[i])
			}
			object[name] = cell
		}
		r.record(number, object, format)
	}
	if len(r.Documents)+len(r.Rejected) == 0 {
		r.reject(0, format, Empty, "a header and no rows", 0)
	}
}

func header(row []string) bool {
	seen := map[string]bool{}
	for _, cell := range row {
		cell = strings.TrimSpace(cell)
		if _, err := strconv.ParseFloat(cell, 64); err == nil || cell == "" || len(cell) > 40 || seen[cell] {
			return false
		}
		seen[cell] = true
	}
	return len(row) > 0
}
