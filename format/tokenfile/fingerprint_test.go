package tokenfile

import (
	"path/filepath"
	"testing"

	"lian/format/shard"
)

// TestOtherTextOfTheSameLengthIsOtherData: and the same text is the same data wherever it lies, alone or beside other files.
func TestOtherTextOfTheSameLengthIsOtherData(t *testing.T) {
	of := func(kind Kind, ids ...int32) Reader {
		t.Helper()
		path := filepath.Join(t.TempDir(), "train.bin")
		each := func(yield func(Document, error) bool) {
			yield(Document{Tokens: Tokens{IDs: ids}, TextBytes: 4}, nil)
		}
		if kind == Lian {
			path = filepath.Join(t.TempDir(), "train.shard")
		}
		if _, err := Write(kind, path, each, Writing{Vocabulary: 100, End: 0, Tokenizer: "t"}); err != nil {
			t.Fatal(err)
		}
		r, err := Open(File{Path: path, Kind: kind}, Options{Vocabulary: 100, End: 0})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		return r
	}
	print := func(r Reader) string {
		t.Helper()
		s, err := Fingerprint(r)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, kind := range []Kind{Lian, NanoGPT} {
		a, again, b := print(of(kind, 1, 2, 3, 4)), print(of(kind, 1, 2, 3, 4)), print(of(kind, 1, 2, 4, 3))
		if a != again || a == b || len(a) != 16 {
			t.Errorf("%s: %s, the same once more %s, other ids %s", kind, a, again, b)
		}
		if x, y := print(Join(of(kind, 1, 2), of(kind, 3, 4))), print(Join(of(kind, 1, 2), of(kind, 4, 3))); x == y {
			t.Errorf("%s: joined files with other ids have one fingerprint %s", kind, x)
		}
	}
	if _, ok := Shard(of(Lian, 1)); !ok {
		t.Errorf("a %T is no shard", (*shard.Reader)(nil))
	}
}
