package model

import (
	"fmt"

	"lian/dtype"
)

// KVType is how keys and values are kept. Codes are made for each head of each token; see compute.KVWrite.
//
// int4 keeps values as codes of 4 bits and keys as codes of 8: what is wrong in a key is wrong in the exponent of a softmax. With 4 bits
// for keys too the perplexity of SmolLM2-135M rises by 3 %, and by 2 % with what all keys share taken off before; with 8 by 0.4 %.
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

// Columns is how many elements a head of keys and one of values take.
func (k KVType) Columns(l CacheShape) (keys, values int) {
	if k == KVInt4 {
		return l.KeySize, (l.ValueSize + 1) / 2
	}
	return l.KeySize, l.ValueSize
}

// TokenBytes is what a layer keeps of one token: keys, values and their scales.
func (k KVType) TokenBytes(l CacheShape) int {
	keys, values := k.Columns(l)
	n := k.Element().Bytes(l.KVHeads * (keys + values))
	if k.Coded() {
		n += 2 * dtype.F32.Bytes(2*l.KVHeads)
	}
	return n
}
