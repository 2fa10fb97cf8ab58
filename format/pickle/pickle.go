// Package pickle reads Python's pickles as data: the object trees in which
// PyTorch, Lightning and InternEvo keep their checkpoints. Source: CPython
// Lib/pickletools.py, which documents every opcode.
//
// It guarantees that nothing is executed: a global is looked up in a table that
// the caller gives, and what stands there is a Go function of the caller's or
// nothing. Lengths are checked against the bytes that are there before anything
// is allocated, and everything built is charged to a Budget, so that a pickle of
// a few bytes cannot fill the memory. It refuses by name, with the byte at which
// it stands, every opcode and every global that is not on the list: protocol 0's
// text opcodes, extension codes, out-of-band buffers.
package pickle

import (
	"fmt"
	"math/big"
)

// The values that a pickle gives: nil, bool, int64, *big.Int (where an int64 is too
// small), float64, string, []byte, Tuple, *List, *Dict, *Set, *Global, and whatever
// the caller's own functions return.

// Tuple is a Python tuple.
type Tuple []any

// List is a Python list. It is a pointer because a pickle may refer to it before
// it is full.
type List struct{ Items []any }

// Set is a Python set or frozenset.
type Set struct{ Items []any }

// Dict is a Python dict or one of its relatives, in the file's order. A key that
// was set twice is there twice.
type Dict struct {
	Class string // "" is dict itself
	Pairs []Pair
	// Attributes is the state that BUILD gave to an object that is a dict as well (the
	// _metadata of a state dict). Objects without a dict's nature have it in Pairs.
	Attributes any
	// Object marks an object whose attributes are Pairs (argparse.Namespace).
	Object bool
}

// Pair is one entry of a Dict.
type Pair struct{ Key, Value any }

// Stateful is a value of the caller's own that takes what BUILD gives it.
type Stateful interface{ SetState(state any) error }

// Get returns the last value of a text key.
func (d *Dict) Get(key string) (any, bool) {
	for i := len(d.Pairs) - 1; i >= 0; i-- {
		if k, ok := d.Pairs[i].Key.(string); ok && k == key {
			return d.Pairs[i].Value, true
		}
	}
	return nil, false
}

// Global is a name that a pickle may use.
type Global struct {
	Name string // "collections.OrderedDict"
	// Call makes what Python would make of the arguments. A global without it is only a
	// value, such as torch.float32.
	Call func(args Tuple) (any, error)
}

// Options say what a pickle may refer to.
type Options struct {
	// Find returns the global of a module and a name, or false to refuse it.
	Find func(module, name string) (*Global, bool)
	// Persistent returns the object outside the pickle that an identity stands for; nil
	// refuses them all.
	Persistent func(id any) (any, error)
	// Budget bounds what is built. It must not be nil.
	Budget *Budget
}

// Budget is how many bytes may still be taken for what a file describes.
type Budget struct{ Left int64 }

// Take uses n bytes up.
func (b *Budget) Take(n int) error {
	if b.Left -= int64(n); b.Left < 0 {
		return fmt.Errorf("describes more objects than a checkpoint of its size needs; it is not sound, or made to fill the memory")
	}
	return nil
}

// TypeName says what a value is, in Python's words.
func TypeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		return "bool"
	case int64, *big.Int:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case []byte:
		return "bytes"
	case Tuple:
		return "tuple"
	case *List:
		return "list"
	case *Set:
		return "set"
	case *Dict:
		if v.Class != "" {
			return v.Class
		}
		return "dict"
	case *Global:
		return v.Name
	}
	if s, ok := v.(fmt.Stringer); ok {
		return s.String()
	}
	return fmt.Sprintf("%T", v)
}
