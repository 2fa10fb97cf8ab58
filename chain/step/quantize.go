package step

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"lian/dtype"
	"lian/event"
	"lian/format/gguf"
	"lian/model/checkpoint"
	"lian/quant"
)

// QuantizeOptions are the settings of lian quantize.
type QuantizeOptions struct {
	Method             string   `yaml:"method" help:"gguf writes a GGUF file of a mix; rtn (round to nearest), hqq (no calibration) and gptq write a folder in the layout of GPTQ, awq one in that of AutoAWQ (gemm), smoothquant int8 with a scale for each output (compressed-tensors, W8A8)" default:"gguf" range:"gguf|rtn|hqq|gptq|awq|smoothquant"`
	Type               string   `yaml:"type" help:"mix of types, as llama-quantize names them: q8_0 q6_k q5_k_m q4_k_m q4_0 iq4_xs q3_k_m q2_k iq2_xs … f16 bf16 f32" default:"q4_k_m"`
	Pure               bool     `yaml:"pure" help:"give every matrix the main type of the mix"`
	TensorType         []string `yaml:"tensor_type" help:"other types for some tensors, each NAME=TYPE; NAME is looked for in GGUF's names as a regular expression"`
	Keep               []string `yaml:"keep" help:"types of the head and the embedding: head=q8_0, embedding=f16"`
	Imatrix            string   `yaml:"imatrix" help:"importance matrix to round by: a GGUF or .dat file of llama-imatrix or of Lian"`
	quant.Affine       `yaml:",inline"`
	BudgetOptions      `yaml:",inline"`
	CalibrationOptions `yaml:",inline"`
	ImatrixOut         string `yaml:"imatrix_out" help:"write the importance matrix that --calibrate computed: GGUF, or llama.cpp's older form if the name ends in .dat; without OUT nothing else is written"`
	HeldOutOptions     `yaml:",inline"`
	DryRun             bool `yaml:"dry_run" help:"say what each tensor would become and stop"`
}

// QuantizeReport is what a file in fewer bits is.
type QuantizeReport struct {
	Type    string  `json:"type"`
	File    string  `json:"file,omitempty"`
	Bytes   int64   `json:"bytes,omitempty"`
	Tensors int     `json:"tensors,omitempty"`
	Bits    float64 `json:"bits_per_weight,omitempty"`
	// Types counts the tensors that each type got.
	Types map[string]int `json:"types,omitempty"`
	// Fallbacks count tensors that could not have the type meant for them.
	Fallbacks []Fallback `json:"fallbacks,omitempty"`
	// Requantized counts tensors that were in blocks before: their values had been rounded once already.
	Requantized int `json:"requantized,omitempty"`
	// Unweighted lists tensors that the importance matrix does not speak of.
	Unweighted  []string        `json:"without_importance,omitempty"`
	Calibration *Calibration    `json:"calibration,omitempty"`
	Imatrix     string          `json:"imatrix,omitempty"`    // the file that importance was read from or written to
	Plain       int             `json:"kept_plain,omitempty"` // products that the layout of a folder cannot hold
	Budget      *BudgetReport   `json:"budget,omitempty"`
	Measured    []MeasuredModel `json:"measured,omitempty"`
	// Unverified is why Lian cannot run the model, so that the result could be checked as a file only.
	Unverified string `json:"unverified,omitempty"`
	// Plan is what each tensor becomes, with --dry-run.
	Plan []PlannedTensor `json:"plan,omitempty"`
}

// Fallback is why tensors got another type than the one meant for them.
type Fallback struct {
	Type    string `json:"type"`
	Tensors int    `json:"tensors"`
	Reason  string `json:"reason"`
}

func (r *QuantizeReport) fellBack(c quant.Choice) {
	for i := range r.Fallbacks {
		if f := &r.Fallbacks[i]; f.Type == c.To.String() && f.Reason == c.Reason {
			f.Tensors++
			return
		}
	}
	r.Fallbacks = append(r.Fallbacks, Fallback{c.To.String(), 1, c.Reason})
}

// PlannedTensor is one line of a plan.
type PlannedTensor struct {
	Name   string `json:"tensor"`
	Shape  string `json:"shape"`
	From   string `json:"from"`
	To     string `json:"to"`
	Bytes  int64  `json:"bytes"`
	Reason string `json:"reason,omitempty"`
}

// quantization is one run of Quantize.
type quantization struct {
	QuantizeOptions
	ctx        context.Context
	events     event.Sink
	mix        quant.Mix
	settings   quant.Settings
	importance *quant.Imatrix // nil: none
	report     *QuantizeReport
}

// KindUnverified is the event that tells, before the work, why the result cannot be run to verify it.
const KindUnverified = "quantize.unverified"

