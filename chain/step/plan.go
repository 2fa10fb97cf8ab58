package step

import (
	"context"
	"fmt"
	"strconv"

	"lian/chain"
	"lian/chain/report"
	"lian/compute/cpu"
	"lian/event"
	"lian/train"
)

// PlanOptions are what the plan is made of.
type PlanOptions struct {
	Minutes       float64 `yaml:"minutes" help:"time for the whole recipe on this machine" default:"10" range:">0..100000"`
	Seed          uint64  `yaml:"seed" help:"seed, for the report only" default:"1"`
	TrainBytes    int64   `yaml:"train_bytes" help:"bytes of training text"`
	Language      string  `yaml:"language" help:"language of the text, en or zh"`
	Examples      int     `yaml:"examples" help:"conversations to fine-tune on"`
	ExampleBytes  int64   `yaml:"example_bytes" help:"bytes of all conversations"`
	ExampleTurns  int     `yaml:"example_turns" help:"turns of all conversations"`
	PretrainShare float64 `yaml:"pretrain_share" help:"share of the time for pretraining" default:"0.44" range:"0..1"`
	TuneShare     float64 `yaml:"tune_share" help:"share of the time for each of the two ways of fine-tuning" default:"0.13" range:"0..1"`
	MaxEpochs     float64 `yaml:"max_epochs" help:"most passes over the training text" default:"16" range:">0..1000"`
	TokensPerSize float64 `yaml:"tokens_per_parameter" help:"tokens to read for each parameter outside the embedding, when choosing the size" default:"2" range:">0..1000"`
	Reference     float64 `yaml:"reference_speed" help:"use this many billion operations a second instead of a measurement; 0 measures" default:"0" range:"0..1000000000"`
}

// Plan is what was decided, once, for a whole run. Everything after it depends on
// these numbers and never on the clock.
type Plan struct {
	VocabSize       int     `json:"vocab_size"`
	Hidden          int     `json:"hidden"`
	Layers          int     `json:"layers"`
	Heads           int     `json:"heads"`
	KVHeads         int     `json:"kv_heads"`
	FeedForward     int     `json:"feed_forward"`
	Context         int     `json:"context"`
	StepTokens      int     `json:"step_tokens"`
	Steps           int     `json:"steps"`
	SaveEvery       int     `json:"save_every"`
	LearningRate    float64 `json:"lr"`
	DType           string  `json:"dtype"`
	TuneExamples    int     `json:"tune_examples"` // in one step
	TuneSteps       int     `json:"tune_steps"`
	TuneSaveEvery   int     `json:"tune_save_every"`
	TuneRate        float64 `json:"tune_lr"`
	LoRARate        float64 `json:"lora_lr"`
	Looks           int     `json:"looks"`
	Questions       int     `json:"questions"`       // of each task
	AgentQuestions  int     `json:"agent_questions"` // for the agent
	HeldOutTokens   int     `json:"held_out_tokens"`
	LoadRequests    int     `json:"load_requests"` // for each stream of the load test
	TokensPerSecond float64 `json:"tokens_per_second"`
	PeakGFLOPS      float64 `json:"peak_gflops"`
	TrainGFLOPS     float64 `json:"train_gflops"` // measured on a few training steps
	Epochs          float64 `json:"epochs"`
	Parameters      int     `json:"parameters"`
	Reason          string  `json:"reason"`
}

// MakePlan measures this machine and decides sizes and amounts.
func MakePlan(ctx context.Context, o PlanOptions, events event.Sink) (*Plan, error) {
	p := &Plan{VocabSize: vocabularyFor(o.TrainBytes), Context: 512}
	if o.TrainBytes < 1 {
		return nil, fmt.Errorf("plan: there is no training text; see the report of the data step for where it went")
	}
	b, err := Backend()
	if err != nil {
		return nil, err
	}
	if p.PeakGFLOPS, p.DType = cpu.MeasurePeak(ctx, b).GFLOPS, train.DTypeF32; cpu.MultipliesBF16() {
		p.DType = train.DTypeBF16
	}
	p.TrainGFLOPS = o.Reference
	budget := p.budget(o)
	size := budget.size(o.Reference)
	if o.Reference == 0 {
		if size, p.TrainGFLOPS, err = budget.measured(ctx, b, events); err != nil {
			return nil, err
		}
	}
	p.amounts(o, size)
	return p, nil
}

// budget is what pretraining may take.
func (p *Plan) budget(o PlanOptions) timeBudget {
	return timeBudget{seconds: o.Minutes * 60 * o.PretrainShare, ratio: o.TokensPerSize, most: o.MaxEpochs * p.textTokens(o), vocabulary: p.VocabSize, context: p.Context, dtype: p.DType}
}

// textTokens is an estimate of the tokens of the training text.
func (p *Plan) textTokens(o PlanOptions) float64 {
	return float64(o.TrainBytes) / bytesPerToken(p.VocabSize, o.Language)
}

