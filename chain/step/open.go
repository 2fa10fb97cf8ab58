package step

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"

	"lian/chat"
	"lian/compute"
	"lian/compute/cpu"
	"lian/format/container"
	"lian/format/gguf"
	"lian/hub"
	"lian/model/adapter"
	"lian/model/checkpoint"
	"lian/tokenizer"
	"lian/train/state"
)

// Opened is a model with what it needs to read and speak.
type Opened struct {
	*checkpoint.Checkpoint
	Backend   compute.Backend
	Name      string // for tables: the last part of the path
	Tokenizer *tokenizer.Tokenizer
	Template  *chat.Template // nil if the model has none
	// StandIn is the name of the template that is used instead of the model's own: because it has none, or is not to use it.
	StandIn string
	// Separator stands between documents in pretraining: the model's own start token, or its end token.
	Separator int32
	// Adapter is the adapter that was merged in or stands beside the weights, nil if none.
	Adapter *adapter.LoRA

	gguf      bool // the weights are a GGUF file
	templated templated
}

// Backend is the backend of this process.
func Backend() (compute.Backend, error) {
	if err := cpu.LevelError(); err != nil {
		return nil, err
	}
	return cpu.New(0), nil
}

// OpenModel opens MODEL or MODEL+ADAPTER: a folder in the hub's layout, a GGUF file, or a step or run folder that holds one as
// "model". An adapter is merged into the weights, which are then float32.
func OpenModel(path string, b compute.Backend, o checkpoint.Options) (*Opened, error) {
	defer opening()()
	m, err := OpenWeights(path, b, o)
	if err != nil {
		return nil, err
	}
	return m.withWords()
}

// OpenToRun is OpenModel for those who run a model and do not look at its weights: an adapter stays beside them, and they stay as
// they are, quantised and in the file's mapping. An adapter that cannot (see LoRA.Beside) is merged.
func OpenToRun(path string, b compute.Backend) (*Opened, error) {
	defer opening()()
	m, err := openWeights(path, b, checkpoint.Options{}, true)
	if err != nil {
		return nil, err
	}
	return m.withWords()
}

