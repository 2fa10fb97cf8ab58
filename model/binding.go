package model

// Binding says how files hold a model's parameter. Loading, saving, converting, adapters and merging go through it.
type Binding struct {
	Parameter string // logical name
	Shape     []int
	Hub, GGUF View // in the authors' files, and in GGUF; a View without a Name is not there
	OlderGGUF View // in GGUF files of former times, where they had it elsewhere
	// Adaptable parameters are products that LoRA and its relatives may change.
	Adaptable bool
}

// View is where a parameter lies in a file.
type View struct {
	Name string // of the tensor; with Experts, {expert} stands for the number of each
	// Rows of the tensor that are the parameter's; the zero value is all of them.
	Rows Rows
	// Transposed: the last two axes are stored as [in, out].
	Transposed bool
	// Offset is what stored values are above the parameter's.
	Offset float32
	// Unit: rows are scaled to length 1 when they are read, whatever their length in the file.
	Unit bool
	// Pairs > 0: each head's rows are stored in the order of interleaved rotary pairs; Pairs is the number of heads.
	Pairs int
	// Folded: the parameter's first two axes are one in the tensor: [n, out, in] as [n·out, in], with Turned as [n·in, out].
	Folded, Turned bool
	// Leading axes of one element that the tensor has before the parameter's; −1: it lacks the parameter's first, which is one.
	Leading int
	// Experts > 0: the parameter's first axis is a stack of so many tensors.
	Experts int
}

// Rows are some of the rows of a tensor that several parameters share: Times runs of Count rows, the first from row From on, each
// Every rows after the one before.
//
//	[q; k; v]               q is {Total, 0, q, 0, 1}, k is {Total, q, kv, 0, 1}
//	[q q k v; q q k v; …]   q of 2 heads a group is {Total, 0, 2·head, 4·head, groups}
type Rows struct {
	Total, From, Count, Every, Times int
	// Axis counts from the last: 0 is the last axis (biases), 1 the one before (matrices).
	Axis int
}

// All says whether the parameter has the tensor for itself.
func (r Rows) All() bool { return r.Total == 0 }

// Unturned is a parameter's shape before it was turned.
func (v View) Unturned(shape []int) []int {
	if n := len(shape); v.Turned {
		shape = append([]int(nil), shape...)
		shape[n-1], shape[n-2] = shape[n-2], shape[n-1]
	}
	return shape
}

// FileShape is the shape of the tensor that a view of a parameter of this shape lies in.
func (v View) FileShape(shape []int) []int {
	out := append([]int(nil), shape...)
	if v.Experts > 0 {
		out = out[1:]
	}
	if v.Folded {
		out = v.Unturned(out)
		out = append([]int{out[0] * out[1]}, out[2:]...)
	}
	if !v.Rows.All() {
		out[len(out)-1-v.Rows.Axis] = v.Rows.Total
	}
	if n := len(out); v.Transposed && n > 1 {
		out[n-1], out[n-2] = out[n-2], out[n-1]
	}
	for range v.Leading {
		out = append([]int{1}, out...)
	}
	if v.Leading < 0 {
		out = out[1:]
	}
	return out
}
