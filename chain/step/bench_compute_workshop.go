package step

import (
	"bytes"
	"context"
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

// reset takes back the operands of the measurement before.
func (w *workshop) reset() { w.arena.Reset() }

// ceiling is what measures a ceiling, made at its first use.
func (w *workshop) ceiling(c cpu.Ceiling) meter {
	if w.meters[c] == nil {
		w.meters[c] = cpu.CeilingMeter(w.backend, c)
	}
	return w.meters[c]
}

// tensor is an operand with rows of values between −0.5 and 0.5. Every row of a packed type is the same: quantising takes longer than
// measuring.
func (w *workshop) tensor(t dtype.Type, shape ...int) (*compute.Tensor, error) {
	x := w.arena.Tensor(t, shape...)
	values, key := make([]float32, x.Columns()), random.New(1, "bench", t.String())
	for i := range values {
		values[i] = float32(key.Float64(i)) - 0.5
	}
	row := make([]byte, t.Bytes(len(values)))
	if dtype.CanQuantize(t) {
		if err := dtype.Quantize(t, values, row); err != nil {
			return nil, err
		}
	}
	w.stream.Write(x, bytes.Repeat(row, x.Rows()))
	return x, w.stream.Err()
}

// floats makes several float32 operands.
func (w *workshop) floats(into map[**compute.Tensor][]int) error {
	for to, shape := range into {
		x, err := w.tensor(dtype.F32, shape...)
		if err != nil {
			return err
		}
		*to = x
	}
	return nil
}

// ints is an int32 operand.
func (w *workshop) ints(values []int32, shape ...int) *compute.Tensor {
	x := w.arena.Tensor(dtype.I32, shape...)
	w.stream.Write(x, unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), 4*len(values)))
	return x
}
