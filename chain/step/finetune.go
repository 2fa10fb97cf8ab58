package step

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"lian/chat"
	"lian/compute"
	"lian/data/instruct"
	"lian/event"
	"lian/model"
	"lian/model/adapter"
	"lian/model/checkpoint"
	"lian/store"
	"lian/tokenizer"
	"lian/train"
	"lian/train/alert"
	"lian/train/pack"
)

// FinetuneOptions are what lian finetune takes.
type FinetuneOptions struct {
	Model     string         `yaml:"model" help:"model to start from"`
	Data      string         `yaml:"data" help:"folder with train.jsonl and heldout.jsonl, or one file: a conversation a line" resume:"free"`
	Template  string         `yaml:"template" help:"chat template instead of the model's own: the name of one that comes with Lian, or a file"`
	Method    string         `yaml:"method" help:"what moves: all weights, or an adapter" default:"full" range:"|full|lora"`
	LR        float64        `yaml:"lr" help:"peak learning rate; 0 takes 0.001 for full and 0.005 for lora" default:"0" range:"0..1"`
	LoRA      adapter.Config `yaml:"lora"`
	Train     train.Options  `yaml:"train"`
	Epochs    float64        `yaml:"epochs" help:"passes over the examples; 0 takes train.steps" default:"0" range:"0..1000"`
	Examples  int            `yaml:"examples" help:"examples in one optimizer step" default:"16" range:"1..100000"`
	Loss      string         `yaml:"loss_reduction" help:"what counts the same in a step: every label, every example, or in between" default:"token" range:"token|sample|square"`
	TimeLimit time.Duration  `yaml:"time_limit" help:"saves and stops before so much time has passed, as 90m or 8h; 0 is none" default:"0s" resume:"free"`
	Alert     alert.Options  `yaml:"alert" resume:"free"`
	HeldOut   int            `yaml:"held_out" help:"held-out examples whose loss is measured before and after" default:"200" range:"0..1000000" resume:"free"`
	Figures   FigureOptions  `yaml:",inline" resume:"free"`
}

// FinetuneReport is what came of it.
type FinetuneReport struct {
	Method       string  `json:"method"`
	Template     string  `json:"template,omitempty"` // that stands in for the model's own
	Output       string  `json:"output"`             // folder of the model or of the adapter
	Trainable    int     `json:"trainable"`
	Examples     int     `json:"examples"`
	TooLong      int     `json:"too_long"` // examples left out because they exceed the context
	Steps        int     `json:"steps"`
	LearningRate float64 `json:"learning_rate"`
	Rank         int     `json:"rank,omitempty"`
	HeldOut      int     `json:"held_out"`    // examples measured
	LossBefore   float64 `json:"loss_before"` // held out, nats a label
	LossAfter    float64 `json:"loss_after"`
	Bytes        int64   `json:"bytes"` // of the weights that were saved
}

// Finetune teaches a model conversations, with loss on answers only. The full method writes dir/model, lora dir/adapter.
func Finetune(ctx context.Context, dir string, o FinetuneOptions, events event.Sink) (r FinetuneReport, err error) {
	r.Method = o.Method
	events, end, err := withAlerts(o.Alert, dir, events)
	if err != nil {
		return r, err
	}
	defer func() { end(err) }()
	b, err := Backend()
	if err != nil {
		return r, err
	}
	m, err := OpenModel(o.Model, b, checkpoint.Options{Float32: true})
	if err != nil {
		return r, err
	}
	defer m.Close()
	if err := m.UseTemplate(o.Template); err != nil {
		return r, err
	}
	tpl, err := m.NeedTemplate()
	if err != nil {
		return r, err
	}
	r.Template = m.StandIn
	examples, tooLong, err := encodeExamples(trainFile(o.Data), m.Tokenizer, tpl, m.Model.Spec.Context)
	if err != nil {
		return r, err
	}
	if err := pack.Reduce(examples, o.Loss); err != nil {
		return r, err
	}
	source, err := pack.NewExamples(examples, o.Examples, o.Train.Seed)
	if err != nil {
		return r, fmt.Errorf("%s: %w", o.Data, err)
	}
	r.Examples, r.TooLong = len(examples), tooLong
	t := &train.Trainer{Options: o.Train, Backend: b, Model: m.Model, Weights: m.Model.Parameters(), Source: source, Events: events, TimeLimit: o.TimeLimit}
	if o.Epochs == 0 && o.Train.Steps == 0 {
		o.Epochs = 3
	}
	if o.Epochs > 0 {
		t.Options.Steps = max(1, int(math.Round(o.Epochs*float64(len(examples))/float64(o.Examples))))
	}
	t.Options.Schedule.LearningRate = rate(o)
	var form train.Form = modelForm{b, m.Family, m.Model.Spec, m.Config, m.Tokenizer, tpl, m.Separator, true}
	var lora *adapter.LoRA
	if o.Method == "lora" {
		if lora, err = adapter.New(b, m.Model, m.Bindings, o.LoRA, o.Train.Seed); err != nil {
			return r, err
		}
		t.Adapter, t.Weights, r.Rank = lora, lora.Parameters(), o.LoRA.Rank
		form = adapterForm{b, m.Model, m.Bindings, o.LoRA, m.Path}
	}
	settings := o
	settings.Train = t.Options
	t.Describe = describes(m.Tokenizer, nil)
	keepStates(t, dir, form, append(train.Settings(settings), train.Setting{Name: "examples", Value: strconv.Itoa(len(examples))}))
	r.Trainable, r.Steps, r.LearningRate = t.Weights.Count(), t.Options.Steps, t.Options.Schedule.LearningRate
	held, err := heldOutExamples(o, m, tpl)
	if err != nil {
		return r, err
	}
	r.HeldOut = len(held)
	if r.LossBefore, err = exampleLoss(ctx, b, m.Model, nil, held); err != nil {
		return r, err
	}
	rec := o.Figures.record(ctx, t, recorded{dir: dir, spec: m.Model.Spec}, events)
	t.OnStep = func(p train.Progress) { rec.step("finetune", p) }
	if err := errors.Join(t.Run(ctx), rec.close()); err != nil {
		return r, err
	}
	if r.LossAfter, err = exampleLoss(ctx, b, m.Model, t.Adapter, held); err != nil {
		return r, err
	}
	weights := ""
	if lora != nil {
		r.Output = filepath.Join(dir, "adapter")
		weights = filepath.Join(r.Output, "adapter_model.safetensors")
		err = lora.Save(r.Output, b.NewStream(), m.Bindings, m.Path)
	} else {
		r.Output = filepath.Join(dir, "model")
		weights = filepath.Join(r.Output, "model.safetensors")
		err = saveModel(r.Output, b.NewStream(), m.Family, m.Model, m.Config, m.Tokenizer, tpl, m.Separator, true)
		if err == nil {
			err = copyFile(filepath.Join(dataFolder(o.Data), "suggestions.json"), filepath.Join(r.Output, "suggestions.json"))
		}
	}
	if err != nil {
		return r, err
	}
	info, err := os.Stat(weights)
	if err != nil {
		return r, err
	}
	r.Bytes = info.Size()
	return r, store.WriteJSON(filepath.Join(dir, "finetune.json"), r)
}

