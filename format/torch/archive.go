package torch

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"lian/format/pickle"
)

// parseArchive reads the container of torch.save since 1.6: a zip with NAME/data.pkl
// and each storage's bytes as NAME/data/KEY.
func parseArchive(file []byte, budget *pickle.Budget) (*content, error) {
	entries, err := readZip(file, budget)
	if err != nil {
		return nil, err
	}
	root, found := "", false
	for name := range entries {
		prefix, ok := strings.CutSuffix(name, "data.pkl")
		if !ok || prefix != "" && strings.IndexByte(prefix, '/') != len(prefix)-1 {
			continue
		}
		if found {
			return nil, fmt.Errorf("the archive has %sdata.pkl and %sdata.pkl; one is expected", min(root, prefix), max(root, prefix))
		}
		root, found = prefix, true
	}
	if !found {
		return nil, errors.New("a zip archive without NAME/data.pkl: not a PyTorch checkpoint")
	}
	if _, ok := entries[root+"constants.pkl"]; ok {
		return nil, errors.New("is a TorchScript program (it has constants.pkl), not a checkpoint; save the model's state dict where it was made")
	}
	if e, ok := entries[root+"byteorder"]; ok {
		if order := string(file[e.from:min(e.to, e.from+16)]); order != "little" {
			return nil, fmt.Errorf("its byte order is %q; Lian reads little-endian files, load and save it on such a machine", order)
		}
	}
	p := entries[root+"data.pkl"]
	storages := storageTable{}
	value, _, err := pickle.Read(file[p.from:p.to], pickle.Options{Find: find, Persistent: storages.persistent, Budget: budget})
	if err != nil {
		return nil, fmt.Errorf("%sdata.pkl (from byte %d of the file): %w", root, p.from, err)
	}
	for key, s := range storages {
		e, ok := entries[root+"data/"+key]
		if !ok {
			return nil, fmt.Errorf("storage %s: the archive has no %sdata/%s", key, root, key)
		}
		if e.to-e.from != s.bytes {
			return nil, fmt.Errorf("storage %s: %sdata/%s has %d bytes, data.pkl says %d", key, root, key, e.to-e.from, s.bytes)
		}
		s.from, s.placed = e.from, true
	}
	return flatten(value, budget)
}

// storageTable are a pickle's storages by key.
type storageTable map[string]*storage

// persistent reads ("storage", class, key, location, elements).
func (table storageTable) persistent(id any) (any, error) {
	t, ok := id.(pickle.Tuple)
	if !ok || len(t) < 5 || t[0] != "storage" {
		return nil, fmt.Errorf("a persistent id that is no storage")
	}
	class, ok1 := t[1].(*pickle.Global)
	key, ok2 := t[2].(string)
	count, ok3 := t[4].(int64)
	if !ok1 || !ok2 || !ok3 {
		return nil, fmt.Errorf("a storage of %s, %s and %s; a class, a text and a number are expected", pickle.TypeName(t[1]), pickle.TypeName(t[2]), pickle.TypeName(t[4]))
	}
	s := &storage{key: key}
	size := 1
	if class.Name != "torch.storage.UntypedStorage" {
		if s.typ, ok = storageTypes[trimTorch(class.Name)]; !ok {
			return nil, fmt.Errorf("storage %s: %s is not a class of storages", key, class.Name)
		}
		size, _ = width(s.typ)
	}
	if count < 0 || count > int64(math.MaxInt/size) {
		return nil, fmt.Errorf("storage %s: %d elements are not possible", key, count)
	}
	s.bytes = int(count) * size
	if known, ok := table[key]; ok {
		if known.bytes != s.bytes {
			return nil, fmt.Errorf("storage %s has %d bytes in one place and %d in another", key, known.bytes, s.bytes)
		}
		if known.typ == s.typ {
			return known, nil
		}
		return &storage{key: key, typ: s.typ, bytes: s.bytes, same: known}, nil // seen as another type
	}
	table[key] = s
	return s, nil
}

func trimTorch(name string) string { return strings.TrimPrefix(name, "torch.") }
