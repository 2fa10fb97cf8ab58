package step

import (
	"context"
	"sync"
	"time"

	"lian/compute/cpu"
	"lian/config"
	"lian/machine"
	"lian/train"
)

// Fit is what a model takes on this machine, by its configuration and the sizes of its tensors; no weight is read.
type Fit struct {
	Run         bool    `json:"run"`
	RunBytes    int64   `json:"run_bytes"`     // weights as stored, keys and values of 4096 tokens, working memory
	TokenMillis float64 `json:"token_ms"`      // for a token of a reply: what is read of memory for it, at the measured bandwidth
	LoRA        bool    `json:"finetune_lora"` // fine-tuning an adapter
	LoRABytes   int64   `json:"finetune_lora_bytes"`
	Full        bool    `json:"finetune_full"` // fine-tuning every weight
	FullBytes   int64   `json:"finetune_full_bytes"`
	About       bool    `json:"about,omitempty"` // without the configuration, from the number of parameters
}

// Capacity is what this machine has.
type Capacity struct {
	Memory    int64   `json:"memory_bytes"`
	Bandwidth float64 `json:"bandwidth_gbs"` // GB/s, measured
}

const (
	program = 64 << 20 // bytes of Lian itself with tokenizer and tables
	usable  = 0.9      // of the memory; the system wants the rest
)

// MeasureCapacity asks how much memory there is and measures how fast it is read.
func MeasureCapacity(ctx context.Context) (Capacity, error) {
	b, err := Backend()
	if err != nil {
		return Capacity{}, err
	}
	total, _ := machine.Memory()
	return Capacity{Memory: total, Bandwidth: cpu.CeilingMeter(b, cpu.CeilingRead)(ctx, 250*time.Millisecond)}, nil
}

// fit counts for a model that is here.
func (c Capacity) fit(m *ModelFacts, memory *MemoryFacts) *Fit {
	f := &Fit{}
	row := m.activations()
	f.RunBytes = memory.Total
	weights := memory.Weights
	if m.Active > 0 && m.Parameters > 0 { // the other experts are not read
		weights = int64(float64(weights) * float64(m.Active) / float64(m.Parameters))
	}
	read := weights + memory.Cache/2
	if !m.TiedEmbedding && m.Parameters > 0 { // of the embedding one row is read
		read -= int64(float64(memory.Weights) * float64(m.Vocab) * float64(m.Hidden) / float64(m.Parameters))
	}
	c.rest(f, m.Parameters, read, 2*row*fitMicroTokens())
	return f
}

// guess counts for a model of which only the number of parameters is known: weights of 16 bits, a tenth for all else.
func (c Capacity) guess(parameters, bytes int64) *Fit {
	f := &Fit{About: true, RunBytes: bytes + bytes/10 + program}
	c.rest(f, parameters, bytes, parameters/4)
	return f
}

// fitMicroTokens is how many tokens training takes at once unless told otherwise.
var fitMicroTokens = sync.OnceValue(func() int64 {
	var o train.Options
	if err := config.Defaults(&o); err != nil {
		panic(err) // a wrong tag
	}
	return int64(o.MicroTokens)
})

// rest fills in what follows: fine-tuning holds float32 weights; training all of them needs a gradient and two moments of each.
func (c Capacity) rest(f *Fit, parameters, read, activations int64) {
	if c.Bandwidth > 0 {
		f.TokenMillis = float64(read) / c.Bandwidth / 1e6
	}
	adapter := parameters / 100 * 16
	f.LoRABytes = 4*parameters + adapter + 4*activations + program
	f.FullBytes = 16*parameters + 4*activations + program
	room := int64(usable * float64(c.Memory))
	f.Run, f.LoRA, f.Full = f.RunBytes <= room, f.LoRABytes <= room, f.FullBytes <= room
}

// activations are the values that training keeps of one token.
func (m *ModelFacts) activations() int64 {
	return int64(m.Layers)*int64(6*m.Hidden+2*(m.Heads+m.KVHeads)*m.HeadSize+3*m.FeedForward) + int64(2*m.Hidden)
}

// AddFits measures this machine and says of every model of a list what it can do with it.
func AddFits(ctx context.Context, list []ListedModel) (Capacity, error) {
	c, err := MeasureCapacity(ctx)
	if err != nil {
		return c, err
	}
	for i := range list {
		m := &list[i]
		switch {
		case m.facts != nil && m.memory != nil:
			m.Fit = c.fit(m.facts, m.memory)
		case m.Where == "hub":
			m.Fit = c.guess(m.Parameters, m.Bytes)
		}
	}
	return c, nil
}
