package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// decode reads a request into v, whose json tags are the fields that are supported. refused maps unsupported fields that
// would change the answer to a reason; noted are those that would not. What is left over comes back as ignored.
func (s *Server) decode(w http.ResponseWriter, r *http.Request, v any, known []string, refused map[string]string) (ignored []string, err error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.options.MaxBody))
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return nil, refusal(http.StatusRequestEntityTooLarge, "invalid_request_error", "request_too_large",
				"the request is larger than %d bytes; raise max_body or send less", s.options.MaxBody)
		}
		return nil, invalid("", "reading the request: %v", err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return nil, jsonError(body, err)
	}
	if fields == nil {
		return nil, invalid("", "the request is null, expected a JSON object")
	}
	if err := json.Unmarshal(body, v); err != nil {
		return nil, jsonError(body, err)
	}
	for name, raw := range fields {
		if slices.Contains(known, name) {
			continue
		}
		reason, no := refused[name]
		switch {
		case no && (empty(raw) || reason == ""):
			if reason == "" && !empty(raw) {
				ignored = append(ignored, name)
			}
		case no:
			return nil, invalid(name, "%s is not supported: %s", name, reason)
		default:
			if near := nearest(name, known); near != "" {
				return nil, invalid(name, "%s: no such field; did you mean %s?", name, near)
			}
			ignored = append(ignored, name)
		}
	}
	slices.Sort(ignored)
	return ignored, nil
}

// empty is a value that asks for nothing.
func empty(raw json.RawMessage) bool {
	switch string(bytes.TrimSpace(raw)) {
	case "null", "false", "0", `""`, "[]", "{}":
		return true
	}
	return false
}

// jsonError says where a request is not what was expected.
func jsonError(body []byte, err error) *apiError {
	var syntax *json.SyntaxError
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return invalid("", "the request is not JSON: %s: %v", place(body, syntax.Offset), err)
	case errors.As(err, &wrong):
		return invalid(wrong.Field, "%s: %s is a %s, expected %s", place(body, wrong.Offset), fieldName(wrong.Field), wrong.Value, wrong.Type)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return invalid("", "the request is not JSON: it ends too early")
	}
	return invalid("", "%v", err)
}

func fieldName(field string) string {
	if field == "" {
		return "the request"
	}
	return field
}

// place is an offset as line and column, both from 1.
func place(body []byte, offset int64) string {
	before := body[:min(int(offset), len(body))]
	line := 1 + bytes.Count(before, []byte("\n"))
	return fmt.Sprintf("line %d, column %d", line, max(len(before)-1-bytes.LastIndexByte(before, '\n'), 1))
}

// nearest is the name one or two letters away from a misspelt one, "" if there is none.
func nearest(name string, known []string) string {
	if len(name) < 4 {
		return ""
	}
	limit := 1 + len(name)/8
	for _, k := range known {
		if len(k) >= 3 && distance(strings.ToLower(name), k) <= limit {
			return k
		}
	}
	return ""
}

// distance is the number of letters to insert, delete, replace or swap (optimal string alignment).
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