// amounts decides everything but the size.
func (p *Plan) amounts(o PlanOptions, size Size) {
	seconds := o.Minutes * 60
	size.Context = p.Context
	p.Hidden, p.Layers, p.Heads, p.KVHeads, p.FeedForward = size.Hidden, size.Layers, size.Heads, size.KVHeads, size.FeedForward
	p.Parameters = size.inner() + p.VocabSize*size.Hidden
	p.TokensPerSecond = p.TrainGFLOPS * 1e9 / size.operations(p.VocabSize)
	tokens := min(p.TokensPerSecond*seconds*o.PretrainShare, o.MaxEpochs*p.textTokens(o))
	p.Epochs = tokens / p.textTokens(o)

	// With so few tokens, many small steps learn more than few large ones: measured, docs/log.md.
	p.StepTokens = stepTokens(tokens, size.operations(p.VocabSize))
	p.Steps = max(20, int(tokens/float64(p.StepTokens)))
	// about every five seconds, so that a kill costs no more
	p.SaveEvery = max(1, min(p.Steps, int(5*p.TokensPerSecond/float64(p.StepTokens))))
	p.Looks = 10
	p.LearningRate = learningRate(p.Hidden, tokens*size.operations(p.VocabSize))

	p.TuneExamples, p.TuneRate = 16, roundTo(p.LearningRate/6, 2) // smaller steps or a higher rate forget what was read: docs/log.md
	p.LoRARate = roundTo(2.5*p.TuneRate, 2)
	perExample := 64.0
	if o.Examples > 0 {
		// every turn has about six tokens of template around it
		perExample = (float64(o.ExampleBytes)/bytesPerToken(p.VocabSize, o.Language) + 6*float64(o.ExampleTurns)) / float64(o.Examples)
	}
	tuneTokens := p.TokensPerSecond * seconds * o.TuneShare * 0.8 // loss before and after, loading and saving take the rest
	p.TuneSteps = max(10, int(tuneTokens/(perExample*float64(p.TuneExamples))))
	if o.Examples > 0 { // ten times over the same conversations teaches nothing more
		p.TuneSteps = min(p.TuneSteps, max(10, 10*o.Examples/p.TuneExamples))
	}

	p.TuneSaveEvery = max(1, p.TuneSteps/4)

	share := o.Minutes / 10
	p.Questions = clamp(int(100*share), 30, 400)
	p.AgentQuestions = clamp(int(40*share), 12, 200)
	p.HeldOutTokens = clamp(int(16384*share), 4096, 65536)
	p.LoadRequests = clamp(int(8*share), 3, 32)
	p.Reason = fmt.Sprintf("%d layers of width %d, %d tokens in %d steps (%.1f passes over the text), at %.0f tokens/s", p.Layers, p.Hidden, p.Steps*p.StepTokens, p.Steps, p.Epochs, p.TokensPerSecond)
}

func clamp(x, low, high int) int { return max(low, min(x, high)) }

// roundTo keeps so many digits.
func roundTo(x float64, digits int) float64 {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', digits, 64), 64)
	if err != nil {
		return x
	}
	return rounded
}

// vocabularyFor is a vocabulary size for so much text: a token should be met often
// enough to be learnt.
func vocabularyFor(bytes int64) int {
	switch {
	case bytes < 100_000:
		return 512
	case bytes < 1_000_000:
		return 1024
	case bytes < 4_000_000:
		return 2048
	}
	return 4096
}

// bytesPerToken is an estimate before there is a tokenizer.
func bytesPerToken(vocab int, language string) float64 {
	if language == "zh" { // a character has three bytes and is mostly a token
		return map[int]float64{512: 1.6, 1024: 2.1, 2048: 2.7, 4096: 3.1}[vocab]
	}
	return map[int]float64{512: 1.8, 1024: 2.3, 2048: 2.9, 4096: 3.5}[vocab]
}

func planKind() chain.Kind {
	return chain.NewKind("plan", "1", "sizes and amounts for the time there is", func(ctx context.Context, c *chain.Context, o *PlanOptions) error {
		p, err := MakePlan(ctx, *o, c.Events)
		if err != nil {
			return err
		}
		if o.Minutes < 2 && o.TrainBytes > 1_000_000 {
			c.Note(fmt.Sprintf("%g minutes are little: reading and measuring alone take one; the model will be small and know little", o.Minutes))
		}
		c.Note("the plan: " + p.Reason)
		if err := setValues(c, p); err != nil {
			return err
		}
		machine := environment(o.Seed)
		machine.PeakGFLOPS = p.PeakGFLOPS
		return c.WriteCard(report.Card{
			Plan:        &report.Plan{Minutes: o.Minutes, PeakGFLOPS: p.PeakGFLOPS, TokensPerSecond: p.TokensPerSecond},
			Pretrain:    &report.Pretrain{Parameters: int64(p.Parameters), StepsTotal: p.Steps, TokensTotal: int64(p.Steps) * int64(p.StepTokens)},
			Environment: machine,
		})
	})
}
