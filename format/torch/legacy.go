package torch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"

	"lian/format/pickle"
)

// legacyMagic is the first pickle of a file from before PyTorch 1.6.
var legacyMagic, _ = new(big.Int).SetString("1950a86a20f9469cfc6c", 16)

// legacyNumber is that pickle's end: LONG1, the number, STOP. Before it stand the
// protocol and, from protocol 4 on, a frame.
const legacyNumber = "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."

// IsLegacy reports whether a file starts as one from before PyTorch 1.6 does.
func IsLegacy(head []byte) bool {
	return len(head) > 0 && head[0] == 0x80 && strings.Contains(string(head[:min(len(head), 32)]), legacyNumber)
}

// legacyProtocol is the one version there ever was.
const legacyProtocol = 1001

// parseLegacy reads the container before PyTorch 1.6: pickles of a magic number, a
// version, the writer's machine, the object and the storages' keys, then for each
// key the number of elements (int64) and the elements.
func parseLegacy(file []byte, budget *pickle.Budget) (*content, error) {
	storages := legacyStorages{storageTable{}}
	at := 0
	next := func(what string) (any, error) {
		v, n, err := pickle.Read(file[at:], pickle.Options{Find: find, Persistent: storages.persistent, Budget: budget})
		if err != nil {
			return nil, fmt.Errorf("%s (from byte %d of the file): %w", what, at, err)
		}
		at += n
		return v, nil
	}
	magic, err := next("magic number")
	if err != nil {
		return nil, err
	}
	if n, ok := magic.(*big.Int); !ok || n.Cmp(legacyMagic) != 0 {
		return nil, errors.New("a pickle, but not PyTorch's: it does not begin with PyTorch's number")
	}
	version, err := next("version")
	if err != nil {
		return nil, err
	}
	if version != int64(legacyProtocol) {
		return nil, fmt.Errorf("version %v of PyTorch's container; %d is known", version, legacyProtocol)
	}
	machine, err := next("writer's machine")
	if err != nil {
		return nil, err
	}
	d, ok := machine.(*pickle.Dict)
	if !ok {
		return nil, fmt.Errorf("the writer's machine is described by %s, a dict is expected", pickle.TypeName(machine))
	}
	if little, ok := d.Get("little_endian"); !ok || little != true {
		return nil, fmt.Errorf("little_endian is %v; Lian reads little-endian files, load and save it on such a machine", little)
	}
	value, err := next("checkpoint")
	if err != nil {
		return nil, err
	}
	keys, err := next("storage keys")
	if err != nil {
		return nil, err
	}
	list, ok := keys.(*pickle.List)
	if !ok {
		return nil, fmt.Errorf("storage keys are %s, a list is expected", pickle.TypeName(keys))
	}
	if err := storages.place(file, at, list.Items); err != nil {
		return nil, err
	}
	out, err := flatten(value, budget)
	if err == nil {
		out.legacy = true
	}
	return out, err
}

// legacyStorages are storages of which early versions wrote parts as storages, too.
type legacyStorages struct{ table storageTable }

// persistent reads ("storage", class, key, location, elements, view), where view is
// None or (key, offset, elements): then the storage is a part of the one named.
func (l legacyStorages) persistent(id any) (any, error) {
	v, err := l.table.persistent(id)
	if err != nil {
		return nil, err
	}
	t, whole := id.(pickle.Tuple), v.(*storage)
	if len(t) < 6 || t[5] == nil {
		return whole, nil
	}
	view, ok := t[5].(pickle.Tuple)
	if !ok || len(view) != 3 {
		return nil, fmt.Errorf("storage %s: a view of %s, a tuple of three is expected", whole.key, pickle.TypeName(t[5]))
	}
	offset, ok1 := view[1].(int64)
	count, ok2 := view[2].(int64)
	size := 1
	if whole.typ != "" {
		size, _ = width(whole.typ)
	}
	if !ok1 || !ok2 || offset < 0 || count < 0 || offset > int64(whole.bytes/size) || count > int64(whole.bytes/size)-offset {
		return nil, fmt.Errorf("storage %s: a view of %v elements from %v does not lie in %d bytes", whole.key, view[2], view[1], whole.bytes)
	}
	return &storage{key: whole.key, typ: whole.typ, bytes: int(count) * size, same: whole, offset: int(offset) * size}, nil
}

// place finds the storages' bytes, which lie one after another in the order of keys.
func (l legacyStorages) place(file []byte, at int, keys []any) error {
	for _, k := range keys {
		key, ok := k.(string)
		if !ok {
			return fmt.Errorf("a storage key is %s, a text is expected", pickle.TypeName(k))
		}
		s, ok := l.table[key]
		if !ok {
			return fmt.Errorf("storage %s is in the file and no tensor is a view of it", key)
		}
		if s.placed {
			return fmt.Errorf("storage %s comes twice", key)
		}
		if len(file)-at < 8 {
			return fmt.Errorf("storage %s: the file ends at byte %d before it: cut off", key, at)
		}
		count := binary.LittleEndian.Uint64(file[at:])
		at += 8
		size := 1
		if s.typ != "" {
			size, _ = width(s.typ)
		}
		if count > math.MaxInt64 || count != uint64(s.bytes/size) {
			return fmt.Errorf("storage %s: %d elements at byte %d, the pickle says %d", key, count, at-8, s.bytes/size)
		}
		if s.bytes > len(file)-at {
			return fmt.Errorf("storage %s: %d bytes from byte %d do not lie in a file of %d: cut off", key, s.bytes, at, len(file))
		}
		s.from, s.placed = at, true
		at += s.bytes
	}
	for key, s := range l.table {
		if !s.placed {
			return fmt.Errorf("storage %s is not in the file", key)
		}
	}
	if at != len(file) {
		return fmt.Errorf("%d bytes follow the last storage, which ends at byte %d", len(file)-at, at)
	}
	return nil
}
