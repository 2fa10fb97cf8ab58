package tokenfile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// unpacked opens a file and unpacks it where its name ends in .gz or .zst: several members or frames are one text.
func unpacked(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	switch {
	case strings.HasSuffix(path, ".zst"), strings.HasSuffix(path, ".zstd"):
		z, err := zstd.NewReader(f, zstd.WithDecoderMaxMemory(1<<30), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
		}
		return closers{z, []func() error{func() error { z.Close(); return nil }, f.Close}}, nil
	case strings.HasSuffix(path, ".gz"):
		z, err := gzip.NewReader(f)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: not gzip: %w", path, err), f.Close())
		}
		return closers{z, []func() error{z.Close, f.Close}}, nil
	}
	return f, nil
}

type closers struct {
	io.Reader
	each []func() error
}

func (c closers) Close() (err error) {
	for _, f := range c.each {
		err = errors.Join(err, f())
	}
	return err
}

// longestLine bounds a line of JSON, so that a file that is none is not read into memory whole.
const longestLine = 1 << 30

// jsonRecords reads lines of ids or of text, told by their members.
func jsonRecords(path string, o Options, emit func(Record) bool) error {
	f, err := unpacked(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<20)
	for number, document, at := 1, 0, int64(0); ; number++ {
		line, err := readLine(r)
		if err != nil && !errors.Is(err, io.EOF) {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				err = fmt.Errorf("cut off: the packed data ends in the middle (%w)", err)
			}
			return fmt.Errorf("%s:%d: %w", path, number, err)
		}
		end, where := err != nil, Place{File: path, Line: number, Byte: at}
		at += int64(len(line))
		if number == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		if len(bytes.TrimSpace(line)) > 0 {
			rec, err := jsonRecord(line, document, where, o)
			if err != nil {
				return err
			}
			document++
			if !emit(rec) {
				return nil
			}
		}
		if end {
			return nil
		}
	}
}

// readLine is a line with its newline, whatever its length.
func readLine(r *bufio.Reader) (line []byte, err error) {
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if err == nil || !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
		if len(line) > longestLine {
			return nil, fmt.Errorf("a line of more than %d bytes", longestLine)
		}
	}
}

func jsonRecord(line []byte, document int, where Place, o Options) (Record, error) {
	if !utf8.Valid(line) {
		return Record{}, fmt.Errorf("%v: not UTF-8", where)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(line, &members); err != nil {
		return Record{}, fmt.Errorf("%v: expected a JSON object: %w", where, err)
	}
	name, isText := pick(o.Field, func(name string) (has, text bool) {
		raw := bytes.TrimSpace(members[name])
		return len(raw) > 0, len(raw) > 0 && raw[0] == '"'
	})
	switch {
	case name == "":
		names := make([]string, 0, len(members))
		for n := range members {
			names = append(names, n)
		}
		slices.Sort(names)
		return Record{}, fmt.Errorf("%v: %w", where, noField(o.Field, names))
	case isText:
		r := Record{IsText: true, Where: where}
		err := json.Unmarshal(members[name], &r.Text)
		return r, err
	}
	var found []int64
	if err := json.Unmarshal(members[name], &found); err != nil {
		return Record{}, fmt.Errorf("%v: %s: expected ids or text: %w", where, name, err)
	}
	return record(found, document, where, o)
}

// pick chooses the field of a record: the one that is asked for, else ids, else text, by the usual names.
func pick(field string, look func(name string) (has, text bool)) (name string, text bool) {
	if field != "" {
		has, text := look(field)
		if !has {
			return "", false
		}
		return field, text
	}
	for _, name := range tokenFields {
		if has, text := look(name); has && !text {
			return name, false
		}
	}
	for _, name := range textFields {
		if has, text := look(name); has && text {
			return name, true
		}
	}
	return "", false
}

func noField(field string, names []string) error {
	if field != "" {
		return fmt.Errorf("has no field %q; it has %s", field, strings.Join(names, ", "))
	}
	return fmt.Errorf("has neither ids (%s) nor text (%s); it has %s: name the one to read with --field", strings.Join(tokenFields, ", "), strings.Join(textFields, ", "), strings.Join(names, ", "))
}
