package train

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"lian/compute"
	"lian/format/safetensors"
	"lian/model"
)

// Form is how a checkpoint keeps the weights that move, so that other programs open them.
type Form interface {
	// Save writes weights, of the names and shapes of Trainer.Weights, into a folder. It is called while training goes on.
	Save(dir string, weights *model.Parameters) error
	// Load gives what Save wrote, by the same names, valid until it is closed.
	Load(dir string) (*model.Parameters, io.Closer, error)
}

// plainForm keeps weights by their names in one file.
type plainForm struct{ backend compute.Backend }

const plainFile = "weights.safetensors"

func (f plainForm) Save(dir string, weights *model.Parameters) error {
	return writeTensors(filepath.Join(dir, plainFile), f.backend.NewStream(), weights)
}

func (f plainForm) Load(dir string) (*model.Parameters, io.Closer, error) {
	return readTensors(filepath.Join(dir, plainFile), f.backend)
}

// writeTensors writes tensors as they are, one at a time in memory.
func writeTensors(path string, s compute.Stream, p *model.Parameters) error {
	var tensors []safetensors.Tensor
	for _, x := range p.All() {
		tensors = append(tensors, safetensors.Tensor{Name: x.Name, Type: x.Tensor.Type, Shape: x.Tensor.Shape, Make: func() ([]byte, error) {
			data := make([]byte, x.Tensor.Bytes())
			return data, s.Read(x.Tensor, data)
		}})
	}
	return safetensors.Write(path, tensors, nil)
}

// readTensors maps a file of tensors.
func readTensors(path string, b compute.Backend) (*model.Parameters, io.Closer, error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, nil, err
	}
	p := &model.Parameters{}
	for _, name := range f.Names() {
		info, _ := f.Info(name)
		data, err := f.Data(name)
		if err != nil {
			f.Close()
			return nil, nil, err
		}
		p.Add(name, &compute.Tensor{Type: info.Type, Shape: info.Shape, Buffer: b.Import(data, f)})
	}
	return p, f, nil
}

// pairs calls f with each tensor of want and the one of that name in got, which must be like it; where names the file in errors.
func pairs(where string, got, want *model.Parameters, f func(got, want *compute.Tensor) error) error {
	for _, w := range want.All() {
		g := got.Get(w.Name)
		if g == nil || g.Type != w.Tensor.Type || !slices.Equal(g.Shape, w.Tensor.Shape) {
			return fmt.Errorf("%s: tensor %s is %v, expected %v; it is of another model or optimizer", where, w.Name, g, w.Tensor)
		}
		if err := f(g, w.Tensor); err != nil {
			return fmt.Errorf("%s: tensor %s: %w", where, w.Name, err)
		}
	}
	if n, m := len(got.All()), len(want.All()); n != m {
		return fmt.Errorf("%s: %d tensors, expected %d; it is of another model or optimizer", where, n, m)
	}
	return nil
}
