package tokenfile

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"lian/store/atomicfile"
)

// mdsSize is where mosaicml-streaming begins a new shard.
const mdsSize = 64 << 20

// mdsWriter writes a folder of shards with one column, tokens.
type mdsWriter struct {
	dir string
	element
	name    string
	end     int32
	samples [][]byte
	size    int
	shards  []map[string]any
	files   []string
}

func newMDSWriter(dir string, w Writing) (encoder, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	if len(entries) > 0 {
		return nil, fmt.Errorf("%s: holds %s; an MDS folder holds nothing else: name an empty one", dir, entries[0].Name())
	}
	m := &mdsWriter{dir: dir, element: element{4, true}, name: "int32", end: w.End}
	if w.Vocabulary <= 1<<16 {
		m.element, m.name = element{2, false}, "uint16"
	}
	return m, nil
}

func (m *mdsWriter) document(d Document) error {
	ids := d.IDs
	if m.end >= 0 {
		ids = append(ids[:len(ids):len(ids)], m.end)
	}
	if len(ids) == 0 {
		return fmt.Errorf("is empty, and MDS holds no empty array: pass --end to write end marks")
	}
	le := binary.LittleEndian
	var array []byte
	switch n := len(ids); { // one dimension, its size in the smallest type that holds it
	case n < 1<<8:
		array = append(array, 1<<2|0, byte(n))
	case n < 1<<16:
		array = le.AppendUint16(append(array, 1<<2|1), uint16(n))
	default:
		array = le.AppendUint32(append(array, 1<<2|2), uint32(n))
	}
	for _, id := range ids {
		array = m.put(array, id)
	}
	sample := append(le.AppendUint32(nil, uint32(len(array))), array...)
	if m.size+len(sample)+4 > mdsSize && len(m.samples) > 0 {
		if err := m.flush(); err != nil {
			return err
		}
	}
	m.samples, m.size = append(m.samples, sample), m.size+len(sample)+4
	return nil
}

// flush writes a shard.
func (m *mdsWriter) flush() error {
	config, err := json.Marshal(map[string]any{"version": 2, "format": "mds", "compression": nil, "hashes": []string{"sha1"}, "size_limit": mdsSize,
		"column_names": []string{"tokens"}, "column_encodings": []string{"ndarray:" + m.name}, "column_sizes": []any{nil}})
	if err != nil {
		return err
	}
	le, n := binary.LittleEndian, len(m.samples)
	out := le.AppendUint32(nil, uint32(n))
	at := 4 + 4*(n+1) + len(config)
	for _, s := range m.samples {
		out = le.AppendUint32(out, uint32(at))
		at += len(s)
	}
	out = append(append(le.AppendUint32(out, uint32(at)), config...), bytes.Join(m.samples, nil)...)
	name := fmt.Sprintf("shard.%05d.mds", len(m.shards))
	digest := sha1.Sum(out)
	var description map[string]any
	if err := json.Unmarshal(config, &description); err != nil {
		return err
	}
	description["samples"], description["zip_data"] = n, nil
	description["raw_data"] = map[string]any{"basename": name, "bytes": len(out), "hashes": map[string]string{"sha1": hex.EncodeToString(digest[:])}}
	m.shards, m.samples, m.size = append(m.shards, description), nil, 0
	m.files = append(m.files, filepath.Join(m.dir, name))
	return atomicfile.WriteFile(filepath.Join(m.dir, name), out)
}

// commit writes the index, without which the shards are nothing.
func (m *mdsWriter) commit() ([]string, error) {
	if len(m.samples) > 0 {
		if err := m.flush(); err != nil {
			return nil, err
		}
	}
	raw, err := json.Marshal(map[string]any{"version": 2, "shards": m.shards})
	if err != nil {
		return nil, err
	}
	path := filepath.Join(m.dir, "index.json")
	return append(m.files, path), atomicfile.WriteFile(path, raw)
}

// abort removes shards whose index was not written.
func (m *mdsWriter) abort() {
	if _, err := os.Stat(filepath.Join(m.dir, "index.json")); err == nil {
		return
	}
	for _, f := range m.files {
		os.Remove(f)
	}
}
