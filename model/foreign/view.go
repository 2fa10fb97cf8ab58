package foreign

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"lian/dtype"
	"lian/format"
)

// view is a tensor of the hub's as a part of a foreign one, in another order.
type view struct {
	name  string // in the foreign file
	from  int    // the first row
	rows  int    // how many; 0 is all
	heads heads
	// normalise makes each row's length 1, as float32.
	normalise bool
}

// heads says that rows are heads whose rotary pairs are neighbours: rows 2i and 2i+1
// of a head belong together. In the hub's order they are half a head apart.
type heads struct {
	size int // rows of a head; 0: leave rows as they are
	// group: of so many heads the last is none that is rotated (the values of a key-value
	// head, packed with its queries and its key); 0: all are rotated.
	group int
}

// renamed is a reader of views.
type renamed struct {
	source format.Reader
	names  []string
	views  map[string]view
	infos  map[string]format.Info
}

func newRenamed(source format.Reader) *renamed {
	return &renamed{source: source, views: map[string]view{}, infos: map[string]format.Info{}}
}

// add names a view and checks that its rows are there.
func (r *renamed) add(name string, v view) error {
	info, ok := r.source.Info(v.name)
	if !ok {
		return fmt.Errorf("tensor %s is missing", v.name)
	}
	if _, ok := r.views[name]; ok {
		return fmt.Errorf("tensor %s would be there twice, as %s and as %s", name, r.views[name].name, v.name)
	}
	if len(info.Shape) == 0 {
		return fmt.Errorf("tensor %s has no dimensions", v.name)
	}
	if v.rows == 0 {
		v.rows = info.Shape[0]
	}
	if v.from+v.rows > info.Shape[0] {
		return fmt.Errorf("tensor %s is %v, rows %d to %d are expected", v.name, info.Shape, v.from, v.from+v.rows)
	}
	if h := v.heads.size; h > 0 && (v.rows%h != 0 || h%2 != 0 || v.heads.group > 0 && v.rows/h%v.heads.group != 0) {
		return fmt.Errorf("tensor %s is %v, whose rows are not whole heads of %d in groups of %d", v.name, info.Shape, h, max(v.heads.group, 1))
	}
	info.Name, info.Shape = name, slices.Clone(info.Shape)
	info.Shape[0] = v.rows
	if v.normalise {
		info.Type = dtype.F32
	}
	size, err := dtype.TensorBytes(info.Type, info.Shape)
	if err != nil {
		return fmt.Errorf("tensor %s: %w", v.name, err)
	}
	info.Bytes = int64(size)
	r.names = append(r.names, name)
	r.views[name], r.infos[name] = v, info
	return nil
}

// Names lists the tensors in the order of the foreign file.
func (r *renamed) Names() []string { return r.names }

// Info describes one tensor.
func (r *renamed) Info(name string) (format.Info, bool) {
	info, ok := r.infos[name]
	return info, ok
}

// Data returns a tensor's bytes: a view of the file where nothing has to move.
func (r *renamed) Data(name string) ([]byte, error) {
	v, ok := r.views[name]
	if !ok {
		return nil, fmt.Errorf("no tensor %s among %d", name, len(r.names))
	}
	data, err := r.source.Data(v.name)
	if err != nil {
		return nil, err
	}
	whole, _ := r.source.Info(v.name)
	row := len(data) / max(whole.Shape[0], 1)
	data = data[v.from*row : (v.from+v.rows)*row]
	if v.heads.size > 0 {
		data = v.heads.unpair(data, row)
	}
	if v.normalise {
		return unitRows(data, whole.Type, v.rows)
	}
	return data, nil
}

// Close closes the foreign file.
func (r *renamed) Close() error { return r.source.Close() }

// unpair moves each head's even rows to its first half and its odd rows to its second.
func (h heads) unpair(data []byte, row int) []byte {
	out := make([]byte, len(data))
	for n := range len(data) / (h.size * row) {
		from, to := data[n*h.size*row:(n+1)*h.size*row], out[n*h.size*row:(n+1)*h.size*row]
		if h.group > 0 && n%h.group == h.group-1 {
			copy(to, from)
			continue
		}
		for i := range h.size {
			at := i/2 + i%2*(h.size/2)
			copy(to[at*row:(at+1)*row], from[i*row:(i+1)*row])
		}
	}
	return out
}

// unitRows divides each row by its length. Source: torch.nn.functional.normalize,
// which takes lengths below 1e-12 as 1e-12.
func unitRows(data []byte, t dtype.Type, rows int) ([]byte, error) {
	values := make([]float32, len(data)/t.BlockBytes()*t.BlockSize())
	if err := dtype.Dequantize(t, data, values); err != nil {
		return nil, err
	}
	columns := len(values) / max(rows, 1)
	out := make([]byte, 0, 4*len(values))
	for r := range rows {
		line := values[r*columns : (r+1)*columns]
		var squares float64
		for _, v := range line {
			squares += float64(v) * float64(v)
		}
		length := max(math.Sqrt(squares), 1e-12)
		for _, v := range line {
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(float32(float64(v)/length)))
		}
	}
	return out, nil
}
