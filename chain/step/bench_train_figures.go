package step

import (
	_ "embed"
	"fmt"
	"slices"

	"lian/compute/cpu"
	"lian/config"
	"lian/machine"
	"lian/model/nn"
)

// trainShape is a model that lian bench train makes, and the sequences of a step.
type trainShape struct {
	Hidden      int `yaml:"hidden"`
	FeedForward int `yaml:"feed_forward"`
	Layers      int `yaml:"layers"`
	Heads       int `yaml:"heads"`
	KVHeads     int `yaml:"kv_heads"`
	Vocabulary  int `yaml:"vocabulary"`
	Sequence    int `yaml:"sequence"` // tokens
	Batch       int `yaml:"batch"`    // sequences
}

//go:embed bench_train.yaml
var trainShapes []byte

func trainShapeOf(name string) (trainShape, error) {
	var all struct {
		Small trainShape `yaml:"15m"`
		Large trainShape `yaml:"135m"`
	}
	if err := config.Decode(trainShapes, "bench_train.yaml", &all); err != nil {
		return trainShape{}, err
	}
	switch name {
	case "15m":
		return all.Small, nil
	case "135m":
		return all.Large, nil
	}
	return trainShape{}, fmt.Errorf("--shape %s: expected 15m or 135m", name)
}

func (s trainShape) size() Size {
	return Size{Hidden: s.Hidden, Layers: s.Layers, Heads: s.Heads, KVHeads: s.KVHeads, FeedForward: s.FeedForward, Context: max(2048, s.Sequence), Theta: 10000}
}

func (s trainShape) spec() nn.Spec { return s.size().Spec(s.Vocabulary) }

// operations is what a token counts: 6 for each weight of a product, the head's included, and 6 for each of the pairs of half a sequence
// and a channel, in every layer. What is computed again counts nothing.
func (s trainShape) operations() float64 {
	z := s.size()
	z.Context = s.Sequence
	return z.operations(s.Vocabulary)
}

// report makes figures of the runs: tokens a second with so many threads and with one, and what the threads bring of what they could.
func (r *trainBench) report(parameters int, show func(Benched) error) error {
	name := fmt.Sprintf("train/%s/%s", r.o.Shape, r.o.DType)
	common := []Setting{{"shape", r.o.Shape}, {"dtype", r.o.DType}, {"sequence", r.Sequence}, {"batch", r.Batch}, {"recompute", string(r.o.Recompute)}, {"parameters", parameters}, {"kernels", cpu.Level()}}
	rates, peaks := [2]float64{}, [2]float64{}
	memory := machine.Resident().Peak
	for i, threads := range r.threads {
		line := summed("train", name, "tok/s", r.speeds[i], append(slices.Clone(common), Setting{"threads", threads})...)
		slices.Sort(r.limits[i])
		rates[i], peaks[i] = line.Value, r.limits[i][len(r.limits[i])/2]
		gflops := line.Value * r.operations() / 1e9
		line.Settings = append(line.Settings, Setting{"gflops", rounded(gflops, 1)}, Setting{"mfu", rounded(gflops/peaks[i], 3)}, Setting{"share", rounded(gflops/peaks[i], 3)},
			Setting{"of", ceilingName(r.ceiling)}, Setting{"ceiling", rounded(peaks[i], 1)})
		if i == 0 {
			line.Settings = append(line.Settings, Setting{"compute_share", rounded(1-r.waited.Seconds()/r.took.Seconds(), 5)}, Setting{"peak_rss_bytes", memory}, Setting{"planned_bytes", r.planned.Total() + program}, Setting{"memory", r.held.Kinds()}, Setting{"loss", rounded(r.loss, 4)})
		}
		if err := show(line); err != nil {
			return err
		}
	}
	if len(r.threads) == 1 {
		return nil
	}
	line := summed("train", name+"/scaling", "of peaks' ratio", []float64{rates[0] / rates[1] / (peaks[0] / peaks[1])},
		append(common, Setting{"threads", r.threads[0]}, Setting{"speed_ratio", rounded(rates[0]/rates[1], 3)}, Setting{"peak_ratio", rounded(peaks[0]/peaks[1], 3)})...)
	line.Runs = r.o.Runs
	return show(line)
}
