package adapter

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lian/compute"
	"lian/dtype"
	"lian/format/safetensors"
	"lian/model"
	"lian/store/atomicfile"
)

// The layout of PEFT: adapter_config.json and adapter_model.safetensors with base_model.model.MODULE.lora_A.weight [rank, in]
// and lora_B.weight [out, rank]. Source: PEFT, src/peft/utils/save_and_load.py and tuners/lora/config.py.

const (
	configFile  = "adapter_config.json"
	weightsFile = "adapter_model.safetensors"
	prefix      = "base_model.model."
)

func module(b model.Binding) string { return strings.TrimSuffix(b.Hub.Name, ".weight") }

// Save writes the adapter; base names the model it belongs to.
func (l *LoRA) Save(dir string, s compute.Stream, bindings []model.Binding, base string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var tensors []safetensors.Tensor
	var targets []string
	for _, b := range bindings {
		t, ok := l.targets[b.Parameter]
		if !ok {
			continue
		}
		last := module(b)[strings.LastIndexByte(module(b), '.')+1:]
		if !slices.Contains(targets, last) {
			targets = append(targets, last)
		}
		for name, x := range map[string]*compute.Tensor{"lora_A": t.a, "lora_B": t.b} {
			data := make([]byte, x.Bytes())
			if err := s.Read(x, data); err != nil {
				return err
			}
			tensors = append(tensors, safetensors.Tensor{Name: prefix + module(b) + "." + name + ".weight", Type: dtype.F32, Shape: x.Shape, Data: data})
		}
	}
	if err := safetensors.Write(filepath.Join(dir, weightsFile), tensors, map[string]string{"format": "pt"}); err != nil {
		return err
	}
	config, err := json.MarshalIndent(map[string]any{
		"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": base, "inference_mode": true,
		"r": l.Config.Rank, "lora_alpha": l.Config.Alpha, "lora_dropout": 0.0, "target_modules": targets,
		"bias": "none", "fan_in_fan_out": false, "use_rslora": false, "use_dora": false, "modules_to_save": nil,
	}, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(filepath.Join(dir, configFile), append(config, '\n'))
}

// peftConfig are the fields of adapter_config.json that Lian reads.
type peftConfig struct {
	Type         string             `json:"peft_type"`
	Rank         int                `json:"r"`
	Alpha        float64            `json:"lora_alpha"`
	Bias         string             `json:"bias"`
	FanInFanOut  bool               `json:"fan_in_fan_out"`
	RSLoRA       bool               `json:"use_rslora"`
	DoRA         bool               `json:"use_dora"`
	RankPattern  map[string]int     `json:"rank_pattern"`
	AlphaPattern map[string]float64 `json:"alpha_pattern"`
	Save         []string           `json:"modules_to_save"`
}

func (c peftConfig) check() error {
	switch {
	case c.Type != "LORA":
		return fmt.Errorf("peft_type is %q, expected LORA", c.Type)
	case c.Rank < 1:
		return fmt.Errorf("r is %d, expected ≥ 1", c.Rank)
	case c.Bias != "" && c.Bias != "none", c.FanInFanOut, c.RSLoRA, c.DoRA, len(c.RankPattern) > 0, len(c.AlphaPattern) > 0, len(c.Save) > 0:
		return fmt.Errorf("bias, fan_in_fan_out, use_rslora, use_dora, rank_pattern, alpha_pattern and modules_to_save are not computed yet; one of them is set")
	}
	return nil
}

// Load reads an adapter for a model.
func Load(dir string, b compute.Backend, m model.Model, bindings []model.Binding) (*LoRA, error) {
	file := filepath.Join(dir, configFile)
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("adapter %s: %w", dir, err)
	}
	var c peftConfig
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	f, err := safetensors.Open(filepath.Join(dir, weightsFile))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	l, s, read := &LoRA{Config: Config{Rank: c.Rank, Alpha: c.Alpha}, targets: map[string]pair{}}, b.NewStream(), 0
	for _, binding := range bindings {
		name := prefix + module(binding)
		if _, ok := f.Info(name + ".lora_A.weight"); !ok {
			continue
		}
		w := m.Parameters().Get(binding.Parameter)
		var p pair
		for part, want := range map[string][]int{"lora_A": {c.Rank, w.Shape[1]}, "lora_B": {w.Shape[0], c.Rank}} {
			tensor := name + "." + part + ".weight"
			info, ok := f.Info(tensor)
			if !ok || !slices.Equal(info.Shape, want) {
				return nil, fmt.Errorf("%s: tensor %s is %v, expected %v; the adapter is of another base", dir, tensor, info.Shape, want)
			}
			values, err := f.Floats(tensor)
			if err != nil {
				return nil, err
			}
			t := compute.NewTensor(b, dtype.F32, want...)
			s.Write(t, compute.HostBytes(values))
			if part == "lora_A" {
				p.a = t
			} else {
				p.b = t
			}
			read++
		}
		l.add(binding.Parameter, p)
	}
	if read == 0 || read != len(f.Names()) {
		return nil, fmt.Errorf("%s: %d of %d tensors belong to products of this model; the adapter is of another base", dir, read, len(f.Names()))
	}
	return l, s.Err()
}

// Base is the base model that an adapter's folder names.
func Base(dir string) (string, error) {
	file := filepath.Join(dir, configFile)
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("adapter %s: %w", dir, err)
	}
	var c struct {
		Base string `json:"base_model_name_or_path"`
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	if c.Base == "" {
		return "", fmt.Errorf("%s: base_model_name_or_path is missing; name the base yourself: BASE+%s", file, dir)
	}
	return c.Base, nil
}
