package step

import (
	"fmt"
	"math"

	"lian/compute"
	"lian/event"
	"lian/format"
	"lian/model"
	"lian/quant"
)

// smooth moves outliers of the activations that come out of norms into the weights, in the model itself, and rounds these to int8.
func (q *quantization) smooth(m *Opened, coded []codedWeight) (map[string][]format.Tensor, error) {
	chunks, said, err := m.calibrationChunks(q.CalibrationOptions)
	if err != nil {
		return nil, err
	}
	q.report.Calibration = &said
	stream, replaced := m.Backend.NewStream(), map[string][]format.Tensor{}
	list, folding := m.folds(coded), m.folding(stream)
	largest := map[string][]float32{}
	for _, f := range list {
		if f.norm {
			largest[f.products[0].name] = make([]float32, f.products[0].inputs)
		}
	}
	var failed error
	taps := model.Taps{Input: func(parameter string, x *compute.Tensor) {
		sizes := largest[parameter]
		if sizes == nil || failed != nil {
			return
		}
		values, err := model.Floats(stream, x)
		failed = err
		for i, v := range values {
			sizes[i%len(sizes)] = max(sizes[i%len(sizes)], float32(math.Abs(float64(v))))
		}
	}}
	if err := m.watch(q.ctx, chunks, "watching", stream, taps, q.events); err != nil {
		return nil, err
	}
	if failed != nil {
		return nil, failed
	}
	for i, f := range list {
		q.events.Emit(event.KindProgress, event.Progress{Stage: "quantise smoothquant", Done: int64(i), Total: int64(len(list)), Unit: "products"})
		if err := q.ctx.Err(); err != nil {
			return nil, err
		}
		if f.norm {
			var products []quant.Product
			for _, w := range f.products {
				values, err := model.Floats(stream, folding.byName[w.name])
				if err != nil {
					return nil, err
				}
				products = append(products, quant.Product{Weights: values, Outputs: w.outputs})
			}
			if err := folding.apply(f, quant.SmoothScales(products, largest[f.products[0].name])); err != nil {
				return nil, fmt.Errorf("%s: %w", f.from, err)
			}
		}
		for _, w := range f.products {
			values, err := model.Floats(stream, folding.byName[w.name])
			if err != nil {
				return nil, err
			}
			replaced[w.module+".weight"] = quant.RoundInt8(values, w.outputs, w.inputs).Tensors(w.module)
		}
	}
	q.report.Tensors = len(coded)
	return replaced, nil
}

// smoothConfig is what config.json says of it: weights by output, activations by token as they come.
func smoothConfig() map[string]any {
	eight := func(strategy string, dynamic bool) map[string]any {
		return map[string]any{"num_bits": 8, "type": "int", "symmetric": true, "strategy": strategy, "dynamic": dynamic}
	}
	return map[string]any{"quant_method": "compressed-tensors", "format": "int-quantized", "quantization_status": "compressed", "ignore": []string{"lm_head"},
		"config_groups": map[string]any{"group_0": map[string]any{"targets": []string{"Linear"}, "weights": eight("channel", false), "input_activations": eight("token", true)}}}
}
