package model

import "fmt"

// A head's rows in the hub's order are two halves, (0 … d/2−1, d/2 … d−1), whose p-th rows turn together; in GGUF's order of
// Llama the two stand side by side, (0, d/2, 1, d/2+1 …). Source: llama.cpp convert_hf_to_gguf.py, LlamaModel.permute.

// fromInterleaved is the row of GGUF's order that holds row r of the hub's, within a head of d rows.
func fromInterleaved(r, d int) int { return r%(d/2)*2 + r/(d/2) }

// toInterleaved is the row of the hub's order that holds row r of GGUF's.
func toInterleaved(r, d int) int { return r%2*(d/2) + r/2 }

// reorderBytes copies rows with each head's rows in another order: row r of a head is what was row from(r, head size).
func reorderBytes(raw []byte, rows, heads int, from func(r, d int) int) ([]byte, error) {
	if heads <= 0 || rows%heads != 0 || rows/heads%2 != 0 {
		return nil, fmt.Errorf("%d rows do not divide into %d heads of an even size", rows, heads)
	}
	out, size, d := make([]byte, len(raw)), len(raw)/rows, rows/heads
	for r := range rows {
		at := r/d*d + from(r%d, d)
		copy(out[r*size:(r+1)*size], raw[at*size:(at+1)*size])
	}
	return out, nil
}
