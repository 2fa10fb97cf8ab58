// Package torchtest writes PyTorch checkpoints for tests, as torch.save writes them:
// a pickle and plain storages in a zip archive. Lian itself writes none.
package torchtest

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"math"
	"os"
	"slices"
	"testing"

	"lian/dtype"
	"lian/format"
)

// Write writes a dict, whose values are nil, bool, int, float64, string, []any,
// format.Tensor or such a map, in the order of the keys.
func Write(t testing.TB, path string, dict map[string]any) {
	t.Helper()
	w := writer{}
	w.raw("\x80\x02")
	if err := w.value(dict); err != nil {
		t.Fatal(err)
	}
	w.raw(".")
	var file bytes.Buffer
	archive := zip.NewWriter(&file)
	put := func(name string, data []byte) {
		out, err := archive.CreateRaw(&zip.FileHeader{Name: "archive/" + name, CRC32: crc32.ChecksumIEEE(data), CompressedSize64: uint64(len(data)), UncompressedSize64: uint64(len(data))})
		if err == nil {
			_, err = out.Write(data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	put("data.pkl", w.pickle)
	put("byteorder", []byte("little"))
	for i, s := range w.storages {
		put(fmt.Sprint("data/", i), s)
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

type writer struct {
	pickle   []byte
	storages [][]byte
}

func (w *writer) raw(s string) { w.pickle = append(w.pickle, s...) }

func (w *writer) text(s string) {
	w.pickle = append(binary.LittleEndian.AppendUint32(append(w.pickle, 'X'), uint32(len(s))), s...)
}

func (w *writer) value(v any) error {
	switch v := v.(type) {
	case nil:
		w.raw("N")
	case bool:
		w.raw(map[bool]string{true: "\x88", false: "\x89"}[v])
	case int:
		w.pickle = binary.LittleEndian.AppendUint32(append(w.pickle, 'J'), uint32(int32(v)))
	case float64:
		w.pickle = binary.BigEndian.AppendUint64(append(w.pickle, 'G'), math.Float64bits(v))
	case string:
		w.text(v)
	case []any:
		w.raw("](")
		for _, item := range v {
			if err := w.value(item); err != nil {
				return err
			}
		}
		w.raw("e")
	case map[string]any:
		w.raw("}(")
		for _, key := range slices.Sorted(maps.Keys(v)) {
			w.text(key)
			if err := w.value(v[key]); err != nil {
				return err
			}
		}
		w.raw("u")
	case format.Tensor:
		return w.tensor(v)
	default:
		return fmt.Errorf("torchtest writes no %T", v)
	}
	return nil
}

var classes = map[dtype.Type]string{dtype.F32: "FloatStorage", dtype.F16: "HalfStorage", dtype.BF16: "BFloat16Storage"}

func (w *writer) tensor(t format.Tensor) error {
	class, ok := classes[t.Type]
	if !ok {
		return fmt.Errorf("torchtest writes no tensors of %v", t.Type)
	}
	number := func(n int) { _ = w.value(n) }
	w.raw("ctorch._utils\n_rebuild_tensor_v2\n((")
	w.text("storage")
	w.raw("ctorch\n" + class + "\n")
	w.text(fmt.Sprint(len(w.storages)))
	w.text("cpu")
	number(len(t.Data) / t.Type.BlockBytes())
	w.raw("tQ")
	number(0)
	strides := make([]int, len(t.Shape))
	for i, run := len(t.Shape)-1, 1; i >= 0; i-- {
		strides[i], run = run, run*t.Shape[i]
	}
	for _, list := range [][]int{t.Shape, strides} {
		w.raw("(")
		for _, n := range list {
			number(n)
		}
		w.raw("t")
	}
	w.raw("\x89NtR")
	w.storages = append(w.storages, t.Data)
	return nil
}
