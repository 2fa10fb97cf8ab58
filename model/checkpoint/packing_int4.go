package checkpoint

import (
	"fmt"

	"lian/compute"
	"lian/compute/host"
	"lian/dtype"
	"lian/model/family"
)

// awqPacking reads AutoAWQ's settings. Source: arXiv 2306.00978 and AutoAWQ, awq/modules/linear/gemm.py.
func awqPacking(q *family.Config) *packing {
	p := &packing{bits: q.Int("bits|w_bit", 4), group: q.Int("group_size|q_group_size", 128), reference: dtype.F16}
	if p.bits != 4 {
		q.Fail("bits is %d, expected 4", p.bits)
	}
	if version := q.String("version", "gemm"); version != "gemm" && version != "GEMM" {
		q.Fail("version is %q, expected gemm: other layouts are not read", version)
	}
	p.find = func(l *binder, module string, n, k int) (*compute.PackedWeight, error) {
		f := &parts{binder: l, module: module}
		if !f.has("qweight") {
			return nil, nil
		}
		group := p.group
		if group <= 0 {
			group = k
		}
		groups := (k + group - 1) / group
		w := &compute.PackedWeight{Layout: compute.PackedAWQ, Outputs: n, Inputs: k, Group: group,
			Values: f.get("qweight", words, k, n/8), Zeros: f.get("qzeros", words, groups, n/8), Scales: f.get("scales", anyFloat, groups, n)}
		return w, f.err
	}
	return p
}

// gptqPacking reads AutoGPTQ's and GPTQModel's settings. In version 1 of the format a stored zero is one less than what it means.
// Source: arXiv 2210.17323; AutoGPTQ, auto_gptq/nn_modules/qlinear; GPTQModel, docs on checkpoint_format.
func gptqPacking(q *family.Config) *packing {
	p := &packing{bits: q.Int("bits", 4), group: q.Int("group_size", 128), reference: dtype.F16}
	switch format := q.String("checkpoint_format", "gptq"); format {
	case "gptq":
		p.version = 1
	case "gptq_v2":
		p.version = 2
	default:
		q.Fail("checkpoint_format is %q, expected gptq or gptq_v2", format)
	}
	p.find = func(l *binder, module string, n, k int) (*compute.PackedWeight, error) {
		f := &parts{binder: l, module: module}
		if !f.has("qweight") {
			return nil, nil
		}
		group := p.group
		if group <= 0 {
			group = k
		}
		groups := (k + group - 1) / group
		w := &compute.PackedWeight{Layout: compute.PackedGPTQ, Outputs: n, Inputs: k, Bits: p.bits, Group: group, ZeroOffset: 2 - p.version,
			Values: f.get("qweight", words, k*p.bits/32, n), Zeros: f.get("qzeros", words, groups, n*p.bits/32), Scales: f.get("scales", anyFloat, groups, n)}
		if f.has("g_idx") {
			w.GroupIndex = f.order(f.get("g_idx", words, k), group)
		}
		return w, f.err
	}
	return p
}

// order is the group of each input, nil where groups are of neighbours anyway.
func (f *parts) order(index *compute.Tensor, group int) *compute.Tensor {
	if f.err != nil {
		return nil
	}
	groups := make([]int32, index.Elements())
	if f.err = f.stream.Read(index, compute.HostBytes(groups)); f.err != nil {
		return nil
	}
	for i, g := range groups {
		if int(g) != i/group {
			if err := host.CheckIndex(groups, (len(groups)+group-1)/group); err != nil {
				f.err = fmt.Errorf("g_idx: %w", err)
			}
			return index
		}
	}
	return nil
}
