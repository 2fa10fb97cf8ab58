package torch

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"
	"strings"
	"testing"
)

// pack makes an archive of entries like PyTorch's, with the given method.
func pack(t *testing.T, method uint16, entries ...[2]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e[0], Method: method}
		var out interface{ Write([]byte) (int, error) }
		var err error
		if method == zip.Store { // sizes in the header, as PyTorch writes them
			h.CRC32, h.CompressedSize64, h.UncompressedSize64 = crc32.ChecksumIEEE([]byte(e[1])), uint64(len(e[1])), uint64(len(e[1]))
			out, err = w.CreateRaw(h)
		} else {
			out, err = w.CreateHeader(h)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := out.Write([]byte(e[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// one is a pickle of a single float32 tensor [1] of storage 0.
const one = "\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01tQK\x00K\x01\x85K\x01\x85\x89NtR."

func TestArchivesAreCheckedByName(t *testing.T) {
	data := [2]string{"a/data/0", "\x00\x00\x80\x3f"}
	pickle := [2]string{"a/data.pkl", one}
	for _, c := range []struct {
		why  string
		file []byte
		says string
	}{
		{"sound", pack(t, zip.Store, pickle, data), ""},
		{"little-endian by name", pack(t, zip.Store, pickle, data, [2]string{"a/byteorder", "little"}), ""},
		{"zip64", zip64(t, pack(t, zip.Store, pickle, data)), ""},
		{"big-endian", pack(t, zip.Store, pickle, data, [2]string{"a/byteorder", "big"}), `byte order is "big"`},
		{"compressed", pack(t, zip.Deflate, pickle, data), `entry "a/data.pkl": is compressed (method 8)`},
		{"a header that is not the directory's", flip(pack(t, zip.Store, pickle, data), 18), "packed size is"},
		{"no storage", pack(t, zip.Store, pickle), "no a/data/0"},
		{"a short storage", pack(t, zip.Store, pickle, [2]string{"a/data/0", "abc"}), "a/data/0 has 3 bytes, data.pkl says 4"},
		{"no pickle", pack(t, zip.Store, data), "not a PyTorch checkpoint"},
		{"two pickles", pack(t, zip.Store, pickle, [2]string{"b/data.pkl", one}), "b/data.pkl"},
		{"an entry twice", pack(t, zip.Store, pickle, pickle), "comes twice"},
		{"TorchScript", pack(t, zip.Store, pickle, [2]string{"a/constants.pkl", ""}), "TorchScript"},
		{"a stride beyond the storage", pack(t, zip.Store, [2]string{"a/data.pkl", strings.Replace(one, "K\x01\x85K\x01\x85", "K\x02\x85K\x01\x85", 1)}, data), "reaches element 1 of storage 0, which has 1"},
		{"an offset beyond it", pack(t, zip.Store, [2]string{"a/data.pkl", strings.Replace(one, "QK\x00", "QK\x01", 1)}, data), "reaches element 1"},
		{"a negative size", pack(t, zip.Store, [2]string{"a/data.pkl", strings.Replace(one, "QK\x00K\x01", "QK\x00J\xff\xff\xff\xff", 1)}, data), "-1 is not a whole number"},
		{"not PyTorch's", []byte("\x80\x02N."), "neither"},
		{"Python's tar", append(make([]byte, 257), "ustar  "...), "tar archive"},
	} {
		content, err := parse(c.file)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.why, err, c.says)
		}
		if err == nil && (len(content.tensors) != 1 || content.tensors[0].info.String() != "tensor f32 [1]") {
			t.Errorf("%s: %v", c.why, content.tensors)
		}
	}
}

// flip changes a byte.
func flip(file []byte, at int) []byte {
	file[at] ^= 1
	return file
}

// zip64 rewrites an archive's end the long way.
func zip64(t *testing.T, file []byte) []byte {
	t.Helper()
	end := bytes.LastIndex(file, []byte(zipEnd))
	count, size, start := le16(file, end+10), le32(file, end+12), le32(file, end+16)
	le := binary.LittleEndian
	out := bytes.Clone(file[:end])
	out = append(out, zip64End...)
	out = le.AppendUint64(out, 44)
	out = append(out, make([]byte, 12)...)
	for _, v := range []int{count, count, size, start} {
		out = le.AppendUint64(out, uint64(v))
	}
	out = append(out, zip64Locator...)
	out = le.AppendUint64(le.AppendUint32(out, 0), uint64(end))
	out = le.AppendUint32(out, 1)
	out = append(out, zipEnd...)
	out = append(out, bytes.Repeat([]byte{0xff}, 16)...)
	return append(out, 0, 0)
}

func TestLegacyFilesAreChecked(t *testing.T) {
	raw, err := os.ReadFile("testdata/legacy.pt")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ why, from, to, says string }{
		{"a big-endian writer", "little_endianq\x02\x88", "little_endianq\x02\x89", "little_endian is false"},
		{"another version", "M\xe9\x03.", "M\xe8\x03.", "version 1000"},
		{"a refused global", "torch\nFloatStorage", "shutil\nrmtree\n....", "shutil.rmtree"},
	} {
		if !bytes.Contains(raw, []byte(c.from)) {
			t.Fatalf("%s: the sample has no %q", c.why, c.from)
		}
		_, err := parse(bytes.Replace(raw, []byte(c.from), []byte(c.to), 1))
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.why, err, c.says)
		}
	}
	if _, err := parse(append(bytes.Clone(raw), 0)); err == nil || !strings.Contains(err.Error(), "follow the last storage") {
		t.Errorf("a file written on: %v", err)
	}
}
