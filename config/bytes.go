package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Bytes is a number of bytes, written as people do: 5GB, 500M, 1.5GiB, 4096. Where nothing else is said, K, M, G and T are
// thousands, as in the shards of Hugging Face and llama.cpp.
type Bytes int64

var byteUnits = []struct {
	name string
	size float64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3},
	{"T", 1e12}, {"G", 1e9}, {"M", 1e6}, {"K", 1e3}, {"B", 1}, {"", 1},
}

// UnmarshalText reads a size.
func (b *Bytes) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	for _, u := range byteUnits {
		if len(s) < len(u.name) || !strings.EqualFold(s[len(s)-len(u.name):], u.name) {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(s[:len(s)-len(u.name)]), 64)
		if err != nil || n < 0 || n*u.size >= 1<<63 || n != n {
			break
		}
		*b = Bytes(n * u.size)
		return nil
	}
	return fmt.Errorf("%q is no size; expected a number of bytes such as 5GB, 500M or 1.5GiB", s)
}

// MarshalText writes a size with the largest unit that it is a whole number of.
func (b Bytes) MarshalText() ([]byte, error) {
	for _, u := range byteUnits {
		if size := Bytes(u.size); len(u.name) > 1 && b >= size && b%size == 0 {
			return []byte(strconv.FormatInt(int64(b/size), 10) + u.name), nil
		}
	}
	return []byte(strconv.FormatInt(int64(b), 10)), nil
}
