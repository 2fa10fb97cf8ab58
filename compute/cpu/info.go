package cpu

import "fmt"

// KernelInfo is one kind of kernel and what runs it on this processor.
type KernelInfo struct {
	Name  string `json:"name"`
	Level string `json:"level"` // generic, avx2, avx512, avx512_bf16, avx512_vnni
	About string `json:"about"`
}

// Kernels are the kernels in use, for `lian doctor`.
func Kernels() []KernelInfo {
	k := current
	if k == nil {
		return nil
	}
	list := []KernelInfo{{"matmul float32", k.level, fmt.Sprintf("tiles of %d × %d", k.rows, k.columns)}}
	if k.gemmPairs != nil {
		list = append(list, KernelInfo{"matmul bfloat16", "avx512_bf16", fmt.Sprintf("tiles of %d × %d, pairs of k", k.rows, k.columns)})
	} else {
		list = append(list, KernelInfo{"matmul bfloat16", k.level, "operands rounded, then as float32"})
	}
	return append(list,
		KernelInfo{"matmul int8", k.quantName, fmt.Sprintf("%d block types", len(k.quants))},
		KernelInfo{"attention, norms, activations, losses, optimizer", k.level, "vectors of float32"})
}
