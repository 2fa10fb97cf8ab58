package tokenfile

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// tokenFields are the members of a line, and the columns of a table, that hold ids where nothing else is said; textFields text.
var (
	tokenFields = []string{"tokens", "input_ids"}
	textFields  = []string{"text", "content"}
)

// parseIDs reads the ids of a JSON line. The form that InternEvo writes, {"tokens": [1, 2]}, is read by hand; others by the library.
func parseIDs(line []byte, field string) ([]int64, error) {
	if field == "" || field == tokenFields[0] {
		if out, ok := plainIDs(line); ok {
			return out, nil
		}
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(line, &members); err != nil {
		return nil, fmt.Errorf("expected a line {\"tokens\": [ids]}: %w", err)
	}
	names := tokenFields
	if field != "" {
		names = []string{field}
	}
	for _, name := range names {
		if raw, ok := members[name]; ok {
			var out []int64
			if err := json.Unmarshal(raw, &out); err != nil {
				return nil, fmt.Errorf("%s: expected whole numbers: %w", name, err)
			}
			return out, nil
		}
	}
	return nil, fmt.Errorf("has no member %q with ids", names[0])
}

// list is what lies between the brackets of {"tokens": […]}.
func list(line []byte) ([]byte, bool) {
	line = bytes.TrimSpace(line)
	rest, ok := bytes.CutPrefix(line, []byte(`{"tokens":`))
	if !ok {
		return nil, false
	}
	rest, ok = bytes.CutPrefix(bytes.TrimLeft(rest, " "), []byte("["))
	if !ok {
		return nil, false
	}
	return bytes.CutSuffix(rest, []byte("]}"))
}

func plainIDs(line []byte) ([]int64, bool) {
	rest, ok := list(line)
	if !ok {
		return nil, false
	}
	out := make([]int64, 0, len(rest)/4)
	for first := true; len(bytes.TrimLeft(rest, " ")) > 0; first = false {
		rest = bytes.TrimLeft(rest, " ")
		if !first {
			if rest, ok = bytes.CutPrefix(rest, []byte(",")); !ok {
				return nil, false
			}
			rest = bytes.TrimLeft(rest, " ")
		}
		id, n, ok := leadingID(rest)
		if !ok {
			return nil, false
		}
		out, rest = append(out, id), rest[n:]
	}
	return out, true
}

// leadingID reads a whole number as JSON writes it, of at most 18 digits.
func leadingID(b []byte) (id int64, n int, ok bool) {
	negative := len(b) > 0 && b[0] == '-'
	if negative {
		n = 1
	}
	start := n
	for n < len(b) && b[n] >= '0' && b[n] <= '9' && n-start < 19 {
		id = id*10 + int64(b[n]-'0')
		n++
	}
	if n == start || n-start > 18 || b[start] == '0' && n-start > 1 {
		return 0, 0, false
	}
	if negative {
		id = -id
	}
	return id, n, true
}

// ends are the first and the last id of a line, without reading those between; false where the line is of another form or empty.
func ends(line []byte) (first, last int64, ok bool) {
	rest, ok := list(line)
	if !ok {
		return 0, 0, false
	}
	rest = bytes.TrimSpace(rest)
	first, n, ok := leadingID(rest)
	if !ok || n < len(rest) && rest[n] != ',' {
		return 0, 0, false
	}
	tail := bytes.TrimLeft(rest[bytes.LastIndexByte(rest, ',')+1:], " ")
	last, n, ok = leadingID(tail)
	return first, last, ok && n == len(tail)
}
