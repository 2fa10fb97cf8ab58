// Package ref is the backend that defines what every operation means: plain
// loops, float64 accumulation, no tricks.
//
// It guarantees that each function reads like its formula; fast backends are
// tested against it. It refuses nothing that compute's Check accepts, and it
// makes no promise about speed.
package ref

import (
	"lian/compute"
	"lian/compute/host"
	"lian/dtype"
)

type backend struct{ table host.Table }

// operations are the functions of all operations, each registered by the file that holds it.
var operations = host.Table{}

// provides registers the function of one operation.
func provides[O compute.Op](run func(O) error) struct{} {
	host.Register(operations, run)
	return struct{}{}
}

// New returns the reference backend.
func New() compute.Backend {
	return &backend{operations}
}

// Name implements compute.Backend.
func (*backend) Name() string { return "ref" }

// Alloc implements compute.Backend.
func (*backend) Alloc(bytes int) compute.Buffer { return host.Alloc(bytes) }

// Import implements compute.Backend.
func (*backend) Import(data []byte, owner any) compute.Buffer { return host.Import(data, owner) }

// NewStream implements compute.Backend.
func (b *backend) NewStream() compute.Stream { return host.NewStream(b, b.table) }

// values is a tensor of any type as float64; a copy.
func values(t *compute.Tensor) ([]float64, error) {
	out := make([]float64, t.Elements())
	if t.Type == dtype.F32 {
		for i, v := range host.F32(t) {
			out[i] = float64(v)
		}
		return out, nil
	}
	tmp := make([]float32, len(out))
	if err := dtype.Dequantize(t.Type, host.Bytes(t), tmp); err != nil {
		return nil, err
	}
	for i, v := range tmp {
		out[i] = float64(v)
	}
	return out, nil
}
