package torch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"lian/format/pickle"
)

// entry is a file in a zip archive.
type entry struct {
	from, to int // its bytes, plain
}

// Signatures and sizes of zip's records. Source: PKWARE APPNOTE 4.3.
const (
	zipLocal, zipLocalSize         = "PK\x03\x04", 30
	zipCentral, zipCentralSize     = "PK\x01\x02", 46
	zipEnd, zipEndSize             = "PK\x05\x06", 22
	zip64End, zip64EndSize         = "PK\x06\x06", 56
	zip64Locator, zip64LocatorSize = "PK\x06\x07", 20

	costEntry = 160 // of memory for an entry of the directory
)

// isZip reports whether a file starts as an archive does.
func isZip(file []byte) bool { return bytes.HasPrefix(file, []byte(zipLocal)) }

// readZip lists an archive's entries. PyTorch's archives are plain: whatever is
// compressed, encrypted or spread over disks is refused.
func readZip(file []byte, budget *pickle.Budget) (map[string]entry, error) {
	at, count, err := findDirectory(file)
	if err != nil {
		return nil, err
	}
	entries := map[string]entry{}
	for i := range count {
		if len(file)-at < zipCentralSize || string(file[at:at+4]) != zipCentral {
			return nil, fmt.Errorf("at byte %d: the archive's directory ends after %d of %d entries: cut off, or not sound", at, i, count)
		}
		record := file[at:]
		nameLength, extraLength, commentLength := le16(record, 28), le16(record, 30), le16(record, 32)
		length := zipCentralSize + nameLength + extraLength + commentLength
		if length > len(record) {
			return nil, fmt.Errorf("at byte %d: an entry of the archive's directory is cut off", at)
		}
		if err := budget.Take(costEntry + nameLength); err != nil {
			return nil, fmt.Errorf("the archive's directory %w", err)
		}
		name := string(record[zipCentralSize : zipCentralSize+nameLength])
		if _, ok := entries[name]; ok {
			return nil, fmt.Errorf("entry %q comes twice in the archive", name)
		}
		e, err := readEntry(file, record[:zipCentralSize], record[zipCentralSize+nameLength:][:extraLength])
		if err != nil {
			return nil, fmt.Errorf("entry %q: %w", name, err)
		}
		entries[name] = e
		at += length
	}
	return entries, nil
}

// findDirectory returns where the central directory starts and how many entries it has.
func findDirectory(file []byte) (at int, count uint64, err error) {
	tail := max(0, len(file)-zipEndSize-0xffff) // a comment of up to 64 KiB may follow
	end := bytes.LastIndex(file[tail:], []byte(zipEnd))
	if end < 0 || len(file)-tail-end < zipEndSize {
		return 0, 0, errors.New("the archive has no directory at its end: cut off (a download that broke?), or not sound")
	}
	end += tail
	record := file[end:]
	count, start := uint64(le16(record, 10)), uint64(le32(record, 16))
	if count == 0xffff || start == 0xffffffff || le32(record, 12) == 0xffffffff {
		locator := end - zip64LocatorSize
		if locator < 0 || string(file[locator:locator+4]) != zip64Locator {
			return 0, 0, errors.New("the archive's end says zip64 and has no such record")
		}
		where := binary.LittleEndian.Uint64(file[locator+8:])
		if where > uint64(locator) || uint64(locator)-where < zip64EndSize || string(file[where:where+4]) != zip64End {
			return 0, 0, fmt.Errorf("the archive's zip64 record is not at byte %d", where)
		}
		record = file[where:]
		count, start = binary.LittleEndian.Uint64(record[32:]), binary.LittleEndian.Uint64(record[48:])
	}
	if start > uint64(end) || count > uint64(end)/zipCentralSize {
		return 0, 0, fmt.Errorf("a directory of %d entries at byte %d does not fit in an archive of %d bytes: cut off, or not sound", count, start, len(file))
	}
	return int(start), count, nil
}

// readEntry reads one record of the directory and finds its bytes.
func readEntry(file, record, extra []byte) (entry, error) {
	flags, method := le16(record, 8), le16(record, 10)
	packed, size, offset := uint64(le32(record, 20)), uint64(le32(record, 24)), uint64(le32(record, 42))
	for len(extra) >= 4 {
		id, n := le16(extra, 0), le16(extra, 2)
		if n > len(extra)-4 {
			break // PyTorch's padding need not be a whole field
		}
		if field := extra[4 : 4+n]; id == 1 { // zip64: what did not fit, in this order
			for _, v := range []*uint64{&size, &packed, &offset} {
				if *v == 0xffffffff && len(field) >= 8 {
					*v, field = binary.LittleEndian.Uint64(field), field[8:]
				}
			}
		}
		extra = extra[4+n:]
	}
	switch {
	case flags&1 != 0:
		return entry{}, errors.New("is encrypted")
	case method != 0:
		return entry{}, fmt.Errorf("is compressed (method %d); PyTorch stores archives plain, and so they are read: unpack it and pack it again without compression (zip -0)", method)
	case packed != size:
		return entry{}, fmt.Errorf("has %d bytes stored as %d", size, packed)
	case offset > uint64(len(file)) || uint64(len(file))-offset < zipLocalSize || string(file[offset:offset+4]) != zipLocal:
		return entry{}, fmt.Errorf("does not start at byte %d, as the directory says: cut off, or not sound", offset)
	}
	local := file[offset:]
	const streamed = 8 // sizes and checksum come behind the data, the directory has them too
	for _, f := range []struct {
		name             string
		here, there, any int
	}{{"method", le16(local, 8), method, -1}, {"checksum", le32(local, 14), le32(record, 16), 0}, {"packed size", le32(local, 18), le32(record, 20), 0xffffffff}, {"size", le32(local, 22), le32(record, 24), 0xffffffff}, {"name's length", le16(local, 26), le16(record, 28), -1}} {
		if f.here != f.there && !(f.here == f.any || f.there == f.any) && !(flags&streamed != 0 && f.here == 0) {
			return entry{}, fmt.Errorf("its %s is %d at byte %d and %d in the directory: not sound", f.name, f.here, offset, f.there)
		}
	}
	from := offset + zipLocalSize + uint64(le16(local, 26)) + uint64(le16(local, 28))
	if from > uint64(len(file)) || size > uint64(len(file))-from {
		return entry{}, fmt.Errorf("%d bytes from byte %d do not lie in a file of %d: cut off, or not sound", size, from, len(file))
	}
	return entry{int(from), int(from + size)}, nil
}

func le16(b []byte, at int) int { return int(binary.LittleEndian.Uint16(b[at:])) }
func le32(b []byte, at int) int { return int(binary.LittleEndian.Uint32(b[at:])) }
