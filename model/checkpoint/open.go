package checkpoint

import (
	"errors"
	"fmt"
	"path/filepath"

	"lian/compute"
	"lian/format"
	"lian/format/container"
	"lian/model/family"
	"lian/model/foreign"
)

// Open opens a model: a folder in the hub's layout, its weights as safetensors or
// PyTorch's; one file of weights with config.json beside it; a GGUF file; a
// checkpoint of Meta's, llama2.c's or InternEvo's. What it is, its content says.
func Open(path string, b compute.Backend, o Options) (*Checkpoint, error) {
	kind, err := container.Look(path)
	if err != nil {
		return nil, fmt.Errorf("model %w", err)
	}
	dir := path
	switch kind {
	case container.GGUF, container.GGUFBigEndian:
		return openGGUF(path, b, o)
	case container.AdapterFolder:
		return nil, fmt.Errorf("model %s: an adapter, not a model; name its base too: BASE+%s", path, path)
	case container.ConfigFolder:
		return nil, fmt.Errorf("model %s: has a config.json and no weights (model.safetensors, pytorch_model.bin)", path)
	case container.Safetensors, container.SafetensorsIndex, container.Torch, container.TorchLegacy, container.TorchIndex:
		dir = filepath.Dir(path)
	case container.SafetensorsFolder, container.TorchFolder, container.Llama2C, container.InternEvoFolder, container.MetaFolder:
	default:
		return nil, fmt.Errorf("model %s: %s, not a model", path, kind)
	}
	m, err := foreign.Open(path, kind)
	if err != nil {
		return nil, err
	}
	if m != nil {
		return openHub(path, path, m, family.NewConfig(path, m.Config), b, o)
	}
	_, _, config, err := ReadConfig(dir)
	if err != nil {
		return nil, err
	}
	src, _, err := container.Weights(path)
	if err != nil {
		return nil, err
	}
	return openHub(path, filepath.Join(dir, configFile), src, config, b, o)
}

// openHub makes a model of tensors under the hub's names and a configuration, which
// file names in errors. The checkpoint owns src.
func openHub(path, file string, src format.Reader, config *family.Config, b compute.Backend, o Options) (*Checkpoint, error) {
	f, spec, err := ReadSpec(file, config)
	if err != nil {
		return nil, errors.Join(err, src.Close())
	}
	packed, err := readPacking(config)
	if err != nil {
		return nil, errors.Join(err, src.Close())
	}
	if q := config.Object("quantization_config"); q != nil && q.String("quant_method", "") == "mxfp4" {
		src = &mxfp4{Reader: src}
	}
	c := &Checkpoint{Path: path, Family: f, Unread: config.Unread(), Config: config.Fields(), close: src.Close}
	if config.Wrapped() {
		text := NewText(src)
		src, c.Unused = text, text.Left
		if _, ok := src.Info(f.Names["head"].Name() + ".weight"); ok && spec.TiedEmbedding { // older files say nothing true of it
			spec.TiedEmbedding, c.Config["tie_word_embeddings"] = false, false
		}
	}
	if err := c.bind(b, spec, src, o, packed, hubView); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), src.Close())
	}
	return c, nil
}
