package optim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Options are an optimizer's settings. Those that a rule does not have are not looked at.
type Options struct {
	Rule       string  `yaml:"optimizer" help:"rule by which weights move; empty chooses: muon for a new model, adamw otherwise" default:"" range:"|adamw|adam|amsgrad|adamw8|lion|lion8|adafactor|adafactor_fairseq|muon|sgd|schedule_free|schedule_free_sgd|nadam|radam|rmsprop|adagrad|adadelta|ademamix"`
	Beta1      float64 `yaml:"beta1" help:"decay of the mean of gradients" default:"0.9" range:"0..1"`
	Beta2      float64 `yaml:"beta2" help:"decay of the mean of squares; lion: of the mean" default:"0.95" range:"0..1"`
	Beta2Power float64 `yaml:"beta2_power" help:"beta2 of step k is at least 1 - 1/k^this (0.8 in PaLM); 0 leaves it as it is; adafactor: the whole of it, 0 is 0.8" default:"0" range:"0..10"`
	Beta3      float64 `yaml:"beta3" help:"ademamix: decay of the slow mean" default:"0.9999" range:"0..1"`
	SlowWeight float64 `yaml:"slow_weight" help:"ademamix: what the slow mean counts" default:"5" range:"0..1000"`
	Epsilon    float64 `yaml:"epsilon" help:"added to the denominator" default:"1e-8" range:"0..1"`
	Decay      float64 `yaml:"decay" help:"weight decay; norms, biases and embeddings have none unless a group says so" default:"0.1" range:"0..10"`
	Momentum   float64 `yaml:"momentum" help:"sgd and muon: decay of the momentum" default:"0.95" range:"0..1"`
	Dampening  float64 `yaml:"dampening" help:"sgd: share of a gradient that does not enter the momentum" default:"0" range:"0..1"`
	Nesterov   bool    `yaml:"nesterov" help:"sgd and muon: step as if the momentum had moved already" default:"true"`
	MuonScale  string  `yaml:"muon_scale" help:"muon: match_rms has steps of AdamW's size, so one lr is for both; original has those of its authors" default:"match_rms" range:"match_rms|original"`
	StepClip   float64 `yaml:"step_clip" help:"adafactor: largest root mean square of a step before the rate" default:"1" range:">0..1000"`
	Relative   bool    `yaml:"relative" help:"adafactor: steps are shares of a weight's size" default:"true"`
	TimedRate  bool    `yaml:"timed_rate" help:"adafactor_fairseq: the rate is min(1e-6·step, 1/√step) in place of lr" default:"false"`
	FirstMean  bool    `yaml:"first_mean" help:"adafactor_fairseq: average steps by beta1" default:"false"`
	Groups     []Group `yaml:"groups" help:"rows PATTERN lr=FACTOR decay=D optimizer=RULE frozen; a pattern is a parameter's name with * and, or a kind: matrix, vector, embedding, head; later rows win"`
	LayerDecay float64 `yaml:"layer_decay" help:"factor of the rate from a layer to the one below; 1 is the same for all" default:"1" range:">0..1"`
	ClipNorm   float64 `yaml:"clip_norm" help:"largest norm of the gradient; 0 does not clip" default:"1" range:"0..1000000"`
	ClipBy     string  `yaml:"clip_by" help:"what has this norm: all weights together, or those of each kind" default:"all" range:"all|kind"`
	Average    float64 `yaml:"ema" help:"decay of an average of the weights, which is then what is evaluated and written; 0 keeps none" default:"0" range:"0..1"`

	BF16 bool `yaml:"-"` // muon: round the operands of its products to bfloat16
}

// Group is a row of the table that says how which parameters move. Later rows win, field by field; before the first stand the rows that keep
// vectors and embeddings from decay.
type Group struct {
	Pattern string   // a parameter's name, in which * stands for anything, or a kind
	Rate    *float64 // factor of the learning rate
	Decay   *float64 // in place of Options.Decay
	Rule    string   // in place of Options.Rule
	Frozen  *bool
}

