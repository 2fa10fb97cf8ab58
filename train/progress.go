package train

import "time"

// Progress is one step as it is reported. What depends on the clock is here and nowhere else.
type Progress struct {
	Step         int           `json:"step"` // steps done
	Steps        int           `json:"steps"`
	Batch        int           `json:"batch"` // number of the batch, from 0; it runs ahead of the steps by the batches passed over
	Loss         float64       `json:"loss"`  // mean nats a label by the sequences' weights, before the step
	GradientNorm float64       `json:"gradient_norm"`
	LearningRate float64       `json:"lr"`
	Labels       int           `json:"labels"`            // targets asked in this step
	Tokens       int64         `json:"tokens"`            // targets asked since the start of the run
	Rows         int           `json:"rows"`              // computed in this step
	Domains      []DomainLoss  `json:"domains,omitempty"` // where the sequences are of more than one
	Groups       []GroupNorm   `json:"groups,omitempty"`  // where Trainer.Group names groups
	Took         time.Duration `json:"took_ns"`           // of this step, its data included
	Waited       time.Duration `json:"waited_ns"`         // of that, for data
	Rate         float64       `json:"tokens_per_second"` // rows computed a second in this step
	Left         time.Duration `json:"seconds_left_ns"`   // estimated from the mean of this process's steps
}

// DomainLoss is the part of a step that came from one domain of a mixture.
type DomainLoss struct {
	Domain int     `json:"domain"`
	Loss   float64 `json:"loss"` // mean nats a label by the sequences' weights
	Labels int     `json:"labels"`
}

// GroupNorm is the norm of the gradients of a group of parameters, before clipping.
type GroupNorm struct {
	Group string  `json:"group"`
	Norm  float64 `json:"norm"`
}
