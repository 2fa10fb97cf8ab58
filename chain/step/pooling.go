package step

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"lian/engine"
	"lian/format/gguf"
	"lian/store"
)

// pooling is how the model's files say that hidden rows become the vector of a text: ARCHITECTURE.pooling_type of a GGUF file, or the
// folder 1_Pooling of sentence-transformers; "" where they say nothing.
func (m *Opened) pooling() (engine.Pooling, error) {
	if m.gguf {
		f, err := gguf.Open(m.Path)
		if err != nil {
			return "", err
		}
		defer f.Close()
		architecture, _ := f.String("general.architecture")
		kind, ok := f.Uint(architecture + ".pooling_type")
		if !ok || kind == 0 { // none
			return "", nil
		}
		if p, ok := map[uint64]engine.Pooling{1: engine.PoolMean, 2: engine.PoolFirst, 3: engine.PoolLast}[kind]; ok {
			return p, nil
		}
		return "", fmt.Errorf("%s: %s.pooling_type is %d, expected 1 (mean), 2 (cls) or 3 (last)", m.Path, architecture, kind)
	}
	path, said := filepath.Join(m.Dir(), "1_Pooling", "config.json"), map[string]any{}
	if err := store.ReadJSON(path, &said); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	for key, p := range map[string]engine.Pooling{"pooling_mode_mean_tokens": engine.PoolMean, "pooling_mode_cls_token": engine.PoolFirst,
		"pooling_mode_lasttoken": engine.PoolLast, "pooling_mode_weightedmean_tokens": engine.PoolWeighted} {
		if on, _ := said[key].(bool); on {
			return p, nil
		}
	}
	return "", fmt.Errorf("%s: expected pooling by mean, cls, lasttoken or weightedmean; choose one yourself", path)
}
