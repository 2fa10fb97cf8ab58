package checkpoint

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lian/compute/cpu"
	"lian/format/safetensors"
	"lian/model"
	"lian/verify/shared"
)

// TestExpertsInOneTensorAreThoseOfTensorsEach: all experts of a layer in gate_up_proj and down_proj are the same model.
func TestExpertsInOneTensorAreThoseOfTensorsEach(t *testing.T) {
	dir := shared.Path(t, "testdata", "golden", "infer", "hf", "qwen3_moe")
	b := cpu.New(1)
	was, err := Open(dir, b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer was.Close()
	file := open(t, filepath.Join(dir, "model.safetensors"))
	tensor := func(name string) safetensors.Tensor {
		info, ok := file.Info(name)
		data, err := file.Data(name)
		if !ok || err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return safetensors.Tensor{Name: name, Type: info.Type, Shape: info.Shape, Data: data}
	}
	f := was.Model.Spec.Layer(1).FeedForward
	var tensors []safetensors.Tensor
	for _, name := range file.Names() {
		if !strings.Contains(name, ".experts.") {
			tensors = append(tensors, tensor(name))
		}
	}
	for l := 1; l < was.Model.Spec.Layers; l++ { // the first is dense
		at := fmt.Sprintf("model.layers.%d.mlp.experts.", l)
		up, down := tensor(at+"0.up_proj.weight"), tensor(at+"0.down_proj.weight")
		up.Name, up.Data, up.Shape = at+"gate_up_proj", nil, []int{f.Experts.Count, 2 * f.Hidden, up.Shape[1]}
		down.Name, down.Data, down.Shape = at+"down_proj", nil, append([]int{f.Experts.Count}, down.Shape...)
		for e := range f.Experts.Count {
			for _, half := range []string{"gate", "up"} {
				up.Data = append(up.Data, tensor(fmt.Sprintf("%s%d.%s_proj.weight", at, e, half)).Data...)
			}
			down.Data = append(down.Data, tensor(fmt.Sprintf("%s%d.down_proj.weight", at, e)).Data...)
		}
		tensors = append(tensors, up, down)
	}
	now, err := Open(writeModel(t, was.Config, tensors), b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer now.Close()
	s := b.NewStream()
	for i, p := range was.Model.Parameters().All() {
		want, err := model.Floats(s, p.Tensor)
		if err != nil {
			t.Fatal(err)
		}
		got, err := model.Floats(s, now.Model.Parameters().All()[i].Tensor)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s has other values", p.Name)
		}
	}
}
