// Package internevo reads the checkpoint folders of InternEvo (earlier InternLM-
// train): model_tp{t}_pp{p}.pt of tensor- and pipeline-parallel ranks, or
// model_wp{w}_pp{p}.pt of weight-parallel ones (mode isp), and model_config.pt.
// Source: InternEvo internlm/checkpoint/components.py, tools/convert_ckpt_parallel.py,
// transformers/convert2hf_internlm.py and convert2hf_internlm2.py.
//
// It guarantees whole logical tensors under InternEvo's own names with the layers of
// all stages counted on ("layers.31.attention.wo.weight"), every rank accounted for,
// parts that belong together by the names' meaning. It refuses FSDP shards, files of
// experts and a missing rank, by name; optimizer, scheduler and sampler files are
// not the model and not opened.
package internevo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"lian/format"
	"lian/format/parallel"
	"lian/format/torch"
)

// ConfigFile is the file of the model's settings.
const ConfigFile = "model_config.pt"

// Folder is an open checkpoint.
type Folder struct {
	*parallel.Stack
	// Config are the entries of model_config.pt: nil, bool, int64, float64, string. It is
	// nil where the folder has no such file.
	Config map[string]any
	Ranks  int // files that a tensor is spread over
	Stages int // of the pipeline
	// Weight says that ranks are weight-parallel (model_wp…): matrices are cut along
	// their rows, whatever they are for.
	Weight bool
}

// partName are the files of the model: model_tp0_pp0.pt, model_wp0_pp0.pt.
var partName = regexp.MustCompile(`^model_(tp|wp)(\d{1,4})_pp(\d{1,4})\.pt$`)

// Recognise reports whether a folder holding these names is such a checkpoint.
func Recognise(names []string) bool {
	for _, name := range names {
		if partName.MatchString(name) {
			return true
		}
	}
	return false
}

// Open opens a folder.
func Open(dir string) (*Folder, error) {
	f := &Folder{}
	grid, err := f.list(dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	if err := f.readConfig(filepath.Join(dir, ConfigFile)); err != nil {
		return nil, err
	}
	var stages []format.Reader
	fail := func(err error) (*Folder, error) {
		for _, s := range stages {
			err = errors.Join(err, s.Close())
		}
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	for _, files := range grid {
		stage, err := f.openStage(dir, files)
		if err != nil {
			return fail(err)
		}
		stages = append(stages, stage)
	}
	counts, err := layersOf(stages)
	if err != nil {
		return fail(err)
	}
	f.Stack, err = parallel.NewStack(stages, func(stage int, name string) (string, error) { return wholeName(counts, stage, name) })
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return f, nil
}

// list returns the files by stage and rank.
func (f *Folder) list(dir string) ([][]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	found := map[[2]int]string{}
	kinds := map[string]bool{}
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, "model_moe_layer") {
			return nil, fmt.Errorf("%s holds an expert by itself; checkpoints with experts are not read", name)
		}
		if strings.HasPrefix(name, "model_tp") && strings.Contains(name, "_dp") {
			return nil, fmt.Errorf("%s is a shard of FSDP, which is not read; save without fsdp, or convert with InternEvo's tools", name)
		}
		m := partName.FindStringSubmatch(name)
		if m == nil {
			continue
		}
		rank, _ := strconv.Atoi(m[2])
		stage, _ := strconv.Atoi(m[3])
		if other, ok := found[[2]int{stage, rank}]; ok {
			return nil, fmt.Errorf("%s and %s are of the same rank", other, name)
		}
		found[[2]int{stage, rank}] = name
		kinds[m[1]] = true
		f.Ranks, f.Stages, f.Weight = max(f.Ranks, rank+1), max(f.Stages, stage+1), m[1] == "wp"
	}
	if len(kinds) == 0 {
		return nil, errors.New("holds no model_tp…_pp….pt; not a checkpoint of InternEvo")
	}
	if len(kinds) > 1 {
		return nil, errors.New("holds model_tp… and model_wp… files; those are two checkpoints")
	}
	grid := make([][]string, f.Stages)
	for stage := range grid {
		for rank := range f.Ranks {
			name, ok := found[[2]int{stage, rank}]
			if !ok {
				return nil, fmt.Errorf("rank %d of stage %d is missing; there are %d files for %d ranks and %d stages", rank, stage, len(found), f.Ranks, f.Stages)
			}
			grid[stage] = append(grid[stage], name)
		}
	}
	return grid, nil
}

// readConfig reads the settings; nested ones have dotted names.
func (f *Folder) readConfig(path string) error {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	file, err := torch.Open(path)
	if err != nil {
		return err
	}
	f.Config = map[string]any{}
	for _, kv := range file.Metadata() {
		f.Config[kv.Key] = kv.Value
	}
	return file.Close()
}

// openStage opens the ranks of a stage as one.
func (f *Folder) openStage(dir string, files []string) (format.Reader, error) {
	var ranks []format.Reader
	fail := func(err error) (format.Reader, error) {
		for _, r := range ranks {
			err = errors.Join(err, r.Close())
		}
		return nil, err
	}
	for _, name := range files {
		file, err := torch.Open(filepath.Join(dir, name))
		if err != nil {
			return fail(err)
		}
		ranks = append(ranks, file)
		if len(file.Names()) == 0 {
			return fail(fmt.Errorf("%s holds no tensors", name))
		}
	}
	width := widthOf(ranks[0])
	return parallel.Join(ranks, func(name string, parts []format.Info) (parallel.Rule, error) {
		return f.rule(name, parts, width)
	})
}
