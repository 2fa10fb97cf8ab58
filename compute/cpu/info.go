package cpu

import "fmt"

// KernelInfo is one kind of kernel and what runs it on this processor.
type KernelInfo struct {
	Name  string `json:"name"`
	Level string `json:"level"` // generic, avx2, avx512, avx512_bf16, avx512_vnni, amx
	About string `json:"about"`
}

// Kernels are the kernels in use, for `lian doctor`.
func Kernels() []KernelInfo {
	k := current
	if k == nil {
		return nil
	}
	vectors := k.level
	if k.amx != nil {
		vectors = "avx512"
	}
	list := []KernelInfo{{"matmul float32", vectors, fmt.Sprintf("tiles of %d × %d", k.rows, k.columns)}}
	switch {
	case k.amx != nil:
		list = append(list, KernelInfo{"matmul bfloat16", "amx", "tiles of 16 × 16, 32 of k"})
	case k.gemmPairs != nil:
		list = append(list, KernelInfo{"matmul bfloat16", "avx512_bf16", fmt.Sprintf("tiles of %d × %d, pairs of k", k.rows, k.columns)})
	default:
		list = append(list, KernelInfo{"matmul bfloat16", k.level, "operands rounded, then as float32"})
	}
	return append(list,
		KernelInfo{"matmul int8", k.quantName, fmt.Sprintf("%d block types", len(k.quants))},
		KernelInfo{"attention, norms, activations, losses, optimizer", vectors, "vectors of float32"})
}
