package tokenfile

import (
	"fmt"
	"iter"
)

// Record is a document of a file that is read from front to back: ids, or text that has none yet.
type Record struct {
	IDs    []int32
	Text   string
	IsText bool
	Where  Place
}

// Records reads a file of JSON lines, Parquet or MDS from front to back. The first error ends it.
func Records(f File, o Options) iter.Seq2[Record, error] {
	each := func(yield func(Record, error) bool) {
		var err error
		goOn := true
		emit := func(r Record) bool {
			goOn = yield(r, nil)
			return goOn
		}
		switch f.Kind {
		case JSONLines:
			err = jsonRecords(f.Path, o, emit)
		case Parquet:
			err = parquetRecords(f.Path, o, emit)
		case MDS:
			err = mdsRecords(f.Path, o, emit)
		default:
			err = fmt.Errorf("%s: %s is read in place", f.Path, f.Kind)
		}
		if err != nil && goOn {
			yield(Record{}, err)
		}
	}
	return each
}

// record makes a record of stored ids: checked, without end marks.
func record(found []int64, document int, where Place, o Options) (Record, error) {
	if n := len(found); o.End >= 0 && n > 0 && found[0] == int64(o.End) {
		found = found[1:]
	}
	if n := len(found); o.End >= 0 && n > 0 && found[n-1] == int64(o.End) {
		found = found[:n-1]
	}
	r := Record{IDs: make([]int32, len(found)), Where: where}
	for j, id := range found {
		if !o.valid(id) {
			return r, outside(where, document, j, id, o.Vocabulary)
		}
		r.IDs[j] = int32(id)
	}
	return r, nil
}
