package layout

import (
	"bytes"
	_ "embed"
	"fmt"

	"go.yaml.in/yaml/v3"
)

//go:embed headline.yaml
var headlines []byte

// Published is a setting whose figures were published, for several numbers of devices. A figure that was not is 0, a list of figures that were not is empty.
type Published struct {
	Name      string    `yaml:"name"`
	Model     string    `yaml:"model"` // of the models beside it
	Layout    Layout    `yaml:"layout"`
	Devices   []int     `yaml:"devices"`
	Rates     []float64 `yaml:"tokens_per_second"` // of each device
	TFLOPS    []float64 `yaml:"tflops"`            // of each device, by InternEvo's formula
	Gigabytes []float64 `yaml:"gigabytes"`         // peak of a device
}

// At is the layout for the i-th number of devices.
func (p Published) At(i int) Layout {
	l := p.Layout
	l.Devices = p.Devices[i]
	return l
}

// Headlines are published settings and the models they are of. Source: InternEvo, README.md and doc/en/train_performance.md.
func Headlines() (models map[string]Model, settings []Published, err error) {
	var file struct {
		Models   map[string]Model `yaml:"models"`
		Settings []Published      `yaml:"settings"`
	}
	d := yaml.NewDecoder(bytes.NewReader(headlines))
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil {
		return nil, nil, fmt.Errorf("headline.yaml: %w", err)
	}
	for _, s := range file.Settings {
		if _, ok := file.Models[s.Model]; !ok {
			return nil, nil, fmt.Errorf("headline.yaml: setting %s is of model %q, which is not there", s.Name, s.Model)
		}
	}
	return file.Models, file.Settings, nil
}
