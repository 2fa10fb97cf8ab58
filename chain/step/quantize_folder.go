package step

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"lian/compute"
	"lian/dtype"
	"lian/event"
	"lian/format"
	"lian/model"
	"lian/model/checkpoint"
	"lian/quant"
)

// hessianBytes is how much memory the sums of what comes into products may take at once; a model is watched again for the others.
const hessianBytes = 1 << 30

// codedWeight is a product that a folder can hold in whole numbers.
type codedWeight struct {
	parameter       int
	name            string // of the parameter
	module          string // in the folder
	outputs, inputs int
}

// quantizeFolder writes a folder in the layout of GPTQ, AWQ or compressed-tensors, which their programs and Lian read: each product in whole numbers with
// scales, the rest as it was. What comes into products is that of the original model.
func (q *quantization) quantizeFolder(in, out string) error {
	if err := q.Affine.Check(); err != nil {
		return err
	}
	if q.Method == "smoothquant" {
		if q.Bits != 8 {
			return fmt.Errorf("--bits %d: smoothquant writes 8", q.Bits)
		}
		q.Group = 0
	}
	if q.Method == "awq" && q.Bits != 4 {
		return fmt.Errorf("--bits %d: the AWQ layout has 4", q.Bits)
	}
	if _, err := os.Lstat(out); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s exists already; remove it first, or name another folder", out)
	}
	b, err := Backend()
	if err != nil {
		return err
	}
	m, err := OpenModel(in, b, checkpoint.Options{Float32: q.Method == "awq" || q.Method == "smoothquant"}) // its weights are changed before they are rounded
	if err != nil {
		return err
	}
	defer m.Close()
	coded := q.coded(m)
	if len(coded) == 0 {
		return fmt.Errorf("no product of %s can be written in %d bits with groups of %d inputs", m.Name, q.Bits, q.Group)
	}
	codesOf := q.codes
	switch q.Method {
	case "awq":
		codesOf = q.awq
	case "smoothquant":
		codesOf = q.smooth
	}
	replaced, err := codesOf(m, coded)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(filepath.Clean(out)), 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(filepath.Dir(filepath.Clean(out)), ".lian-quantize-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	made := filepath.Join(work, filepath.Base(out))
	if err := q.saveFolder(m, made, replaced); err != nil {
		return err
	}
	again, err := OpenWeights(made, b, checkpoint.Options{})
	if err != nil {
		return fmt.Errorf("what was written does not open: %w", err)
	}
	again.Close()
	if q.report.Bytes, err = folderBytes(made); err != nil {
		return err
	}
	return place([]string{made}, []string{out})
}

// coded are the products that the layout can hold: matrices that have a tensor for themselves.
func (q *quantization) coded(m *Opened) (list []codedWeight) {
	for i, w := range m.Bindings {
		if !w.Adaptable || len(w.Shape) != 2 {
			continue
		}
		v := w.Hub
		module, ok := strings.CutSuffix(v.Name, ".weight")
		if !ok || !v.Rows.All() || v.Transposed || v.Folded || v.Experts > 0 || v.Pairs > 0 || v.Leading != 0 || v.Offset != 0 || !q.Fits(w.Shape[0], w.Shape[1]) {
			q.report.Plain++
			continue
		}
		list = append(list, codedWeight{i, w.Parameter, module, w.Shape[0], w.Shape[1]})
	}
	return list
}

// codes makes the tensors that stand for each weight.
func (q *quantization) codes(m *Opened, list []codedWeight) (map[string][]format.Tensor, error) {
	replaced, stream := map[string][]format.Tensor{}, m.Backend.NewStream()
	var chunks [][]int32
	if q.Method == "gptq" {
		said := Calibration{}
		var err error
		if chunks, said, err = m.calibrationChunks(q.CalibrationOptions); err != nil {
			return nil, err
		}
		q.report.Calibration = &said
	}
	for done := 0; done < len(list); {
		some, bytes := list[done:done+1], 0
		for n := done; n < len(list); n++ {
			if bytes += 4 * list[n].inputs * list[n].inputs; bytes > hessianBytes && n > done {
				break
			}
			some = list[done : n+1]
		}
		var sums map[string]*compute.Tensor
		if chunks != nil {
			var err error
			if sums, err = m.hessians(q.ctx, chunks, some, stream, q.events); err != nil {
				return nil, err
			}
		}
		for _, w := range some {
			q.events.Emit(event.KindProgress, event.Progress{Stage: "quantise " + q.Method, Done: int64(done), Total: int64(len(list)), Unit: "products"})
			if err := q.ctx.Err(); err != nil {
				return nil, err
			}
			c, err := q.rounded(m, w, stream, sums[w.name])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", w.module, err)
			}
			replaced[w.module+".weight"] = c.Tensors(w.module)
			done++
		}
	}
	q.report.Tensors = len(list)
	return replaced, nil
}

func (q *quantization) rounded(m *Opened, w codedWeight, stream compute.Stream, sum *compute.Tensor) (*quant.Codes, error) {
	values, err := model.Floats(stream, m.Model.Parameters().All()[w.parameter].Tensor)
	if err != nil {
		return nil, err
	}
	switch q.Method {
	case "rtn":
		return q.Nearest(values, w.outputs, w.inputs), nil
	case "hqq":
		return q.HQQ(values, w.outputs, w.inputs), nil
	}
	if sum == nil {
		return nil, fmt.Errorf("nothing came into it")
	}
	single, err := model.Floats(stream, sum)
	if err != nil {
		return nil, err
	}
	h := make([]float64, len(single))
	for i, v := range single {
		h[i] = float64(v)
	}
	return q.GPTQ(values, w.outputs, w.inputs, h)
}

// hessians are Σ x·xᵀ of what comes into some products.
func (m *Opened) hessians(ctx context.Context, chunks [][]int32, list []codedWeight, s compute.Stream, events event.Sink) (map[string]*compute.Tensor, error) {
	sums := map[string]*compute.Tensor{}
	for _, w := range list {
		t := compute.NewTensor(m.Backend, dtype.F32, w.inputs, w.inputs)
		s.Write(t, make([]byte, t.Bytes()))
		sums[w.name] = t
	}
	taps := model.Taps{Input: func(parameter string, x *compute.Tensor) {
		if sum := sums[parameter]; sum != nil {
			s.Launch(&compute.MatMul{A: x, B: x, TransA: true, Out: sum, Accumulate: true})
		}
	}}
	return sums, m.watch(ctx, chunks, "watching", s, taps, events)
}

// saveFolder writes the folder with what its readers must know.
func (q *quantization) saveFolder(m *Opened, dir string, replaced map[string][]format.Tensor) error {
	group := q.Group
	if group == 0 {
		group = -1
	}
	c := &converter{Opened: m, ctx: q.ctx, sink: q.events, o: ConvertOptions{Type: "f16"}, replaced: replaced}
	c.quantization = map[string]any{"quant_method": "gptq", "bits": q.Bits, "group_size": group, "sym": q.Symmetric, "desc_act": q.ActOrder && q.Method == "gptq",
		"checkpoint_format": "gptq", "damp_percent": 0.01, "true_sequential": false, "lm_head": false}
	switch q.Method {
	case "smoothquant":
		c.quantization = smoothConfig()
	case "awq":
		c.quantization = map[string]any{"quant_method": "awq", "version": "gemm", "bits": q.Bits, "group_size": group, "zero_point": true}
	}
	_, err := c.toFolder(dir)
	return err
}
