package step

import (
	"fmt"

	"lian/compute"
	"lian/dtype"
	"lian/format/safetensors"
	"lian/model"
	"lian/model/checkpoint"
)

// ForwardOptions are the settings of lian forward.
type ForwardOptions struct {
	IDs       []int32         `yaml:"ids" help:"token ids of one sequence, such as 1,2,3"`
	Out       string          `yaml:"out" help:"safetensors file to write"`
	Hidden    bool            `yaml:"hidden" help:"write the final hidden rows too"`
	Precision model.Precision `yaml:"precision" help:"fast rounds activations to int8 where weights are quantised; exact never does" default:"exact" range:"exact|fast"`
}

// Forwarded says what lian forward wrote.
type Forwarded struct {
	Path      string   `json:"path"`
	Model     string   `json:"model"`
	Family    string   `json:"family"`
	Tokens    int      `json:"tokens"`
	Vocab     int      `json:"vocab"`
	Tensors   []string `json:"tensors"`
	Best      []int32  `json:"best"` // the most likely id after each token
	Precision string   `json:"precision"`
}

// Forward computes the logits of given ids and writes them, for comparison with other engines:
//
//	logits  [tokens, vocab]   float32
//	hidden  [tokens, hidden]  float32, after the last norm, if asked for
//	ids     [tokens]          int32
func Forward(path string, o ForwardOptions) (*Forwarded, error) {
	b, err := Backend()
	if err != nil {
		return nil, err
	}
	m, err := openWeights(path, b, checkpoint.Options{}, true)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	// Only learned positions end; others go on past the context a model was made for, as dynamic rotary embeddings are meant to.
	if n, most := len(o.IDs), m.Model.Spec.Positions-m.Model.Spec.PositionOffset; m.Model.Spec.Positions > 0 && n > most {
		return nil, fmt.Errorf("%d ids are more than the %d positions that %s has", n, most, m.Name)
	}
	hidden, logits, err := m.forward(o.IDs, o.Precision)
	if err != nil {
		return nil, err
	}
	spec := m.Model.Spec
	tensors := []safetensors.Tensor{
		{Name: "ids", Type: dtype.I32, Shape: []int{len(o.IDs)}, Data: compute.HostBytes(o.IDs)},
		{Name: "logits", Type: dtype.F32, Shape: []int{len(o.IDs), spec.Vocab}, Data: compute.HostBytes(logits)},
	}
	if o.Hidden {
		tensors = append(tensors, safetensors.Tensor{Name: "hidden", Type: dtype.F32, Shape: []int{len(o.IDs), spec.Hidden}, Data: compute.HostBytes(hidden)})
	}
	if err := safetensors.Write(o.Out, tensors, map[string]string{"model": m.Name, "precision": string(o.Precision)}); err != nil {
		return nil, err
	}
	r := &Forwarded{Path: o.Out, Model: m.Name, Family: spec.Family, Tokens: len(o.IDs), Vocab: spec.Vocab, Precision: string(o.Precision)}
	for _, t := range tensors {
		r.Tensors = append(r.Tensors, fmt.Sprintf("%s %v", t.Name, t.Shape))
	}
	for row := range o.IDs {
		r.Best = append(r.Best, largest(logits[row*spec.Vocab:(row+1)*spec.Vocab]))
	}
	return r, nil
}

// forward gives the final hidden rows [ids, hidden] and the logits [ids, vocab] of one sequence.
func (m *Opened) forward(ids []int32, precision model.Precision) (hidden, logits []float32, err error) {
	stream := m.Backend.NewStream()
	pass := &model.Pass{Stream: stream, Arena: compute.NewArena(m.Backend, 1<<20), Precision: precision}
	batch := &model.Batch{}
	batch.Add(ids, 0, nil)
	rows, err := m.Model.Forward(pass, batch)
	if err != nil {
		return nil, nil, err
	}
	hidden = make([]float32, rows.Elements())
	if err := stream.Read(rows, compute.HostBytes(hidden)); err != nil {
		return nil, nil, err
	}
	logits = make([]float32, len(ids)*m.Model.Spec.Vocab)
	return hidden, logits, stream.Read(model.Logits(pass, m.Model, rows, nil), compute.HostBytes(logits))
}

// largest is the index of the largest value, the first of equals.
func largest(row []float32) int32 {
	best := 0
	for i, v := range row {
		if v > row[best] {
			best = i
		}
	}
	return int32(best)
}
