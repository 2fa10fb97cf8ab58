package chat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf8"
)

// objectWriter writes a JSON object whose members keep the order in which they
// were put, without HTML escapes: what a model reads must not depend on maps.
type objectWriter struct {
	buffer bytes.Buffer
	count  int
	err    error
}

func (o *objectWriter) put(key string, value any) {
	if o.err != nil {
		return
	}
	if o.count++; o.count == 1 {
		o.buffer.WriteByte('{')
	} else {
		o.buffer.WriteByte(',')
	}
	if o.err = encodeJSON(&o.buffer, key); o.err != nil {
		return
	}
	o.buffer.WriteByte(':')
	if raw, ok := value.(json.RawMessage); ok {
		if !json.Valid(raw) {
			o.err = fmt.Errorf("member %q is not JSON: %s", key, abridge(raw))
			return
		}
		o.buffer.Write(raw)
		return
	}
	o.err = encodeJSON(&o.buffer, value)
}

func (o *objectWriter) bytes() ([]byte, error) {
	if o.count == 0 {
		o.buffer.WriteByte('{')
	}
	o.buffer.WriteByte('}')
	return o.buffer.Bytes(), o.err
}

func encodeJSON(buffer *bytes.Buffer, value any) error {
	encoder := json.NewEncoder(buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err
	}
	buffer.Truncate(buffer.Len() - 1) // the newline that Encode adds
	return nil
}

type member struct {
	key   string
	value json.RawMessage
}

// orderedMembers splits a JSON object into its members in the order written.
func orderedMembers(data []byte) ([]member, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	if token != json.Delim('{') {
		return nil, fmt.Errorf("found %s", abridge(data))
	}
	var members []member
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		members = append(members, member{key.(string), value})
	}
	_, err = decoder.Token()
	return members, err
}

// first is the first byte of a JSON text that is no blank, 0 if there is none.
func first(raw []byte) byte {
	raw = bytes.TrimLeft(raw, " \t\r\n")
	if len(raw) == 0 {
		return 0
	}
	return raw[0]
}

// abridge shortens data for an error message, at a character boundary.
func abridge(data []byte) string {
	const most = 80
	if len(data) <= most {
		return string(data)
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(data[cut]) {
		cut--
	}
	return string(data[:cut]) + "…"
}

func sortedKeys(m map[string]json.RawMessage) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
