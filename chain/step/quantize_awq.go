package step

import (
	"fmt"
	"math"
	"strings"

	"lian/compute"
	"lian/dtype"
	"lian/event"
	"lian/format"
	"lian/model"
	"lian/quant"
)

// watchedFold is a fold with Σ x·xᵀ of what comes into its products [inputs, inputs].
type watchedFold struct {
	fold
	hessian []float32
}

// awq scales products by what comes into them, in the model itself, and rounds them with clipped ranges.
func (q *quantization) awq(m *Opened, coded []codedWeight) (map[string][]format.Tensor, error) {
	chunks, said, err := m.calibrationChunks(q.CalibrationOptions)
	if err != nil {
		return nil, err
	}
	q.report.Calibration = &said
	rows := 0
	for _, c := range chunks {
		rows += len(c)
	}
	stream, replaced := m.Backend.NewStream(), map[string][]format.Tensor{}
	list, folding := m.folds(coded), m.folding(stream)
	for done := 0; done < len(list); {
		some := wholeLayers(list[done:])
		sums, err := m.hessians(q.ctx, chunks, firsts(some), stream, q.events)
		if err != nil {
			return nil, err
		}
		watched := make([]watchedFold, len(some))
		for i, f := range some { // a layer's products are rounded when all that is folded into them is
			q.events.Emit(event.KindProgress, event.Progress{Stage: "quantise awq", Done: int64(done + i), Total: int64(len(list)), Unit: "products"})
			if err := q.ctx.Err(); err != nil {
				return nil, err
			}
			if watched[i], err = q.scaled(folding, f, sums[f.products[0].name], rows); err != nil {
				return nil, fmt.Errorf("%s: %w", f.products[0].module, err)
			}
		}
		for _, f := range watched {
			for _, w := range f.products {
				values, err := model.Floats(stream, folding.byName[w.name])
				if err != nil {
					return nil, err
				}
				// What queries and keys bring is not a sum that clipping each for itself could hold: their authors leave them whole.
				if strings.HasSuffix(w.name, "attention.q") || strings.HasSuffix(w.name, "attention.k") {
					replaced[w.module+".weight"] = q.Nearest(values, w.outputs, w.inputs).AWQTensors(w.module)
				} else {
					replaced[w.module+".weight"] = q.Clipped(values, w.outputs, w.inputs, f.hessian).AWQTensors(w.module)
				}
			}
		}
		done += len(some)
	}
	q.report.Tensors = len(coded)
	return replaced, nil
}

// wholeLayers are the folds of the first layers of a list whose sums fit into hessianBytes; of one layer at least.
func wholeLayers(list []fold) []fold {
	bytes, end := 0, 0
	for i, f := range list {
		if i > 0 && f.layer != list[i-1].layer {
			end = i
		}
		if bytes += 4 * f.products[0].inputs * f.products[0].inputs; bytes > hessianBytes && end > 0 {
			return list[:end]
		}
	}
	return list
}

func firsts(list []fold) (products []codedWeight) {
	for _, f := range list {
		products = append(products, f.products[0])
	}
	return products
}

// scaled chooses a fold's scales, if there is what they can be folded into, and applies them.
func (q *quantization) scaled(g *folding, f fold, sum *compute.Tensor, rows int) (watchedFold, error) {
	h, err := model.Floats(g.stream, sum)
	if err != nil || f.from == "" {
		return watchedFold{f, h}, err
	}
	inputs := f.products[0].inputs
	sizes := make([]float32, inputs)
	for i := range sizes {
		sizes[i] = float32(math.Sqrt(float64(h[i*inputs+i]) / float64(rows)))
	}
	var products []quant.Product
	for _, w := range f.products {
		values, err := model.Floats(g.stream, g.byName[w.name])
		if err != nil {
			return watchedFold{}, err
		}
		products = append(products, quant.Product{Weights: values, Outputs: w.outputs})
	}
	scales, err := q.ActivationScales(products, sizes, func(d []float32, rows int) (float64, error) {
		x, out := compute.NewTensor(g.m.Backend, dtype.F32, rows, inputs), compute.NewTensor(g.m.Backend, dtype.F32, rows, inputs)
		g.stream.Write(x, compute.HostBytes(d))
		g.stream.Launch(&compute.MatMul{A: x, B: sum, Out: out})
		values, err := model.Floats(g.stream, out)
		energy := 0.0
		for i, v := range values {
			energy += float64(v * d[i])
		}
		return energy, err
	})
	if err != nil {
		return watchedFold{}, err
	}
	for i := range h {
		h[i] /= scales[i/inputs] * scales[i%inputs]
	}
	return watchedFold{f, h}, g.apply(f, scales)
}