// Quantize writes a model as a GGUF file of a mix's types and opens it again to verify it. A GGUF file that Lian cannot run is quantised
// too, as nothing but its tensors matters for that; then the result is verified as a file, and what needs a running model is refused.
func Quantize(ctx context.Context, in, out string, o QuantizeOptions, events event.Sink) (*QuantizeReport, error) {
	q := &quantization{QuantizeOptions: o, ctx: ctx, events: events, report: &QuantizeReport{File: out, Types: map[string]int{}}}
	if err := q.settle(); err != nil {
		return nil, err
	}
	if q.folder() {
		if err := q.quantizeFolder(in, out); err != nil {
			return nil, err
		}
		return q.report, q.measured(in, out)
	}
	source, err := openStored(in)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	if err := q.canRun(source); err != nil {
		return nil, err
	}
	if err := q.weigh(in); err != nil || out == "" && !o.DryRun {
		return q.report, err
	}
	if q.chosen() {
		if err := q.chooseTypes(in, source); err != nil {
			return nil, err
		}
	}
	choices := q.mix.Plan(source.infos(), source.model, q.settings)
	if q.chosen() {
		q.report.Type, q.mix.FileType = "chosen", quant.FileType(choices)
	}
	if err := q.look(choices); err != nil || o.DryRun {
		return q.report, err
	}
	if err := q.write(source, out, choices); err != nil {
		return nil, err
	}
	if err := q.measured(in, out); err != nil {
		return nil, err
	}
	return q.report, copyFile(suggestionsOf(source.path), suggestionsOf(out))
}

// folder says whether a folder is written instead of a GGUF file.
func (q *quantization) folder() bool { return q.Method != "gguf" && q.Method != "" }

// measured compares the result with its original, if there is a text for it.
func (q *quantization) measured(in, out string) (err error) {
	if q.Text != "" {
		q.report.Measured, err = measureAgainst(q.ctx, in, out, q.HeldOutOptions, q.events)
	}
	return err
}

// settle reads the options.
func (q *quantization) settle() (err error) {
	if q.mix, err = quant.Parse(q.Type); err != nil {
		return err
	}
	q.report.Type = q.mix.Name
	q.settings.Pure = q.Pure
	for _, text := range q.TensorType {
		o, err := quant.ParseOverride(text)
		if err != nil {
			return fmt.Errorf("--tensor-type %w", err)
		}
		q.settings.Overrides = append(q.settings.Overrides, o)
	}
	for _, text := range q.Keep {
		what, _, _ := strings.Cut(text, "=")
		o, err := quant.ParseOverride(text)
		switch {
		case err != nil:
			return fmt.Errorf("--keep %w", err)
		case what == "head":
			q.settings.Head = o.Type
		case what == "embedding":
			q.settings.Embedding = o.Type
		default:
			return fmt.Errorf("--keep %q: expected head=TYPE or embedding=TYPE; --tensor-type names any tensor", text)
		}
	}
	if q.folder() {
		if q.Bits == 0 {
			q.Bits = 4
			if q.Method == "smoothquant" {
				q.Bits = 8
			}
		}
		q.report.Type = fmt.Sprintf("%s, %d bits", q.Method, q.Bits)
		if q.DryRun || q.chosen() || q.Imatrix != "" || q.ImatrixOut != "" || len(q.TensorType) > 0 || len(q.Keep) > 0 {
			return fmt.Errorf("--method %s writes the same bits everywhere; budgets, plans, importance matrices and types of single tensors are for GGUF", q.Method)
		}
		if q.Calibrate == "" {
			q.Calibrate = builtinText
		}
		if q.report.File == "" {
			return fmt.Errorf("lian quantize IN needs OUT, a folder to write")
		}
		return nil
	}
	switch {
	case q.TargetSize != "" && q.MaxKL > 0:
		return fmt.Errorf("--target-size %s beside --max-kl %g: one of them decides, give one", q.TargetSize, q.MaxKL)
	case q.Imatrix != "" && q.Calibrate != "":
		return fmt.Errorf("--imatrix %s beside --calibrate %s: importance is read or computed; give one of them", q.Imatrix, q.Calibrate)
	case q.ImatrixOut != "" && q.Imatrix != "":
		return fmt.Errorf("--imatrix-out %s beside --imatrix %s, which is computed already", q.ImatrixOut, q.Imatrix)
	case q.report.File == "" && q.ImatrixOut == "" && !q.DryRun:
		return fmt.Errorf("lian quantize IN needs OUT, a .gguf file to write (or --imatrix-out for an importance matrix alone, or --dry-run)")
	}
	if q.Calibrate == "" && (q.ImatrixOut != "" || q.chosen()) {
		q.Calibrate = builtinText
	}
	return nil
}

// chosen says whether types are chosen for a budget instead of named.
func (q *quantization) chosen() bool { return q.TargetSize != "" || q.MaxKL > 0 }

