package shard

import (
	"bytes"
	"encoding/binary"
	"errors"
	"iter"
	"lian/format/formattest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func sequence(documents []Document) iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		for _, d := range documents {
			if !yield(d, nil) {
				return
			}
		}
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		vocab := rapid.SampledFrom([]int{1, 300, 1 << 16, 1<<16 + 1, 200000}).Draw(t, "vocab")
		document := rapid.Custom(func(t *rapid.T) Document {
			return Document{
				Tokens:    rapid.SliceOfN(rapid.Int32Range(0, int32(vocab-1)), 0, 20).Draw(t, "tokens"),
				TextBytes: rapid.Int64Range(0, 1<<40).Draw(t, "bytes"),
			}
		})
		documents := rapid.SliceOfN(document, 0, 10).Draw(t, "documents")
		meta := Meta{VocabSize: vocab, TokenizerHash: "abc", Notes: map[string]string{"来源": "测试"}}
		path := filepath.Join(dir, "x.shard")
		if err := Write(path, sequence(documents), meta); err != nil {
			t.Fatal(err)
		}
		r, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if err := r.Verify(); err != nil {
			t.Fatal(err)
		}
		if r.Documents() != len(documents) || r.Meta().Notes["来源"] != "测试" || r.Meta().VocabSize != vocab {
			t.Fatalf("%d documents, %+v", r.Documents(), r.Meta())
		}
		var all []int32
		var text int64
		for i, want := range documents {
			if got := r.Document(i); !slices.Equal(got, want.Tokens) || r.DocumentTextBytes(i) != want.TextBytes {
				t.Fatalf("document %d is %v (%d bytes), want %v", i, got, r.DocumentTextBytes(i), want)
			}
			for p := len(all); p < len(all)+len(want.Tokens); p++ {
				if got := r.DocumentAt(int64(p)); got != i {
					t.Fatalf("token %d is said to be in document %d, want %d", p, got, i)
				}
			}
			all, text = append(all, want.Tokens...), text+want.TextBytes
		}
		if r.Tokens() != int64(len(all)) || r.TextBytes() != text {
			t.Fatalf("%d tokens of %d bytes, want %d of %d", r.Tokens(), r.TextBytes(), len(all), text)
		}
		if len(all) > 2 {
			part := make([]int32, len(all)-2)
			if r.Read(part, 1); !slices.Equal(part, all[1:len(all)-1]) {
				t.Fatalf("tokens across boundaries are %v, want %v", part, all[1:len(all)-1])
			}
		}
	})
}

func TestSameDocumentsGiveTheSameBytes(t *testing.T) {
	dir := t.TempDir()
	var before []byte
	for range 3 {
		path := filepath.Join(dir, "x.shard")
		meta := Meta{VocabSize: 9, TokenizerHash: "h", Notes: map[string]string{"a": "1", "b": "2", "c": "3"}}
		if err := Write(path, sequence([]Document{{[]int32{1, 2}, 5}, {[]int32{8}, 1}}), meta); err != nil {
			t.Fatal(err)
		}
		now, _ := os.ReadFile(path)
		if before != nil && !bytes.Equal(before, now) {
			t.Fatal("bytes differ between two writings")
		}
		before = now
	}
}

func TestWriteRefusesBadInput(t *testing.T) {
	sound := Meta{VocabSize: 4, TokenizerHash: "h"}
	broken := func(yield func(Document, error) bool) { yield(Document{}, errors.New("the source broke")) }
	cases := []struct {
		why       string
		documents iter.Seq2[Document, error]
		meta      Meta
		says      string
	}{
		{"id over the vocabulary", sequence([]Document{{}, {[]int32{3, 4}, 1}}), sound, "document 1: token 1 has id 4"},
		{"negative id", sequence([]Document{{[]int32{-1}, 1}}), sound, "id -1"},
		{"negative text", sequence([]Document{{nil, -1}}), sound, "-1 bytes"},
		{"no vocabulary", sequence(nil), Meta{TokenizerHash: "h"}, "vocabulary"},
		{"no tokenizer", sequence(nil), Meta{VocabSize: 4}, "tokenizer"},
		{"source error", broken, sound, "the source broke"},
	}
	for _, c := range cases {
		dir := t.TempDir()
		err := Write(filepath.Join(dir, "x.shard"), c.documents, c.meta)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.why, err)
		}
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("%s: left %v behind", c.why, left)
		}
	}
}

// TestEveryFlippedBitIsSeen flips each bit of a small shard: Open or Verify must
// notice, whichever it is.
func TestEveryFlippedBitIsSeen(t *testing.T) {
	sound := example(t)
	path := filepath.Join(t.TempDir(), "x.shard")
	for bit := range 8 * len(sound) {
		raw := bytes.Clone(sound)
		raw[bit/8] ^= 1 << (bit % 8)
		r, err := parse(raw)
		if err != nil {
			continue
		}
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		if r, err = Open(path); err != nil {
			t.Fatal(err)
		}
		err = r.Verify()
		r.Close()
		if err == nil {
			t.Errorf("bit %d of byte %d is not noticed", bit%8, bit/8)
		}
	}
	for n := range sound {
		if _, err := parse(sound[:n]); err == nil {
			t.Errorf("cut to %d bytes, it opens", n)
		}
	}
	if _, err := parse(append(bytes.Clone(sound), 0)); err == nil {
		t.Error("with a byte more, it opens")
	}
}

func example(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.shard")
	if err := Write(path, sequence([]Document{{[]int32{1, 2, 3}, 5}, {nil, 0}, {[]int32{299, 0}, 7}}), Meta{VocabSize: 300, TokenizerHash: "h"}); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// FuzzParse: no bytes make the parser panic, and in what it accepts every
// document can be read. The checksum is made right, or nothing would get past it.
func FuzzParse(f *testing.F) {
	f.Add(example(f))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, raw []byte) {
		raw = bytes.Clone(raw)
		if h, err := decodeHeader(raw); err == nil && h.indexAt <= uint64(len(raw)) {
			binary.LittleEndian.PutUint32(raw[56:], sum(raw, h.indexAt))
		}
		r, err := parse(raw)
		if err != nil {
			return
		}
		for i := range r.Documents() {
			r.Document(i)
			r.DocumentTextBytes(i)
		}
	})
}

// TestBrokenFilesAreErrors also makes the checksum right again after a field was
// changed, so that what the field is for is looked at.
func TestBrokenFilesAreErrors(t *testing.T) {
	raw := example(t)
	formattest.Parser{Parse: func(file []byte) error { _, err := parse(file); return err }, Room: 1 << 20}.Break(t, raw)
	formattest.Parser{Parse: func(file []byte) error {
		if h, err := decodeHeader(file); err == nil && h.indexAt <= uint64(len(file)) {
			binary.LittleEndian.PutUint32(file[56:], sum(file, h.indexAt))
		}
		r, err := parse(file)
		if err != nil {
			return err
		}
		for i := range r.Documents() {
			r.Document(i)
			r.DocumentTextBytes(i)
		}
		return nil
	}, Room: 1 << 20}.Break(t, raw)
}
