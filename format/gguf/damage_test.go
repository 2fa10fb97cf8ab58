package gguf

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"lian/dtype"
	"lian/verify/shared"
)

// damaged are the files whose every part is broken below: one of each version.
func damaged(t *testing.T) map[string][]byte {
	dir := t.TempDir()
	out := map[string][]byte{}
	for _, version := range []int{2, 3} {
		path := filepath.Join(dir, "x.gguf")
		if _, err := Write(path, everything, someTensors(), Options{Version: version}); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out["version "+string(rune('0'+version))] = raw
	}
	raw, err := os.ReadFile(shared.Path(t, "testdata", "models", "stories260k", "tinyllamas-stories-260k-f32.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	out["version 1"] = raw
	return out
}

// allocated is what f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestNoCutFileOpens(t *testing.T) {
	for name, raw := range damaged(t) {
		for at := 0; at < len(raw); at += 64 {
			var err error
			took := allocated(func() { _, err = parse(raw[:at:at]) })
			if err == nil {
				t.Errorf("%s: opened, cut at byte %d of %d", name, at, len(raw))
			}
			if took > uint64(len(raw))+1<<20 {
				t.Errorf("%s cut at byte %d: took %d bytes of memory", name, at, took)
			}
		}
	}
}

// TestNoNumberOfAHeaderCanDoHarm sets every word of headers to what breaks readers.
func TestNoNumberOfAHeaderCanDoHarm(t *testing.T) {
	for name, raw := range damaged(t) {
		c, err := parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		end := len(raw)
		for _, p := range c.tensors {
			end = min(end, p.from)
		}
		broken := append([]byte{}, raw...)
		for at := 4; at+8 <= end; at++ {
			copy(broken, raw[:at])
			for _, n := range []uint64{0, math.MaxUint64, math.MaxInt64, math.MaxInt64 + 1, 1 << 32, 1 << 40} {
				for _, width := range []int{4, 8} {
					if name == "version 1" && at%37 != 0 { // it is long
						continue
					}
					copy(broken[at:at+8], raw[at:])
					if width == 4 {
						binary.LittleEndian.PutUint32(broken[at:], uint32(n))
					} else {
						binary.LittleEndian.PutUint64(broken[at:], n)
					}
					var c *content
					took := allocated(func() { c, err = parse(broken) })
					if took > uint64(len(raw))+1<<20 {
						t.Errorf("%s with %#x at byte %d: took %d bytes of memory", name, n, at, took)
					}
					if err != nil {
						continue
					}
					for _, p := range c.tensors {
						if size, err := dtype.TensorBytes(p.info.Type, p.info.Shape); err != nil || len(broken[p.from:p.to]) != size {
							t.Errorf("%s with %#x at byte %d: %v has bytes %d to %d", name, n, at, p.info, p.from, p.to)
						}
					}
				}
			}
		}
	}
}

// TestCountsAndLengthsAreHeld: a file whose counts, lengths, dimensions, types or
// offsets were changed is refused, not read as another model.
func TestCountsAndLengthsAreHeld(t *testing.T) {
	body := func(r raw) raw { return r.zeros(align(len(r), 32) - len(r)).zeros(64) }
	build := func(tensors, keys, key, text, array, name, dims, ne, typ, offset uint64) raw {
		r := raw("GGUF").u32(3).u64(tensors).u64(keys)
		r = append(r.u64(key), "general.name"...).u32(kindString)
		r = append(r.u64(text), "链 and more"...)
		r = r.str("list").u32(kindArray).u32(kindUint32).u64(array).zeros(12)
		r = append(r.u64(name), "weight"...).u32(uint32(dims)).u64(ne).u64(4).u32(uint32(typ)).u64(offset)
		return body(r)
	}
	sound := []uint64{1, 2, 12, 12, 3, 6, 2, 4, 0, 0}
	make := func(v []uint64) raw { return build(v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9]) }
	if _, err := parse(make(sound)); err != nil {
		t.Fatal(err)
	}
	for field := range sound {
		for _, n := range []uint64{0, math.MaxUint64, math.MaxUint32, math.MaxInt64, math.MaxInt32} {
			changed := append([]uint64{}, sound...)
			if changed[field] = n; changed[field] == sound[field] {
				continue
			}
			if _, err := parse(make(changed)); err == nil {
				t.Errorf("field %d is %#x, and the file opens", field, n)
			}
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	path := shared.Path(b, "testdata", "models", "smollm2-135m-instruct-q4_1.gguf")
	for b.Loop() {
		f, err := Open(path)
		if err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
}

func BenchmarkTexts(b *testing.B) {
	f, err := Open(shared.Path(b, "testdata", "models", "smollm2-135m-instruct-q4_1.gguf"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	for b.Loop() {
		f.Strings("tokenizer.ggml.tokens")
	}
}
