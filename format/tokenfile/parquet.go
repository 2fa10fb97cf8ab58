package tokenfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
)

// parquetRecords reads a column of lists of whole numbers, or of text, row group by row group. A row without a value is an empty
// document.
func parquetRecords(path string, o Options, emit func(Record) bool) (err error) {
	defer func() { // the library trusts the file's own counts
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: damaged: %v", path, p)
		}
	}()
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	table, err := parquet.OpenFile(f, info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return fmt.Errorf("%s: %w in %d bytes: cut off, or not Parquet", path, err, info.Size())
	}
	column, isText, err := parquetColumn(table.Schema(), o.Field)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	t := &parquetRows{path: path, isText: isText, Options: o, emit: emit}
	rows := int64(0)
	for _, g := range table.RowGroups() {
		if err := t.chunk(g.ColumnChunks()[column]); err != nil {
			return fmt.Errorf("%s: row %d: %w", path, t.row, err)
		}
		if t.stopped {
			return nil
		}
		if rows += g.NumRows(); int64(t.row) != rows {
			return fmt.Errorf("%s: the column has %d rows, expected %d", path, t.row, rows)
		}
	}
	return nil
}

// parquetColumn is the number of the leaf to read.
func parquetColumn(schema *parquet.Schema, field string) (column int, isText bool, err error) {
	type leaf struct {
		column       int
		ids, isText  bool
		listed, flat bool
	}
	leaves := map[string]leaf{}
	for i, path := range schema.Columns() {
		c, ok := schema.Lookup(path...)
		if !ok {
			continue
		}
		kind := c.Node.Type().Kind()
		l := leaf{column: i, listed: c.MaxRepetitionLevel == 1, flat: len(path) == 1}
		l.ids = l.listed && (kind == parquet.Int32 || kind == parquet.Int64) && !strings.Contains(strings.Join(path[1:], "."), "key")
		l.isText = l.flat && kind == parquet.ByteArray
		if l.ids || l.isText {
			leaves[path[0]] = l
		}
	}
	name, text := pick(field, func(name string) (has, text bool) {
		l, ok := leaves[name]
		return ok, l.isText
	})
	if name == "" {
		var names []string
		for _, f := range schema.Fields() {
			names = append(names, f.Name())
		}
		slices.Sort(names)
		return 0, false, noField(field, names)
	}
	return leaves[name].column, text, nil
}

// parquetRows puts the values of a column together to rows.
type parquetRows struct {
	path   string
	isText bool
	Options
	emit    func(Record) bool
	row     int // rows given
	open    bool
	ids     []int64
	text    string
	stopped bool
}

func (t *parquetRows) chunk(c parquet.ColumnChunk) error {
	pages := c.Pages()
	defer pages.Close()
	values := make([]parquet.Value, 1024)
	for !t.stopped {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		for r := page.Values(); !t.stopped; {
			n, err := r.ReadValues(values)
			for _, v := range values[:n] {
				if err := t.value(v); err != nil {
					return err
				}
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
		}
		parquet.Release(page)
	}
	return t.flush()
}

func (t *parquetRows) value(v parquet.Value) error {
	if v.RepetitionLevel() == 0 {
		if err := t.flush(); err != nil {
			return err
		}
		t.open = true
	}
	switch {
	case v.IsNull():
	case t.isText:
		t.text = string(v.ByteArray())
	case v.Kind() == parquet.Int32:
		t.ids = append(t.ids, int64(v.Int32()))
	default:
		t.ids = append(t.ids, v.Int64())
	}
	return nil
}

// flush gives the row that is complete.
func (t *parquetRows) flush() (err error) {
	if !t.open || t.stopped {
		return nil
	}
	where := Place{File: t.path, Line: t.row + 1}
	r := Record{Text: t.text, IsText: t.isText, Where: where}
	if !t.isText {
		if r, err = record(t.ids, t.row, where, t.Options); err != nil {
			return err
		}
	}
	t.stopped = !t.emit(r)
	t.row++
	t.open, t.ids, t.text = false, t.ids[:0], ""
	return nil
}
