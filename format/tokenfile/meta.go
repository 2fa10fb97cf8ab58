package tokenfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"lian/format/pickle"
)

// MetaVocabulary is the size of the vocabulary that nanoGPT's meta.pkl beside a file says; 0 where there is none. The pickle is read as
// data: whatever would have to be executed makes it an error.
func MetaVocabulary(path string) (int, error) {
	meta := filepath.Join(filepath.Dir(path), "meta.pkl")
	raw, err := os.ReadFile(meta)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	v, _, err := pickle.Read(raw, pickle.Options{
		Find:   func(module, name string) (*pickle.Global, bool) { return nil, false },
		Budget: &pickle.Budget{Left: 64 << 20},
	})
	if err != nil {
		return 0, fmt.Errorf("%s: %w; say the size of the vocabulary with --vocabulary and move the file away", meta, err)
	}
	d, ok := v.(*pickle.Dict)
	if !ok {
		return 0, fmt.Errorf("%s: holds %s, expected a dict with vocab_size", meta, pickle.TypeName(v))
	}
	size, _ := d.Get("vocab_size")
	n, ok := size.(int64)
	if !ok || n < 1 || n > 1<<16 {
		return 0, fmt.Errorf("%s: vocab_size is %v, expected 1 to 65536", meta, size)
	}
	return int(n), nil
}

// End is the mark that a reader found between its documents, None where there is none or where they have an index.
func End(r Reader) int32 {
	if f, ok := r.(*flat); ok && f.ends {
		return f.Options.End
	}
	return None
}