// OpenToRunIDs is OpenToRun for those who give ids and want ids: a model without a tokenizer will do.
func OpenToRunIDs(path string, b compute.Backend) (*Opened, error) {
	defer opening()()
	m, err := openWeights(path, b, checkpoint.Options{}, true)
	if err != nil {
		return nil, err
	}
	if err = m.words(m.Path); errors.Is(err, tokenizer.ErrNone) || errors.Is(err, fs.ErrNotExist) {
		m.Tokenizer, err = tokenizer.Wordless(m.Model.Spec.Vocab)
	}
	if err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

func (m *Opened) withWords() (*Opened, error) {
	if err := m.words(m.Path); err != nil {
		m.Close()
		return nil, fmt.Errorf("%w (lian inspect, lian bench model, lian generate --ids, lian forward --ids and lian convert --weights-only need no tokenizer)", err)
	}
	return m, nil
}

// OpenWeights is OpenModel without tokenizer and template, for those who have ids already.
func OpenWeights(path string, b compute.Backend, o checkpoint.Options) (*Opened, error) {
	return openWeights(path, b, o, false)
}

func openWeights(path string, b compute.Backend, o checkpoint.Options, beside bool) (*Opened, error) {
	base, adapterDir, hasAdapter, err := cutAdapter(path)
	if err != nil {
		return nil, err
	}
	if isAdapter(base) && !hasAdapter { // an adapter alone names its base
		adapterDir, hasAdapter = base, true
		if base, err = baseOf(adapterDir); err != nil {
			return nil, err
		}
	}
	base, err = modelPath(base)
	if err != nil {
		return nil, err
	}
	o.Float32 = o.Float32 || hasAdapter && !beside
	c, err := checkpoint.Open(base, b, o)
	if err != nil {
		return nil, err
	}
	m := &Opened{Checkpoint: c, Backend: b, Name: strings.TrimSuffix(filepath.Base(base), ".gguf"), gguf: isGGUF(base)}
	if m.Name == "model" {
		m.Name = filepath.Base(filepath.Dir(base))
	}
	if _, place, err := find(path); err == nil && place != nil { // its folder in a cache may be a hash
		m.Name = place.Name[strings.LastIndexByte(place.Name, '/')+1:]
	}
	if hasAdapter {
		if m.Adapter, err = adapter.Load(adapterDir, b, c.Model, c.Bindings); err == nil {
			if beside {
				err = m.Adapter.Beside(b.NewStream(), c.Model)
				c.Model.Adapter = m.Adapter
			} else {
				err = m.Adapter.Merge(b.NewStream(), c.Model)
			}
		}
		if err != nil {
			c.Close()
			if errors.Is(err, adapter.ErrMergedOnly) {
				return openWeights(path, b, o, false)
			}
			return nil, err
		}
		m.Name = filepath.Base(adapterDir)
		c.Model.Parameters().Freeze()
	}
	return m, nil
}

// cutAdapter splits MODEL+ADAPTER, each a path or a name in LIAN_HOME; a path that exists as it is has no adapter.
func cutAdapter(path string) (base, adapter string, ok bool, err error) {
	at, own, err := locate(path)
	if _, missing := os.Stat(at); err == nil && missing == nil {
		return at, own, own != "", nil
	}
	base, adapter, ok = strings.Cut(path, "+")
	if !ok {
		return at, "", false, err
	}
	for i := range path { // of several, the first that ends what exists
		if path[i] == '+' && exists(path[:i]) {
			base, adapter = path[:i], path[i+1:]
			break
		}
	}
	if base, own, err = locate(base); err != nil {
		return "", "", false, err
	}
	if own != "" {
		return "", "", false, fmt.Errorf("%s: brings the adapter %s with it, and only one is merged", path, own)
	}
	adapter, _, err = locate(adapter)
	return base, adapter, true, err
}

// withAdapter is MODEL+ADAPTER of a model and what --adapter names, "" for none.
func withAdapter(path, adapter string) (string, error) {
	if adapter == "" {
		return path, nil
	}
	if _, _, has, err := cutAdapter(path); has || err == nil && isAdapter(path) {
		return "", fmt.Errorf("%s: is a model with an adapter already, and --adapter %s names another; give one", path, adapter)
	}
	return path + "+" + adapter, nil
}

// baseOf is where the model lies that an adapter names as its own.
func baseOf(adapterDir string) (string, error) {
	name, err := adapter.Base(adapterDir)
	if err != nil {
		return "", err
	}
	base, _, err := locate(name)
	if err != nil {
		return "", fmt.Errorf("adapter %s: its base: %w", adapterDir, err)
	}
	return base, nil
}

func isAdapter(path string) bool {
	_, err := os.Stat(filepath.Join(path, "adapter_config.json"))
	return err == nil
}

// modelPath finds the model in a folder of ours: the folder itself, or "model" in it; of a recipe's run, the fine-tuned model, or
// else the pretrained one.
func modelPath(path string) (string, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("model %s: there is no such file or folder; pass a folder with config.json and safetensors, a .gguf file, MODEL+ADAPTER, or a name that lian models list shows", path)
	}
	if err != nil || !info.IsDir() {
		return path, err
	}
	for _, dir := range []string{path, filepath.Join(path, "model"), filepath.Join(path, "finetune", "model"), filepath.Join(path, "pretrain", "model")} {
		if _, err := os.Stat(filepath.Join(dir, "config.json")); err == nil {
			return dir, nil
		}
	}
	if at, _, err := state.Newest(filepath.Join(path, "state"), math.MaxInt); err == nil && at != "" {
		return at, nil // a run that is not done: as it was last saved
	}
	if kind, err := container.Look(path); err == nil && (kind == container.InternEvoFolder || kind == container.MetaFolder) {
		return path, nil // which say in their own ways what a config.json says
	}
	if one, err := hub.OneGGUF(path); one != "" || err != nil {
		return one, err
	}
	return "", fmt.Errorf("model %s: there is no config.json in it, nor in a folder model below it", path)
}

// isGGUF says whether a path is a GGUF file, whatever its name: Ollama's have none.
func isGGUF(path string) bool {
	kind, err := container.Look(path)
	return err == nil && (kind == container.GGUF || kind == container.GGUFBigEndian)
}

// Dir is the folder that is the model, or in which its one file lies.
func (m *Opened) Dir() string {
	if info, err := os.Stat(m.Path); err == nil && !info.IsDir() {
		return filepath.Dir(m.Path)
	}
	return m.Path
}

// words opens the tokenizer, the template and the separator: those in a GGUF file, or
// in the folder that is the model or holds its one file.
func (m *Opened) words(path string) error {
	if m.gguf {
		return m.wordsOfGGUF(path)
	}
	path = m.Dir()
	var err error
	if m.Tokenizer, err = tokenizer.Load(path); err != nil {
		return err
	}
	if m.templated, err = templatedFolder(path, m.Tokenizer); err != nil {
		return err
	}
	if m.Template, m.StandIn, err = m.templated.choose(""); err != nil {
		return err
	}
	for _, key := range []string{"bos_token_id", "eos_token_id"} {
		v := m.Config[key]
		if list, ok := v.([]any); ok && len(list) > 0 {
			v = list[0]
		}
		if id, ok := v.(float64); ok && id >= 0 && int(id) < m.Model.Spec.Vocab {
			m.Separator = int32(id)
			return nil
		}
	}
	return nil
}

func (m *Opened) wordsOfGGUF(path string) error {
	f, err := gguf.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if m.Tokenizer, err = tokenizer.FromGGUF(f); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, key := range []string{"tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id"} {
		if id, ok := f.Uint(key); ok && id < uint64(m.Model.Spec.Vocab) {
			m.Separator = int32(id)
			break
		}
	}
	if m.templated, err = templatedGGUF(f, path, m.Tokenizer); err != nil {
		return err
	}
	m.Template, m.StandIn, err = m.templated.choose("")
	return err
}
