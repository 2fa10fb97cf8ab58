package figure

import "time"

// Kinds of events of training.
const (
	KindStep       = "train.step"              // payload Step
	KindHeldOut    = "train.heldout"           // payload HeldOut
	KindPrompts    = "train.prompts"           // payload Prompts
	KindTasks      = "train.tasks"             // payload Tasks
	KindEvalFailed = "train.evaluation_failed" // payload EvaluationFailed
	KindMachine    = "train.machine"           // payload Machine
)

// Step is a training step as everyone reads it. Figures that are not known are 0 and left out.
type Step struct {
	Step         int     `json:"step"` // steps done
	Steps        int     `json:"steps"`
	Loss         float64 `json:"loss"` // mean nats a label by the sequences' weights, before the step
	GradientNorm float64 `json:"gradient_norm"`
	LearningRate float64 `json:"lr"`
	Labels       int     `json:"labels"`            // targets asked in this step
	Tokens       int64   `json:"tokens"`            // targets asked since the start of the run
	Skipped      int     `json:"skipped,omitempty"` // batches that the guard has passed over so far

	BitsPerByte float64  `json:"bits_per_byte,omitempty"` // of this step's text
	Domains     []Domain `json:"domains,omitempty"`       // where there is more than one

	Seconds float64       `json:"seconds,omitempty"`                  // this step took
	Waited  float64       `json:"waited,omitempty"`                   // of that, for data
	Compute float64       `json:"compute_share,omitempty"`            // what the rest is of the step: 1 where data was always there
	Rate    float64       `json:"tokens_per_second"`                  // rows computed a second in this step
	Mean    float64       `json:"tokens_per_second_mean,omitempty"`   // since this process began
	Moving  float64       `json:"tokens_per_second_moving,omitempty"` // over the last steps, see Rates
	FLOPS   float64       `json:"flops,omitempty"`                    // operations of the model a second
	MFU     float64       `json:"mfu,omitempty"`                      // operations of the model as a share of the measured peak
	HFU     float64       `json:"hfu,omitempty"`                      // with those that recomputation repeats; only where there is some
	Left    time.Duration `json:"seconds_left_ns"`                    // estimated from the mean of this process's steps

	Detail *Detail `json:"detail,omitempty"`
}

// Domain is a step's text of one domain or language.
type Domain struct {
	Name        string  `json:"name"`
	Loss        float64 `json:"loss"`                    // mean nats a label
	BitsPerByte float64 `json:"bits_per_byte,omitempty"` // 0 where the bytes of tokens are not known
	Labels      int     `json:"labels"`
}

// Detail is what is looked at every so many steps.
type Detail struct {
	GradientNorms map[string]float64 `json:"gradient_norms,omitempty"` // by group, before clipping
	UpdateRatios  map[string]float64 `json:"update_ratios,omitempty"`  // by group: norm of what a step adds / norm of the weights
	// AttentionLogits are the largest scores of each layer before the softmax, in the first micro-batch of the step.
	AttentionLogits []float64        `json:"attention_logits,omitempty"`
	Memory          map[string]int64 `json:"memory,omitempty"` // bytes by kind: resident, peak, weights, gradients, optimizer, activations
}

// HeldOut is a look at held-out text.
type HeldOut struct {
	Step        int             `json:"step"`
	Tokens      int64           `json:"tokens"` // learnt from so far
	BitsPerByte float64         `json:"bits_per_byte"`
	Documents   int             `json:"documents"`
	Final       bool            `json:"final"`
	Domains     []HeldOutDomain `json:"domains,omitempty"` // where there is more than one
}

// HeldOutDomain is the held-out text of one domain or language.
type HeldOutDomain struct {
	Name        string  `json:"name"`
	BitsPerByte float64 `json:"bits_per_byte"`
	Documents   int     `json:"documents"`
}

// Prompts is how the model goes on with the fixed prompts.
type Prompts struct {
	Step     int      `json:"step"`
	Progress float64  `json:"progress"` // 0 to 1
	Prompts  []string `json:"prompts"`
	Answers  []string `json:"answers"`
}

// Tasks are the scores of a look at tasks.
type Tasks struct {
	Step   int         `json:"step"`
	Tokens int64       `json:"tokens"`
	Scores []TaskScore `json:"scores"`
}

// TaskScore is one task's score with its uncertainty.
type TaskScore struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"` // share of right answers
	Low   float64 `json:"low"`   // of the 95 % interval
	High  float64 `json:"high"`
	Count int     `json:"count"` // questions
}

// EvaluationFailed says that a look did not work; training goes on.
type EvaluationFailed struct {
	Step  int    `json:"step"`
	What  string `json:"what"` // heldout, prompts, tasks
	Error string `json:"error"`
}

// Machine is what a run's shares are shares of.
type Machine struct {
	CPU        string  `json:"cpu"`
	Workers    int     `json:"workers"`
	Kernels    string  `json:"kernels"`
	Memory     int64   `json:"memory"` // bytes that there are
	PeakFLOPS  float64 `json:"peak_flops"`
	PeakType   string  `json:"peak_type"` // f32 or bf16: what the products are made of
	Parameters int     `json:"parameters"`
}
