package llama2c

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
)

// magic is "ak42" read as a little-endian number.
const magic = 0x616b3432

// Sizes of the two headers.
const (
	legacyHeader = 7 * 4
	header       = 256
)

// limit bounds each of the header's sizes, so that products cannot overflow;
// mostLayers the number of layers, so that their names cannot fill the memory.
const (
	limit      = 1 << 24
	mostLayers = 1 << 12
)

// parse reads a whole file's header and finds its tensors. Its errors do not name
// the file.
func parse(file []byte) (Config, []place, error) {
	c, err := readHeader(file)
	if err != nil {
		return c, nil, err
	}
	if err := c.check(len(file)); err != nil {
		return c, nil, err
	}
	var places []place
	at := c.HeaderBytes
	put := func(p piece, layer int) {
		place := place{info: p.info(layer), from: at}
		if c.quantized(p) {
			place.scales = at + p.rows*p.columns
		}
		if p.name != rotaryCos && p.name != rotarySin { // tables that the position gives
			places = append(places, place)
		}
		at += c.bytes(p)
	}
	for _, p := range c.pieces() {
		if !p.layered() {
			put(p, -1)
			continue
		}
		for layer := range c.Layers {
			put(p, layer)
		}
	}
	return c, places, nil
}

func (p piece) layered() bool { return strings.Contains(p.name, "%d") }

func readHeader(file []byte) (Config, error) {
	var c Config
	if len(file) < legacyHeader {
		return c, fmt.Errorf("%d bytes are too few for a llama2.c model, whose header alone has %d", len(file), legacyHeader)
	}
	le := binary.LittleEndian
	number := func(at int) int { return int(int32(le.Uint32(file[at:]))) }
	at := 0
	if le.Uint32(file) == magic {
		if len(file) < header {
			return c, fmt.Errorf("%d bytes are too few for a llama2.c model, whose header has %d", len(file), header)
		}
		c.Version, c.HeaderBytes, at = number(4), header, 8
		if c.Version != 1 && c.Version != 2 {
			return c, fmt.Errorf("version %d of llama2.c's format; 1 and 2 and the first without a number are known", c.Version)
		}
		if file[36] > 1 {
			return c, fmt.Errorf("the flag of a shared classifier is %d; 0 and 1 are allowed", file[36])
		}
		c.Tied = file[36] == 1
		if c.Version == 2 {
			c.GroupSize = number(37)
		}
	} else {
		c.HeaderBytes = legacyHeader
	}
	c.Dim, c.HiddenDim, c.Layers, c.Heads, c.KVHeads, c.Vocab, c.Context = number(at), number(at+4), number(at+8), number(at+12), number(at+16), number(at+20), number(at+24)
	if c.Version == 0 { // a negative vocabulary says that the output has its own matrix
		c.Tied = c.Vocab > 0
		if c.Vocab < 0 && c.Vocab > math.MinInt32 {
			c.Vocab = -c.Vocab
		}
	}
	return c, nil
}

// check compares the header with itself and with the file's size.
func (c Config) check(size int) error {
	for _, n := range []struct {
		name  string
		value int
	}{{"dim", c.Dim}, {"hidden_dim", c.HiddenDim}, {"n_layers", c.Layers}, {"n_heads", c.Heads}, {"n_kv_heads", c.KVHeads}, {"vocab_size", c.Vocab}, {"max_seq_len", c.Context}} {
		if n.value < 1 || n.value > limit {
			return fmt.Errorf("%s is %d; not a llama2.c model, or not sound", n.name, n.value)
		}
	}
	if c.Layers > mostLayers {
		return fmt.Errorf("n_layers is %d, more than %d; not a llama2.c model, or not sound", c.Layers, mostLayers)
	}
	if c.Dim%c.Heads != 0 || c.Dim/c.Heads%2 != 0 || c.Heads%c.KVHeads != 0 {
		return fmt.Errorf("dim %d, n_heads %d and n_kv_heads %d do not make heads of an even size in whole groups; not a llama2.c model, or not sound", c.Dim, c.Heads, c.KVHeads)
	}
	if c.Version == 2 && (c.GroupSize < 1 || c.GroupSize > limit || c.Dim%c.GroupSize != 0) {
		return fmt.Errorf("group size %d does not divide dim %d", c.GroupSize, c.Dim)
	}
	// Before names are made for every layer: the sizes must be those of the file. A
	// piece has up to 2^50 bytes and there are up to 2^12 layers, so count in floats first.
	total, roughly := c.HeaderBytes, 0.0
	for _, p := range c.pieces() {
		if c.quantized(p) && p.rows*p.columns%c.GroupSize != 0 {
			return fmt.Errorf("%s has %d values, not whole groups of %d", p.name, p.rows*p.columns, c.GroupSize)
		}
		times := 1
		if p.layered() {
			times = c.Layers
		}
		roughly += float64(c.bytes(p)) * float64(times)
		if roughly > math.MaxInt/2 {
			break
		}
		total += c.bytes(p) * times
	}
	if roughly > math.MaxInt/2 || total != size {
		return fmt.Errorf("a llama2.c model of dim %d, hidden_dim %d, n_layers %d, n_heads %d, n_kv_heads %d, vocab_size %d, max_seq_len %d (version %d) takes %.0f bytes, the file has %d: cut off, or not of this format", c.Dim, c.HiddenDim, c.Layers, c.Heads, c.KVHeads, c.Vocab, c.Context, c.Version, roughly+float64(c.HeaderBytes), size)
	}
	return nil
}

// Recognise reports whether a file of that size starting with head (28 bytes or
// more; 256 with a magic number) is a llama2.c model: the first layout has no magic
// number and is known by its size.
func Recognise(head []byte, size int64) bool {
	if size > math.MaxInt {
		return false
	}
	c, err := readHeader(head)
	return err == nil && c.check(int(size)) == nil
}
