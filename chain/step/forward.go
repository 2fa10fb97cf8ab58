package step

import (
	"errors"
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
	Layers    bool            `yaml:"hidden_layers" help:"write the hidden rows that go into each layer, and those that leave the last, too"`
	Attention bool            `yaml:"attention" help:"write what each head of each layer looks at too: ids x ids numbers for each"`
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
//
// and if asked for, of each layer
//
//	hidden.N     [tokens, hidden]         float32, what goes into layer N; of the last number what leaves the last layer, before the norm
//	attention.N  [heads, tokens, tokens]  float32, the weights of each query (a row) over the keys
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
	var inside insight
	hidden, logits, err := m.forwardSeen(o.IDs, o.Precision, inside.taps(o, m))
	err = errors.Join(err, inside.err)
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
	tensors = append(tensors, inside.tensors...)
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

// insight is what was seen inside a forward.
type insight struct {
	tensors []safetensors.Tensor
	err     error
}

// taps look at what the options ask for.
func (in *insight) taps(o ForwardOptions, m *Opened) (taps model.Taps) {
	stream := m.Backend.NewStream() // reads what the forward's own has computed when a tap is called
	keep := func(name string, layer int, values []float32, shape ...int) {
		in.tensors = append(in.tensors, safetensors.Tensor{Name: fmt.Sprintf("%s.%d", name, layer), Type: dtype.F32, Shape: shape, Data: compute.HostBytes(values)})
	}
	if o.Layers {
		taps.Hidden = func(layer int, x *compute.Tensor) {
			values, err := model.Floats(stream, x)
			in.err = errors.Join(in.err, err)
			keep("hidden", layer, values, x.Shape...)
		}
	}
	if o.Attention {
		taps.Attention = func(layer int, a *compute.Attention) {
			maps, err := model.AttentionMaps(stream, a)
			if in.err = errors.Join(in.err, err); err == nil {
				keep("attention", layer, maps[0].Weights, maps[0].Heads, maps[0].Queries, maps[0].Keys)
			}
		}
	}
	return taps
}

// forward gives the final hidden rows [ids, hidden] and the logits [ids, vocab] of one sequence.
func (m *Opened) forward(ids []int32, precision model.Precision) (hidden, logits []float32, err error) {
	return m.forwardSeen(ids, precision, model.Taps{})
}

func (m *Opened) forwardSeen(ids []int32, precision model.Precision, taps model.Taps) (hidden, logits []float32, err error) {
	stream := m.Backend.NewStream()
	pass := &model.Pass{Stream: stream, Arena: compute.NewArena(m.Backend, 1<<20), Precision: precision, Taps: taps}
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
