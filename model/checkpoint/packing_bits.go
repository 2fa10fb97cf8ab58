package checkpoint

import (
	"encoding/json"
	"fmt"

	"lian/compute"
	"lian/dtype"
	"lian/model/family"
)

// bitsPacking reads bitsandbytes' NF4, FP4 and LLM.int8. What a tensor is follows from the tensors beside it.
// Sources: arXiv 2305.14314, 2208.07339; bitsandbytes, functional.py (QuantState) and nn/modules.py.
func bitsPacking(q *family.Config) *packing {
	p := &packing{reference: dtype.BF16, ignoredEndings: []string{".weight_format"}}
	p.find = func(l *binder, module string, n, k int) (*compute.PackedWeight, error) {
		f := &parts{binder: l, module: module}
		if f.has("SCB") {
			w := &compute.PackedWeight{Layout: compute.PackedRows, Outputs: n, Inputs: k,
				Values: f.get("weight", []dtype.Type{dtype.I8}, n, k), Scales: f.get("SCB", []dtype.Type{dtype.F32}, n)}
			return w, f.err
		}
		for _, kind := range []string{"nf4", "fp4"} {
			if state := "weight.quant_state.bitsandbytes__" + kind; f.has(state) {
				return f.codes(state, n, k)
			}
		}
		return nil, nil
	}
	return p
}

// quantState is the JSON that bitsandbytes keeps beside a 4-bit weight.
type quantState struct {
	Block       int     `json:"blocksize"`
	Shape       []int   `json:"shape"`
	NestedBlock int     `json:"nested_blocksize"`
	Offset      float64 `json:"nested_offset"`
}

// codes is a 4-bit weight, with its scales quantised or not.
func (f *parts) codes(state string, n, k int) (*compute.PackedWeight, error) {
	bytes := []dtype.Type{dtype.U8}
	raw := f.get(state, bytes, -1)
	if f.err != nil {
		return nil, f.err
	}
	text := make([]byte, raw.Bytes())
	if err := f.stream.Read(raw, text); err != nil {
		return nil, err
	}
	var s quantState
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("%s: %w", state, err)
	}
	switch {
	case len(s.Shape) != 2 || s.Shape[0] != n || s.Shape[1] != k:
		return nil, fmt.Errorf("%s: shape is %v, expected [%d %d]; the file and the configuration are of different models", state, s.Shape, n, k)
	case s.Block <= 0 || s.Block > 1<<20:
		return nil, fmt.Errorf("%s: blocksize is %d, expected 1 to 2^20", state, s.Block)
	}
	blocks := (n*k + s.Block - 1) / s.Block
	w := &compute.PackedWeight{Layout: compute.PackedCodes, Outputs: n, Inputs: k, Group: s.Block,
		Values: f.get("weight", bytes, (n*k+1)/2, 1), Codes: f.get("weight.quant_map", []dtype.Type{dtype.F32}, 16)}
	if !f.has("weight.nested_absmax") {
		w.Scales = f.get("weight.absmax", []dtype.Type{dtype.F32}, blocks)
		return w, f.err
	}
	if s.NestedBlock != 256 {
		return nil, fmt.Errorf("%s: nested_blocksize is %d, expected 256", state, s.NestedBlock)
	}
	w.Scales = f.get("weight.absmax", bytes, blocks)
	w.ScaleCodes = f.get("weight.nested_quant_map", []dtype.Type{dtype.F32}, 256)
	w.ScaleScales = f.get("weight.nested_absmax", []dtype.Type{dtype.F32}, (blocks+255)/256)
	w.ScaleOffset = float32(s.Offset)
	return w, f.err
}