// weigh reads or computes the importance matrix, if there is to be one.
func (q *quantization) weigh(in string) (err error) {
	switch {
	case q.Imatrix != "":
		q.report.Imatrix = q.Imatrix
		q.importance, err = quant.ReadImatrix(q.Imatrix)
	case q.Calibrate != "" || q.ImatrixOut != "" || q.chosen():
		err = q.calibrate(in)
	}
	q.settings.Imatrix = q.importance != nil
	return err
}

func (q *quantization) calibrate(in string) error {
	b, err := Backend()
	if err != nil {
		return err
	}
	m, err := OpenModel(in, b, checkpoint.Options{})
	if err != nil {
		return err
	}
	defer m.Close()
	var said Calibration
	if q.importance, said, err = m.importance(q.ctx, q.CalibrationOptions, q.events); err != nil {
		return err
	}
	q.report.Calibration = &said
	if q.ImatrixOut != "" {
		q.report.Imatrix = q.ImatrixOut
		return q.importance.Write(q.ImatrixOut)
	}
	return nil
}

// look takes the choices into the report, and says what is missing for them.
func (q *quantization) look(choices []quant.Choice) error {
	r, values := q.report, int64(0)
	for _, c := range choices {
		n, err := dtype.Elements(c.Shape)
		if err != nil {
			return err
		}
		values += int64(n)
		r.Tensors++
		r.Bytes += c.Bytes()
		r.Types[c.To.String()]++
		if c.FellBack {
			r.fellBack(c)
		}
		if c.From.Quantized() && c.From != c.To {
			r.Requantized++
		}
		if q.DryRun {
			r.Plan = append(r.Plan, PlannedTensor{c.Name, strings.Trim(fmt.Sprint(c.Shape), "[]"), c.From.String(), c.To.String(), c.Bytes(), c.Reason})
		}
		if q.importance == nil && c.NeedsImatrix && !q.DryRun {
			return fmt.Errorf("tensor %s: %v needs an importance matrix, without which it is useless; pass --imatrix FILE or --calibrate TEXT", c.Name, c.To)
		}
	}
	r.Bits = 8 * float64(r.Bytes) / float64(values)
	return nil
}

// metadata is the input's, with what was done to it.
func (q *quantization) metadata(source *tensorSource) []gguf.KeyValue {
	metadata := withKeys(source.metadata, gguf.KeyValue{Key: "general.quantization_version", Value: uint32(2)},
		gguf.KeyValue{Key: "general.file_type", Value: q.mix.FileType})
	if q.importance != nil {
		metadata = withKeys(metadata, q.importance.Keys(q.report.Imatrix)...)
	}
	return metadata
}

// write writes the chosen types and opens the file again.
func (q *quantization) write(source *tensorSource, out string, choices []quant.Choice) error {
	tensors := make([]gguf.Tensor, len(choices))
	for i, c := range choices {
		stored := source.tensors[c.Name]
		tensors[i] = gguf.Tensor{Name: c.Name, Type: c.To, Shape: c.Shape, Make: func() ([]byte, error) {
			if err := q.ctx.Err(); err != nil {
				return nil, err
			}
			q.events.Emit(event.KindProgress, event.Progress{Stage: "quantise " + q.report.Type, Done: int64(i), Total: int64(len(choices)), Unit: "tensors"})
			data, err := stored.Content()
			if err != nil || c.From == c.To {
				return data, err
			}
			var weights []float32
			if q.importance != nil && c.To.Quantized() {
				if weights, err = q.importance.Of(c.Name, c.Shape); err != nil {
					return nil, err
				}
				if weights == nil {
					q.report.Unweighted = append(q.report.Unweighted, c.Name)
					if c.NeedsImatrix {
						return nil, fmt.Errorf("%v needs importance, and the matrix has none for it", c.To)
					}
				}
			}
			return quant.Pack(c.To, c.From, c.Shape, data, weights)
		}}
	}
	dir := filepath.Dir(out)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(dir, ".lian-quantize-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	made := filepath.Join(work, filepath.Base(out))
	if _, err := gguf.Write(made, q.metadata(source), tensors, gguf.Options{}); err != nil {
		return err
	}
	if err := q.verify(made, choices); err != nil {
		return fmt.Errorf("what was written does not open, so it was not kept: %w", err)
	}
	info, err := os.Stat(made)
	if err != nil {
		return err
	}
	q.report.Bytes = info.Size()
	return os.Rename(made, out)
}

// suggestionsOf is where the suggested prompts of a model are: in its folder, or beside its file.
func suggestionsOf(path string) string {
	if base, ok := strings.CutSuffix(path, ".gguf"); ok {
		return base + ".suggestions.json"
	}
	return filepath.Join(path, "suggestions.json")
}
