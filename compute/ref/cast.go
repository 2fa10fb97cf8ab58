package ref

import (
	"lian/compute"
	"lian/compute/host"
	"lian/dtype"
)

var _ = provides(cast)

func cast(o *compute.Cast) error {
	if o.X.Type == dtype.F32 {
		return dtype.Quantize(o.Out.Type, host.F32(o.X), host.Bytes(o.Out))
	}
	return dtype.Dequantize(o.X.Type, host.Bytes(o.X), host.F32(o.Out))
}