// rate is the peak learning rate, with the method's own default.
func rate(o FinetuneOptions) float64 {
	switch {
	case o.LR > 0 || o.Train.Schedule.LearningRate > 0:
		return cmp.Or(o.LR, o.Train.Schedule.LearningRate)
	case o.Method == "lora":
		return 0.005
	}
	return 0.001
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func trainFile(data string) string {
	if isFolder(data) {
		return filepath.Join(data, "train.jsonl")
	}
	return data
}

func dataFolder(data string) string {
	if isFolder(data) {
		return data
	}
	return filepath.Dir(data)
}

// encodeExamples reads conversations as sequences whose answers are learnt. Those longer than the context are left out and counted.
func encodeExamples(file string, tok *tokenizer.Tokenizer, tpl *chat.Template, context int) (out []train.Sequence, tooLong int, err error) {
	err = readLines(file, func(line []byte, number int) error {
		var e instruct.Example
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("%s:%d: %w", file, number, err)
		}
		encoding, err := chat.Encode(tok, tpl, e.Messages, chat.Options{Tools: e.Tools})
		if err != nil {
			return fmt.Errorf("%s:%d: %w", file, number, err)
		}
		if len(encoding.IDs) > context {
			tooLong++
			return nil
		}
		out = append(out, pack.FromMask(encoding.IDs, encoding.Mask))
		return nil
	})
	return out, tooLong, err
}

// readLines calls f for each line that is not empty.
func readLines(file string, f func(line []byte, number int) error) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 1<<16), 1<<28)
	for number := 1; lines.Scan(); number++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		if err := f(lines.Bytes(), number); err != nil {
			return err
		}
	}
	return lines.Err()
}

func heldOutExamples(o FinetuneOptions, m *Opened, tpl *chat.Template) ([]train.Sequence, error) {
	file := filepath.Join(dataFolder(o.Data), "heldout.jsonl")
	if _, err := os.Stat(file); o.HeldOut == 0 || os.IsNotExist(err) {
		return nil, nil
	}
	held, _, err := encodeExamples(file, m.Tokenizer, tpl, m.Model.Spec.Context)
	return held[:min(len(held), o.HeldOut)], err
}

// exampleLoss is the mean nats a label of examples, through an adapter if there is one.
func exampleLoss(ctx context.Context, b compute.Backend, m model.Model, a model.Adapter, examples []train.Sequence) (float64, error) {
	if len(examples) == 0 {
		return 0, nil
	}
	sum, labels := 0.0, 0
	s, arena := b.NewStream(), compute.NewArena(b, 1<<20)
	for from := 0; from < len(examples); {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		batch, targets := &model.Batch{}, []int32{}
		for ; from < len(examples) && (batch.Rows() == 0 || batch.Rows()+len(examples[from].IDs) <= 2048); from++ {
			batch.Add(examples[from].IDs, 0, nil)
			targets = append(targets, examples[from].Targets...)
			labels += examples[from].Labels()
		}
		arena.Reset()
		pass := &model.Pass{Stream: s, Arena: arena, Adapter: a, Precision: model.Exact}
		hidden, err := m.Forward(pass, batch)
		if err != nil {
			return 0, err
		}
		loss, err := model.CrossEntropy(pass, m, hidden, targets, nil, 0, nil)
		if err != nil {
			return 0, err
		}
		values := make([]float32, len(targets))
		if err := s.Read(loss, compute.HostBytes(values)); err != nil {
			return 0, err
		}
		for _, v := range values {
			sum += float64(v)
		}
	}
	return sum / float64(labels), nil
}
