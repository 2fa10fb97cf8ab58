package adapter

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"lian/compute"
	"lian/dtype"
	"lian/format/safetensors"
	"lian/model"
	"lian/store/atomicfile"
)

// The layout of PEFT: adapter_config.json and adapter_model.safetensors (or .bin) with base_model.model.MODULE.lora_A.weight
// [rank, in] and lora_B.weight [out, rank]. Source: PEFT, src/peft/utils/save_and_load.py and tuners/lora.

const (
	configFile  = "adapter_config.json"
	weightsFile = "adapter_model.safetensors"
	torchFile   = "adapter_model.bin"
	prefix      = "base_model.model."
)

// Save writes the adapter's products; base names the model it belongs to.
func (l *LoRA) Save(dir string, s compute.Stream, bindings []model.Binding, base string) error {
	if len(l.stacks) > 0 {
		return fmt.Errorf("%s: the adapter changes single experts, which Lian does not write; merge it into the base", dir)
	}
	l, err := l.inHubNames(s, bindings)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var tensors []safetensors.Tensor
	var targets []string
	rank, alpha := l.modules[0].a.Shape[0], float64(l.modules[0].scale)*float64(l.modules[0].a.Shape[0])
	ranks, alphas := map[string]int{}, map[string]float64{}
	for _, x := range l.modules {
		if len(l.changes) > 0 || x.members[0].gain != nil || x.members[0].bias != nil {
			return fmt.Errorf("%s: this adapter changes more than products, which only the program that made it can write again", dir)
		}
		r := x.a.Shape[0]
		if own := float64(x.scale) * float64(r); own != alpha {
			alphas[x.name] = own
		}
		if r != rank {
			ranks[x.name] = r
		}
		if last := x.name[strings.LastIndexByte(x.name, '.')+1:]; !slices.Contains(targets, last) {
			targets = append(targets, last)
		}
		a, err := model.Floats(s, x.a)
		if err != nil {
			return err
		}
		shape := x.members[0].view.FileShape(x.members[0].b.Shape)
		whole := make([]byte, 4*shape[0]*r)
		for _, y := range x.members {
			b, err := model.Floats(s, y.b)
			if err != nil {
				return err
			}
			if err := y.view.Put(whole, compute.HostBytes(b), dtype.F32, y.b.Shape); err != nil {
				return fmt.Errorf("%s: %w", y.parameter, err)
			}
		}
		tensors = append(tensors, safetensors.Tensor{Name: prefix + x.name + ".lora_A.weight", Type: dtype.F32, Shape: x.a.Shape, Data: compute.HostBytes(a)},
			safetensors.Tensor{Name: prefix + x.name + ".lora_B.weight", Type: dtype.F32, Shape: shape, Data: whole})
	}
	if err := safetensors.Write(filepath.Join(dir, weightsFile), tensors, map[string]string{"format": "pt"}); err != nil {
		return err
	}
	config, err := json.MarshalIndent(map[string]any{
		"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": base, "inference_mode": true,
		"r": rank, "lora_alpha": alpha, "rank_pattern": ranks, "alpha_pattern": alphas, "lora_dropout": 0.0, "target_modules": targets,
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
	Base         string             `json:"base_model_name_or_path"`
	Rank         int                `json:"r"`
	Alpha        float64            `json:"lora_alpha"`
	RSLoRA       bool               `json:"use_rslora"`
	DoRA         bool               `json:"use_dora"`
	RankPattern  map[string]int     `json:"rank_pattern"`
	AlphaPattern map[string]float64 `json:"alpha_pattern"`
	Initial      any                `json:"init_lora_weights"`
	Tokens       any                `json:"trainable_token_indices"`
}

// changing are settings of adapter_config.json that would change the result and are not computed. Absent, false and empty they
// change nothing.
var changing = []string{"use_qalora", "use_bdlora", "arrow_config", "alora_invocation_tokens", "kasa_config", "lora_ga_config", "layer_replication", "monteclora_config",
	"velora_config", "target_parameters"}

// readConfig reads and checks an adapter_config.json.
func readConfig(dir string) (c peftConfig, err error) {
	file := filepath.Join(dir, configFile)
	raw, err := os.ReadFile(file)
	if err != nil {
		return c, fmt.Errorf("adapter %s: %w", dir, err)
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return c, fmt.Errorf("%s: %w", file, err)
	}
	var all map[string]any
	if err := json.Unmarshal(raw, &all); err != nil {
		return c, fmt.Errorf("%s: %w", file, err)
	}
	for _, name := range changing {
		list, isList := all[name].([]any)
		if v := all[name]; v != nil && v != false && !(isList && len(list) == 0) {
			return c, fmt.Errorf("%s: %s is %v, which Lian does not compute (expected none)", file, name, v)
		}
	}
	switch {
	case c.Type != "LORA":
		return c, fmt.Errorf("%s: peft_type is %q, expected LORA", file, c.Type)
	case c.Rank < 1:
		return c, fmt.Errorf("%s: r is %d, expected ≥ 1", file, c.Rank)
	}
	if start, ok := c.Initial.(string); ok {
		switch start, _, _ = strings.Cut(start, "_niter"); start {
		case "gaussian", "eva", "orthogonal", "lora_ga":
		default: // pissa, olora, corda, loftq: the base was changed too
			return c, fmt.Errorf("%s: init_lora_weights is %q: such an adapter belongs to a base that was changed when training began; save it with path_initial_model_for_weight_conversion, which makes it a plain LoRA", file, start)
		}
	}
	return c, nil
}

// scale is what the update of a module is multiplied with.
func (c peftConfig) scale(module string, rank int) (float32, error) {
	alpha, divisor := c.Alpha, float64(rank)
	for pattern, v := range c.AlphaPattern {
		hit, err := matches(pattern, module)
		if err != nil {
			return 0, fmt.Errorf("alpha_pattern: %w", err)
		}
		if hit {
			alpha = v
		}
	}
	if c.RSLoRA {
		divisor = math.Sqrt(divisor)
	}
	return float32(alpha / divisor), nil
}

// matches says whether a pattern is a module's name or the end of it from a dot on.
func matches(pattern, module string) (bool, error) {
	re, err := regexp.Compile(`^(.*\.)?(` + pattern + `)$`)
	if err != nil {
		return false, err
	}
	return re.MatchString(module), nil
}

// Base is the base model that an adapter's folder names.
func Base(dir string) (string, error) {
	file := filepath.Join(dir, configFile)
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("adapter %s: %w", dir, err)
	}
	var c peftConfig
	if err := json.Unmarshal(raw, &c); err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	if c.Base == "" {
		return "", fmt.Errorf("%s: base_model_name_or_path is missing; name the base yourself: BASE+%s", file, dir)
	}
	return c.Base, nil
}
