package model

import (
	"lian/compute"
	"lian/dtype"
)

// Floats are a tensor's values, whatever its type is and whoever packed it.
func Floats(s compute.Stream, t *compute.Tensor) ([]float32, error) {
	if t.Packed != nil {
		out := compute.NewTensor(s.Backend(), dtype.F32, t.Shape...)
		s.Launch(&compute.Unpack{Weight: *t.Packed, Out: out})
		t = out
	}
	raw := make([]byte, t.Bytes())
	if err := s.Read(t, raw); err != nil {
		return nil, err
	}
	values := make([]float32, t.Elements())
	return values, dtype.Dequantize(t.Type, raw, values)
}
