package model

import (
	"fmt"

	"lian/dtype"
)

// KVType is how keys and values are kept. Codes are made for each head of each token; see compute.KVWrite.
type KVType string

const (
	KVAuto KVType = "auto" // float32 for Exact, bfloat16 for Fast; "" means the same
	KVF32  KVType = "f32"
	KVBF16 KVType = "bf16"
	KVInt8 KVType = "int8"
	KVInt4 KVType = "int4"
)

// For is what auto means at a precision; the others mean themselves.
func (k KVType) For(p Precision) KVType {
	switch {
	case k != KVAuto && k != "":
		return k
	case p == Fast:
		return KVBF16
	}
	return KVF32
}

// Check says whether there is such a type.
func (k KVType) Check() error {
	switch k {
	case "", KVAuto, KVF32, KVBF16, KVInt8, KVInt4:
		return nil
	}
	return fmt.Errorf("keys and values as %q: expected auto, f32, bf16, int8 or int4", k)
}

// Coded says whether rows are codes with a scale and a minimum for each head.
func (k KVType) Coded() bool { return k == KVInt8 || k == KVInt4 }

// Element is the element type of the rows.
func (k KVType) Element() dtype.Type {
	switch k {
	case KVInt8, KVInt4:
		return dtype.U8
	case KVBF16:
		return dtype.BF16
	}
	return dtype.F32
}

// Columns is how many elements a head of a row takes.
func (k KVType) Columns(head int) int {
	if k == KVInt4 {
		return (head + 1) / 2
	}
	return head
}

// TokenBytes is what a layer keeps of one token: keys, values and their scales.
func (k KVType) TokenBytes(l CacheShape) int {
	n := k.Element().Bytes(l.KVHeads * (k.Columns(l.KeySize) + k.Columns(l.ValueSize)))
	if k.Coded() {
		n += 2 * dtype.F32.Bytes(2*l.KVHeads)
	}
	return n
}
