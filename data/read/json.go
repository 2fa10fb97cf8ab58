package read

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// jsonFile reads an array of objects, an object that wraps one, or one object.
// What stands before a syntax error is kept; the rest is one rejected record.
func jsonFile(r *Result, text string) {
	switch first := strings.TrimLeft(text, " \t\r\n"); {
	case strings.HasPrefix(first, "["):
		jsonArray(r, text)
	case strings.HasPrefix(first, "{"):
		var object map[string]any
		if err := json.Unmarshal([]byte(text), &object); err != nil {
			if strings.Contains(err.Error(), "after top-level value") { // objects one after another: JSON lines under another name
				jsonLines(r, text)
				return
			}
			r.reject(0, "json", Damaged, err.Error()+at(err), 0)
			return
		}
		for _, name := range fieldNames().Records {
			if list, ok := object[name].([]any); ok && len(list) > 0 {
				for i, item := range list {
					r.item(i, item, "json")
				}
				return
			}
		}
		r.record(0, object, "json")
	default:
		r.reject(0, "json", Damaged, "neither an array nor an object", 0)
	}
}

func jsonArray(r *Result, text string) {
	decoder := json.NewDecoder(strings.NewReader(text))
	if _, err := decoder.Token(); err != nil {
		r.reject(0, "json", Damaged, err.Error()+at(err), 0)
		return
	}
	number := 0
	for ; decoder.More(); number++ {
		var item any
		if err := decoder.Decode(&item); err != nil {
			r.reject(number, "json", Damaged, fmt.Sprintf("record %d: %v%s; the file is not read beyond it", number, err, at(err)), float64(decoder.InputOffset()))
			return
		}
		r.item(number, item, "json")
	}
	if _, err := decoder.Token(); err != nil {
		r.reject(number, "json", Damaged, fmt.Sprintf("the array is not closed after record %d", number-1), float64(decoder.InputOffset()))
		return
	}
	if _, err := decoder.Token(); err != io.EOF {
		r.reject(number, "json", Damaged, "text after the end of the array", float64(decoder.InputOffset()))
	}
	if number == 0 {
		r.reject(0, "json", Empty, "an empty array", 0)
	}
}

func jsonLines(r *Result, text string) {
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		var item any
		if err := json.Unmarshal([]byte(line), &item); err != nil {
			r.reject(number, "jsonl", Damaged, fmt.Sprintf("line %d: %v", number, err), float64(number))
			continue
		}
		r.item(number, item, "jsonl")
	}
}

func (r *Result) item(number int, item any, format string) {
	switch v := item.(type) {
	case map[string]any:
		r.record(number, v, format)
	case string:
		r.record(number, map[string]any{"text": v}, format)
	default:
		r.reject(number, format, NoText, fmt.Sprintf("record %d is neither an object nor a string", number), float64(number))
	}
}

func at(err error) string {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Sprintf(" at byte %d", syntax.Offset)
	}
	return ""
}
