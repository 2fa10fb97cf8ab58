package tokenfile

import (
	"encoding/binary"
	"fmt"
	"regexp"
	"strconv"
)

// A .npy file is a magic, a version, the length of a Python literal that describes the array, and the array. Source: numpy,
// lib/format.py.
const npyMagic = "\x93NUMPY"

var npyDescription = regexp.MustCompile(`^\{'descr': '([<|=]?)([iu])([1248])', 'fortran_order': (False|True), 'shape': \((\d+), *2\), *\} *\n?$`)

// pairs reads an array of so many rows of two integers.
func npyPairs(path string, data []byte) (ids, int, error) {
	if len(data) < 12 || string(data[:6]) != npyMagic {
		return ids{}, 0, fmt.Errorf("%s: does not start as a numpy array", path)
	}
	at, length := 10, int(binary.LittleEndian.Uint16(data[8:]))
	if data[6] >= 2 {
		at, length = 12, int(binary.LittleEndian.Uint32(data[8:])&(1<<31-1))
	}
	if length > len(data)-at {
		return ids{}, 0, size(path, int64(at+length), int64(len(data)), "numpy's header")
	}
	m := npyDescription.FindStringSubmatch(string(data[at : at+length]))
	if m == nil || m[4] == "True" {
		return ids{}, 0, fmt.Errorf("%s: is %.120q, expected integers of shape (N, 2) in rows", path, data[at:at+length])
	}
	rows, err := strconv.Atoi(m[5])
	width := int(m[3][0] - '0')
	data = data[at+length:]
	if err != nil || rows > len(data) || int64(rows)*2*int64(width) != int64(len(data)) {
		return ids{}, 0, size(path, int64(at+length)+int64(rows)*2*int64(width), int64(at+length+len(data)), m[5]+" rows of two "+m[2]+m[3])
	}
	return ids{data, element{width, m[2] == "i"}}, rows, nil
}