// UnmarshalText reads "PATTERN lr=0.1 decay=0 optimizer=adamw frozen"; frozen=no thaws what an earlier row froze.
func (g *Group) UnmarshalText(text []byte) error {
	fields := strings.Fields(string(text))
	if len(fields) == 0 {
		return fmt.Errorf("an empty group, expected a pattern and what holds for it")
	}
	*g = Group{Pattern: fields[0]}
	if len(fields) == 1 {
		return fmt.Errorf("group %q says nothing; add lr=FACTOR, decay=D, optimizer=RULE or frozen", text)
	}
	for _, f := range fields[1:] {
		name, value, given := strings.Cut(f, "=")
		var err error
		switch {
		case name == "frozen" && (!given || value == "yes" || value == "no"):
			frozen := value != "no"
			g.Frozen = &frozen
		case name == "lr" && given:
			g.Rate, err = number(value)
		case name == "decay" && given:
			g.Decay, err = number(value)
		case name == "optimizer" && given:
			if g.Rule = value; rules[value] == nil {
				err = fmt.Errorf("no such rule; there are %s", strings.Join(slices.Sorted(maps.Keys(rules)), ", "))
			}
		default:
			err = fmt.Errorf("expected lr=FACTOR, decay=D, optimizer=RULE or frozen")
		}
		if err != nil {
			return fmt.Errorf("group %q: %s: %w", text, f, err)
		}
	}
	return nil
}

func number(text string) (*float64, error) {
	var x float64
	if _, err := fmt.Sscanf(text, "%g", &x); err != nil || !(x >= 0) || x > 1e9 {
		return nil, fmt.Errorf("expected a number ≥ 0")
	}
	return &x, nil
}

// MarshalText writes what UnmarshalText reads.
func (g Group) MarshalText() ([]byte, error) {
	text := g.Pattern
	if g.Rate != nil {
		text += fmt.Sprintf(" lr=%v", *g.Rate)
	}
	if g.Decay != nil {
		text += fmt.Sprintf(" decay=%v", *g.Decay)
	}
	if g.Rule != "" {
		text += " optimizer=" + g.Rule
	}
	if g.Frozen != nil {
		text += map[bool]string{true: " frozen", false: " frozen=no"}[*g.Frozen]
	}
	return []byte(text), nil
}

// String is the row as it is written.
func (g Group) String() string {
	text, _ := g.MarshalText()
	return string(text)
}

// Check says what is wrong with the options.
func (o Options) Check() error {
	if o.rule() == nil {
		return fmt.Errorf("optimizer is %q, expected one of %s", o.Rule, strings.Join(slices.Sorted(maps.Keys(rules)), ", "))
	}
	for _, x := range []struct {
		name      string
		value     float64
		low, high float64
	}{
		{"beta1", o.Beta1, 0, 1}, {"beta2", o.Beta2, 0, 1}, {"beta3", o.Beta3, 0, 1}, {"momentum", o.Momentum, 0, 1}, {"dampening", o.Dampening, 0, 1},
		{"epsilon", o.Epsilon, 0, 1}, {"decay", o.Decay, 0, 10}, {"layer_decay", o.LayerDecay, 0, 1}, {"ema", o.Average, 0, 1},
	} {
		if !(x.value >= x.low && x.value <= x.high) {
			return fmt.Errorf("%s is %v, expected %v to %v", x.name, x.value, x.low, x.high)
		}
	}
	if !(o.ClipNorm >= 0) {
		return fmt.Errorf("clip_norm is %v, expected a norm ≥ 0; 0 does not clip", o.ClipNorm)
	}
	if (o.Rule == "schedule_free" || o.Rule == "schedule_free_sgd") && (o.Beta1 <= 0 || o.Beta1 >= 1) {
		return fmt.Errorf("beta1 is %v, expected between 0 and 1 for %s", o.Beta1, o.Rule)
	}
	return nil
}

// rule is the maker of the rule; the zero value is AdamW.
func (o Options) rule() func(Options, parameter) Rule {
	if o.Rule == "" {
		return rules["adamw"]
	}
	return rules[o.Rule]
}
