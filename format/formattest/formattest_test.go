package formattest

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
)

// count is a format: a length, and that many bytes.
func count(file []byte) error {
	if len(file) < 4 {
		return errors.New("cut off")
	}
	n := binary.LittleEndian.Uint32(file)
	if uint64(n) != uint64(len(file)-4) {
		return errors.New("length")
	}
	return nil
}

func sample() []byte { return append([]byte{100, 0, 0, 0}, make([]byte, 100)...) }

func TestASoundParserPasses(t *testing.T) {
	Parser{Parse: count}.Break(t, sample())
}

func TestWhatParsersMustNotDoIsFound(t *testing.T) {
	var keep []byte
	cases := []struct {
		why   string
		parse func([]byte) error
		says  string
	}{
		{"reads past the end", func(file []byte) error { _ = file[binary.LittleEndian.Uint32(file)]; return nil }, "panic"},
		{"believes a length", func(file []byte) error {
			if len(file) < 4 {
				return nil
			}
			keep = make([]byte, min(binary.LittleEndian.Uint32(file), 1<<27))
			return nil
		}, "allocated"},
	}
	for _, c := range cases {
		p := Parser{Parse: c.parse}
		found := ""
		for _, file := range append([][]byte{{}}, slices.Collect(second(fields(sample())))...) {
			if f, ok := p.try(file).(finding); ok {
				found += string(f)
			}
		}
		if !strings.Contains(found, c.says) {
			t.Errorf("a parser that %s: found %q", c.why, found)
		}
	}
	_ = keep
}

func TestNumbersInTextAreReplaced(t *testing.T) {
	got := slices.Collect(second(numbers([]byte(`{"a":12,"b":[3]}`))))
	if len(got) != 8 || string(got[1]) != `{"a":-1,"b":[3]}` || string(got[6]) != `{"a":12,"b":[18446744073709551615]}` {
		t.Errorf("%s", slices.Collect(second(numbers([]byte(`{"a":12,"b":[3]}`)))))
	}
}

func second(pairs func(func(string, []byte) bool)) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		pairs(func(_ string, file []byte) bool { return yield(file) })
	}
}
