package pickle

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

func find(module, name string) (*Global, bool) {
	switch module + "." + name {
	case "collections.OrderedDict":
		return &Global{Name: "collections.OrderedDict", Call: func(args Tuple) (any, error) { return &Dict{Class: "collections.OrderedDict"}, nil }}, true
	case "m.Object":
		return &Global{Name: "m.Object", Call: func(args Tuple) (any, error) { return &Dict{Class: "m.Object", Object: true}, nil }}, true
	case "m.value":
		return &Global{Name: "m.value"}, true
	}
	return nil, false
}

func read(s string) (any, error) {
	v, n, err := Read([]byte(s), Options{Find: find, Budget: &Budget{1 << 20}})
	if err == nil && n != len(s) {
		err = fmt.Errorf("%d bytes were read of %d", n, len(s))
	}
	return v, err
}

func TestValues(t *testing.T) {
	for _, c := range []struct {
		why, pickle string
		want        any
	}{
		{"none", "N.", nil},
		{"protocol 2 true", "\x80\x02\x88.", true},
		{"int32", "J\xfe\xff\xff\xff.", int64(-2)},
		{"bytes 0 and 1", "(K\x01M\x01\x02t.", Tuple{int64(1), int64(513)}},
		{"long of no bytes", "\x8a\x00.", int64(0)},
		{"long, negative", "\x8a\x02\x00\xff.", int64(-256)},
		{"long of 8 bytes", "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f.", int64(1<<63 - 1)},
		{"float", "G\x3f\xf8\x00\x00\x00\x00\x00\x00.", 1.5},
		{"text", "X\x03\x00\x00\x00\xe9\x93\xbe.", "链"},
		{"Python 2's text", "U\x02ab.", "ab"},
		{"Python 2's bytes", "U\x01\xff.", []byte{0xff}},
		{"list", "](K\x01K\x02e.", &List{[]any{int64(1), int64(2)}}},
		{"dict", "}X\x01\x00\x00\x00aK\x01s.", &Dict{Pairs: []Pair{{"a", int64(1)}}}},
		{"dict of marks", "(X\x01\x00\x00\x00aK\x01d.", &Dict{Pairs: []Pair{{"a", int64(1)}}}},
		{"set", "\x8f(K\x01\x90.", &Set{[]any{int64(1)}}},
		{"memo", "]q\x00h\x00\x86.", Tuple{&List{}, &List{}}},
		{"protocol 4 with a frame", "\x80\x04\x95\x04\x00\x00\x00\x00\x00\x00\x00N\x94h\x00.", nil},
		{"an object with a state", "cm\nObject\n)\x81}X\x01\x00\x00\x00aK\x01sb.", &Dict{Class: "m.Object", Object: true, Pairs: []Pair{{"a", int64(1)}}}},
		{"a dict with attributes", "ccollections\nOrderedDict\n)R}b.", &Dict{Class: "collections.OrderedDict", Attributes: &Dict{}}},
		{"a global by the stack", "\x8c\x01m\x8c\x05value\x93.", "m.value"},
	} {
		got, err := read(c.pickle)
		if g, ok := got.(*Global); ok {
			got = g.Name
		}
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %#v, want %#v (%v)", c.why, got, c.want, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct{ why, pickle, says string }{
		{"a global outside the list", "cos\nsystem\n(X\x02\x00\x00\x00lstR.", "at byte 0: global os.system is not on the list"},
		{"a global by the stack", "\x8c\x05posix\x8c\x06system\x93.", "at byte 15: global posix.system is not on the list"},
		{"a text opcode", "I1\n.", "opcode INT is not on the list"},
		{"an instance", "(i__main__\nX\n.", "opcode INST is not on the list"},
		{"an extension", "\x82\x01.", "opcode EXT1 is not on the list"},
		{"keyword arguments", "cm\nObject\n)}\x92.", "opcode NEWOBJ_EX is not on the list"},
		{"an opcode that does not exist", "\xf0.", "opcode 0xf0 is not on the list"},
		{"calling a value", "cm\nvalue\n)R.", "m.value, which is not something to call"},
		{"calling a text", "X\x01\x00\x00\x00a)R.", "str, which is not something to call"},
		{"a state for a list", "]}b.", "BUILD of list"},
		{"a persistent id", "K\x01Q.", "persistent id"},
		{"no end", "N", "ends without STOP"},
		{"nothing", "", "ends without STOP"},
		{"an empty stack", ".", "the stack is empty"},
		{"a mark for a value", "(.", "a mark where"},
		{"no mark", "N]e.", "no mark"},
		{"a memo never filled", "h\x07.", "memo 7"},
		{"a text longer than the file", "X\xff\xff\xff\x7fa.", "bytes expected"},
		{"a text of 2^64 bytes", "\x8d\xff\xff\xff\xff\xff\xff\xff\xffa.", "bytes expected"},
		{"a frame longer than the file", "\x95\xff\xff\xff\xff\xff\xff\xff\xff.", "FRAME"},
		{"text that is none", "X\x01\x00\x00\x00\xff.", "not UTF-8"},
		{"protocol 6", "\x80\x06.", "protocol 6"},
		{"half a pair", "}(K\x01u.", "do not go into dict"},
		{"items into a number", "K\x01(K\x01e.", "do not go into int"},
	} {
		_, err := read(c.pickle)
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "at byte") {
			t.Errorf("%s: %v, want %q", c.why, err, c.says)
		}
	}
}

// TestASmallPickleCannotFillTheMemory: structures that double, and many tiny objects.
func TestASmallPickleCannotFillTheMemory(t *testing.T) {
	doubling := "]q\x00" + strings.Repeat("(h\x00h\x00h\x00h\x00lq\x00", 1000)
	copies := "}q\x00(" + strings.Repeat("NN", 1000) + "u" + strings.Repeat("ccollections\nOrderedDict\nh\x00\x85R", 10000)
	for why, pickle := range map[string]string{"lists": strings.Repeat("]", 1<<20) + ".", "marks": strings.Repeat("(", 1<<20), "memo": "N" + strings.Repeat("\x94", 1<<20), "doubling": doubling + strings.Repeat("0", 1000), "copies": copies} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		budget := &Budget{1 << 20}
		_, _, err := Read([]byte(pickle), Options{Find: find, Budget: budget})
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 6<<20+uint64(len(pickle)) {
			t.Errorf("%s: %d bytes allocated under a budget of 1 MiB", why, took)
		}
		if err == nil {
			t.Errorf("%s: was read", why)
		}
	}
}

// FuzzRead: no bytes make the machine panic.
func FuzzRead(f *testing.F) {
	for _, s := range []string{"N.", "\x80\x02}q\x00(X\x01\x00\x00\x00aK\x01X\x01\x00\x00\x00bG\x3f\xf8\x00\x00\x00\x00\x00\x00u.", "ccollections\nOrderedDict\n)R}b.", "\x80\x04\x95\x04\x00\x00\x00\x00\x00\x00\x00N\x94h\x00.", "cm\nObject\n)\x81}X\x01\x00\x00\x00aK\x01sb.", "](K\x01K\x02e.", "\x8f(K\x01\x90.", "\x8a\x02\x00\xff."} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, n, err := Read(raw, Options{Find: find, Persistent: func(id any) (any, error) { return id, nil }, Budget: &Budget{1 << 20}})
		if err == nil && (n < 1 || n > len(raw)) {
			t.Errorf("%d bytes read of %d", n, len(raw))
		}
	})
}
