package tfevents

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// castagnoli is the polynomial of CRC-32C.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// masked is a CRC-32C turned, so that the checksum of data that holds checksums does not vanish.
func masked(data []byte) uint32 {
	sum := crc32.Checksum(data, castagnoli)
	return (sum>>15 | sum<<17) + 0xa282ead8
}

// appendRecord adds length, checksum of the length, data, checksum of the data.
func appendRecord(to, data []byte) []byte {
	at := len(to)
	to = binary.LittleEndian.AppendUint64(to, uint64(len(data)))
	to = binary.LittleEndian.AppendUint32(to, masked(to[at:]))
	to = append(to, data...)
	return binary.LittleEndian.AppendUint32(to, masked(data))
}

// longest is the most bytes of a record that is believed.
const longest = 1 << 30

// ErrCut is wrapped by the error of a file that ends within a record: its writer is at work, or was killed.
var ErrCut = errors.New("the file ends within a record")

// readRecord reads one record; io.EOF where the file ends before it.
func readRecord(r io.Reader) ([]byte, error) {
	var head [12]byte
	if n, err := io.ReadFull(r, head[:]); err != nil {
		if n == 0 && err == io.EOF {
			return nil, io.EOF
		}
		return nil, cut(err)
	}
	if sum := binary.LittleEndian.Uint32(head[8:]); sum != masked(head[:8]) {
		return nil, fmt.Errorf("checksum of the length is %08x, expected %08x; not an event file, or damaged", sum, masked(head[:8]))
	}
	n := binary.LittleEndian.Uint64(head[:])
	if n > longest {
		return nil, fmt.Errorf("a record of %d bytes, expected at most %d", n, longest)
	}
	data, err := io.ReadAll(io.LimitReader(r, int64(n)+4)) // grows with what is there, not with what is said
	if err != nil {
		return nil, err
	}
	if uint64(len(data)) != n+4 {
		return nil, ErrCut
	}
	sum := binary.LittleEndian.Uint32(data[n:])
	if data = data[:n]; sum != masked(data) {
		return nil, fmt.Errorf("checksum of a record is %08x, expected %08x; the file is damaged", sum, masked(data))
	}
	return data, nil
}

func cut(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrCut
	}
	return err
}
