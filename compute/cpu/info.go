package cpu

import (
	"fmt"
	"slices"
	"strings"

	"lian/dtype"
)

// KernelInfo is an operation, or one form of it, and what runs it on this processor.
type KernelInfo struct {
	Operation string `json:"operation"` // as compute.Op names it; a form of it after a space: "matmul q4_k"
	Level     string `json:"level"`     // generic, avx2, avx512, avx512_bf16, avx512_vnni, amx
	Kernel    string `json:"kernel"`
}

// served are the names of the operations that have a function here.
var served []string

// Kernels are the operations of this backend and the kernels that serve them on this processor, by name; nil if LevelError is
// not.
func Kernels() []KernelInfo {
	k := current
	if k == nil {
		return nil
	}
	var list []KernelInfo
	names := slices.Clone(served)
	slices.Sort(names)
	for _, name := range names {
		if name == "matmul" {
			list = append(list, k.products()...)
			continue
		}
		list = append(list, KernelInfo{name, k.vectorLevel(), k.about(name)})
	}
	return list
}

// vectorLevel is the level of everything but products of bfloat16 and int8.
func (k *kernels) vectorLevel() string {
	if k.amx != nil {
		return "avx512"
	}
	return k.level
}

// about is what an operation's kernels are, where that is more than vectors of float32.
func (k *kernels) about(name string) string {
	switch {
	case strings.HasPrefix(name, "attention"):
		return "products by tiles, softmax in vectors"
	case strings.HasPrefix(name, "linear_cross_entropy"):
		return "products by tiles, logits a chunk at a time"
	case name == "packed_matmul":
		return "AWQ, GPTQ of 4 bits fast: int8 activations; else rows as float32, by tiles"
	case k.level == "generic":
		return "plain Go"
	}
	return "vectors"
}

// products are the forms of matrix multiplication.
func (k *kernels) products() []KernelInfo {
	tile := fmt.Sprintf("tiles of %d × %d", k.rows, k.columns)
	list := []KernelInfo{{"matmul f32", k.vectorLevel(), tile}}
	switch {
	case k.amx != nil:
		list = append(list, KernelInfo{"matmul bf16", "amx", "tiles of 16 × 16, 32 of k"})
	case k.gemmPairs != nil:
		list = append(list, KernelInfo{"matmul bf16", "avx512_bf16", tile + ", pairs of k"})
	default:
		list = append(list, KernelInfo{"matmul bf16", k.level, "operands rounded, then as f32"})
	}
	for _, t := range dtype.All() {
		if !t.Quantized() {
			continue
		}
		switch level, ok := k.fastLevel(t); {
		case ok:
			list = append(list, KernelInfo{"matmul " + t.String(), level, "fast: int8 activations; exact: dequantised tiles, as f32"})
		case dtype.CanDequantize(t):
			list = append(list, KernelInfo{"matmul " + t.String(), k.vectorLevel(), "dequantised tiles, as f32"})
		}
	}
	return list
}

// fastLevel is the level of a block type's integer kernels, if it has any.
func (k *kernels) fastLevel(t dtype.Type) (string, bool) {
	if k.quants[t] != nil {
		return k.quantName, true
	}
	if k.superUnpack[t] != nil {
		return k.quantName, true
	}
	return "", false
}
