package step

import (
	"bytes"
	"context"
	"runtime/debug"
	"time"
	"unsafe"

	"lian/compute"
	"lian/compute/cpu"
	"lian/dtype"
	"lian/random"
)

// workshop is where operands of measurements come from: memory that one measurement after the other uses.
type workshop struct {
	backend compute.Backend
	stream  compute.Stream
	arena   *compute.Arena
	meters  map[cpu.Ceiling]meter
}

type meter = func(ctx context.Context, long time.Duration) float64

func newWorkshop(b compute.Backend) *workshop {
	return &workshop{b, b.NewStream(), compute.NewArena(b, 64<<20), map[cpu.Ceiling]meter{}}
}

// reset takes back the operands of the measurement before. Memory in pieces of all sizes is given back when it is too much.
func (w *workshop) reset() {
	w.arena.Reset()
	if w.arena.Bytes() > mostKept {
		w.arena = compute.NewArena(w.backend, 64<<20)
		debug.FreeOSMemory() // now, and not while something is measured
	}
}

const mostKept = 1 << 30

// ceiling is what measures a ceiling, made at its first use.
func (w *workshop) ceiling(c cpu.Ceiling) meter {
	if w.meters[c] == nil {
		w.meters[c] = cpu.CeilingMeter(w.backend, c)
	}
	return w.meters[c]
}

// tensor is an operand with rows of values between −0.5 and 0.5. Every row is the same: making values, and quantising them, takes longer
// than measuring.
func (w *workshop) tensor(t dtype.Type, shape ...int) *compute.Tensor {
	x := w.arena.Tensor(t, shape...)
	values, key := make([]float32, x.Columns()), random.New(1, "bench", t.String())
	for i := range values {
		values[i] = float32(key.Float64(i)) - 0.5
	}
	row := make([]byte, t.Bytes(len(values)))
	if err := dtype.Quantize(t, values, row); err != nil {
		panic(err) // finite values of whole blocks, of a type that has a quantiser
	}
	w.stream.Write(x, bytes.Repeat(row, x.Rows()))
	return x
}

// floats is a float32 operand.
func (w *workshop) floats(shape ...int) *compute.Tensor { return w.tensor(dtype.F32, shape...) }

// zeros is a float32 operand of zeros.
func (w *workshop) zeros(shape ...int) *compute.Tensor {
	x := w.arena.Tensor(dtype.F32, shape...)
	w.stream.Write(x, make([]byte, x.Bytes()))
	return x
}

// ints is an int32 operand.
func (w *workshop) ints(values []int32, shape ...int) *compute.Tensor {
	x := w.arena.Tensor(dtype.I32, shape...)
	w.stream.Write(x, unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), 4*len(values)))
	return x
}
