// Package formattest breaks files on purpose and watches what their parsers do.
//
// It guarantees that a parser that passes Break gives an error, never a panic, for
// a sample cut off at every 64th byte, and an error or an answer for one whose
// fields are set to 0, −1 and their maximum; and that no attempt allocates more in
// all than the bytes given to it and a constant. It refuses to pass a sample that
// the parser does not accept whole.
package formattest

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"testing"
)

// Room is the constant: what a parser may allocate beyond the size of what it is
// given, in bytes, everything counted that it ever asked for. Go's tables, maps and
// strings for a file of a few kilobytes fit many times over; a length read from a
// file and believed does not.
const Room = 32 << 20

// Where files are cut and how much of their start is written over.
const (
	cutEvery  = 64
	headerEnd = 1024
	mostCuts  = 4096 // of a large sample, spread evenly over it
)

// Parser is what is tried.
type Parser struct {
	Parse func(file []byte) error
	// Room is the parser's constant where it is not Room.
	Room int64
	// Prefix says that a file which is cut off may be a sound one, as of formats that are
	// lines or text.
	Prefix bool
	// Text says that the sample's numbers are decimal: each in the first KB is set to 0,
	// −1 and the largest of 64 bits, instead of fields of four and eight bytes.
	Text bool
}

// Break tries a sound file and broken forms of it.
func (p Parser) Break(t *testing.T, sample []byte) {
	t.Helper()
	if err := p.try(sample); err != nil {
		t.Fatalf("the sample itself: %v", err)
	}
	step := max(cutEvery, (len(sample)/mostCuts+cutEvery-1)/cutEvery*cutEvery)
	for n := 0; n < len(sample); n += step {
		err := p.try(slices.Clone(sample[:n]))
		if broken, ok := err.(finding); ok {
			t.Errorf("cut off after %d of %d bytes: %v", n, len(sample), broken)
		}
		if err == nil && !p.Prefix {
			t.Errorf("cut off after %d of %d bytes: taken as sound", n, len(sample))
		}
	}
	mutants := fields
	if p.Text {
		mutants = numbers
	}
	for what, file := range mutants(sample) {
		if broken, ok := p.try(file).(finding); ok {
			t.Errorf("%s: %v", what, broken)
		}
	}
}

// finding is what must never happen.
type finding string

func (f finding) Error() string { return string(f) }

// try parses and watches.
func (p Parser) try(file []byte) (err error) {
	room := p.Room
	if room == 0 {
		room = Room
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	func() {
		defer func() {
			if r := recover(); r != nil {
				stack := make([]byte, 4096)
				err = finding(fmt.Sprintf("panic: %v\n%s", r, stack[:runtime.Stack(stack, false)]))
			}
		}()
		err = p.Parse(file)
	}()
	runtime.ReadMemStats(&after)
	if took := int64(after.TotalAlloc - before.TotalAlloc); took > int64(len(file))+room {
		return finding(fmt.Sprintf("%d bytes allocated for %d and %d of room", took, len(file), room))
	}
	return err
}

// fields gives copies in which an aligned field of the first KB, of four or eight
// bytes, is 0, −1 (which is an unsigned field's maximum) or a signed one's maximum.
func fields(sample []byte) func(yield func(string, []byte) bool) {
	return func(yield func(string, []byte) bool) {
		for _, width := range []int{4, 8} {
			for at := 0; at+width <= min(len(sample), headerEnd); at += width {
				for _, v := range []uint64{0, 1<<64 - 1, 1<<(8*width-1) - 1} {
					file := slices.Clone(sample)
					var field [8]byte
					binary.LittleEndian.PutUint64(field[:], v)
					copy(file[at:], field[:width])
					if !yield(fmt.Sprintf("bytes %d to %d set to %#x", at, at+width, v), file) {
						return
					}
				}
			}
		}
	}
}

// numbers gives copies in which a decimal number of the first KB is another.
func numbers(sample []byte) func(yield func(string, []byte) bool) {
	return func(yield func(string, []byte) bool) {
		digit := func(at int) bool { return at < len(sample) && sample[at] >= '0' && sample[at] <= '9' }
		for at := 0; at < min(len(sample), headerEnd); at++ {
			if !digit(at) {
				continue
			}
			end := at
			for digit(end) {
				end++
			}
			for _, v := range []string{"0", "-1", strconv.FormatUint(1<<64-1, 10), strconv.FormatInt(1<<63-1, 10)} {
				file := slices.Concat(sample[:at], []byte(v), sample[end:])
				if !yield(fmt.Sprintf("number %s at byte %d set to %s", sample[at:end], at, v), file) {
					return
				}
			}
			at = end
		}
	}
}
