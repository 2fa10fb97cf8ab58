// Package checkpoint opens models from files and writes them: a folder in the
// hub's layout (config.json and safetensors) or a GGUF file. It also opens PyTorch's
// checkpoints, llama2.c's models, and the folders of Meta and InternEvo.
//
// It guarantees that every tensor of a file goes to the parameter its family
// declares, in its shape, and that what is written opens again. Weights stay in
// the file's mapping where the backend can use them there. It refuses a file
// with a missing, extra or misshapen tensor, naming it and both shapes.
package checkpoint

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"lian/model"
	"lian/model/family"
	"lian/model/nn"
)

// Checkpoint is an open model. Close it when no stream uses it any more.
type Checkpoint struct {
	Path     string
	Family   *family.Family
	Model    *nn.Decoder
	Bindings []model.Binding
	// Unread are config.json fields that Lian did not need.
	Unread []string
	// Unused are tensors that the model does not need: computed ones, and those of layers that predict further tokens.
	Unused []string
	// Config are config.json's fields as they stand in the file; nil for formats without one.
	Config map[string]any
	close  func() error
}

// Options say how weights are brought in.
type Options struct {
	// Float32 converts every weight to float32 in memory of its own, which training needs. Otherwise matrices stay as
	// stored, in the file's mapping, and are frozen.
	Float32 bool
}

// Close releases the files. The model's weights are gone with them unless they were converted.
func (c *Checkpoint) Close() error {
	if c.close == nil {
		return nil
	}
	return c.close()
}

const configFile = "config.json"

// ReadConfig reads the config.json of a model folder.
func ReadConfig(dir string) (*family.Family, nn.Spec, *family.Config, error) {
	file := filepath.Join(dir, configFile)
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nn.Spec{}, nil, fmt.Errorf("%s: there is no config.json, so this folder is not a model in the hub's layout", dir)
	}
	if err != nil {
		return nil, nn.Spec{}, nil, err
	}
	c, err := family.ParseConfig(file, data)
	if err != nil {
		return nil, nn.Spec{}, nil, err
	}
	f, spec, err := ReadSpec(file, c)
	return f, spec, c, err
}

// ReadSpec finds the family of a configuration and reads it; file names it in errors.
func ReadSpec(file string, c *family.Config) (f *family.Family, s nn.Spec, err error) {
	if err := c.Text(); err != nil {
		return nil, s, fmt.Errorf("%s: of the language model: %w", file, err)
	}
	if list := c.Strings("architectures"); len(list) > 0 {
		f, err = family.ByArchitecture(list)
	} else {
		f, err = family.ByName(c.String("model_type", ""))
	}
	if err != nil {
		return nil, s, fmt.Errorf("%s: %w", file, err)
	}
	c.Ignore("quantization_config", "compression_config") // readPacking's
	s, err = f.Read(c)
	return f, s, err
}
