package tokenfile

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
)

// Documents and tokens of each that a fingerprint looks at.
const (
	sampledDocuments = 1024
	sampledTokens    = 256
)

// Fingerprint tells data from other data: 16 hexadecimal digits that come of what is in the files, not of where they lie or when they were
// written. Shards say what is in them by their checksums; of others the lengths of all documents count, and the ids at the beginning and in the
// middle of up to 1024 of them, so that it takes no longer for a terabyte.
func Fingerprint(r Reader) (string, error) {
	h := sha256.New()
	if err := fingerprint(h, r); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)[:8]), nil
}

func fingerprint(h hash.Hash, r Reader) error {
	number := func(n int) { h.Write(binary.LittleEndian.AppendUint64(nil, uint64(n))) }
	if j, ok := r.(joined); ok {
		for _, part := range j.readers {
			if err := fingerprint(h, part); err != nil {
				return err
			}
		}
		return nil
	}
	n := r.Documents()
	number(n)
	if s, ok := Shard(r); ok {
		index, tokens := s.Checksums()
		number(int(index))
		number(int(tokens))
		return nil
	}
	for i := range n {
		number(r.Length(i))
	}
	for k := range min(n, sampledDocuments) {
		i := k * n / min(n, sampledDocuments)
		length := r.Length(i)
		for _, from := range []int{0, length / 2} {
			t, err := r.Read(i, from, min(sampledTokens, length-from))
			if err != nil {
				return err
			}
			for _, id := range t.IDs {
				number(int(id))
			}
		}
	}
	return nil
}
