package step

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"lian/compute"
	"lian/config"
	"lian/dtype"
	"lian/engine"
	"lian/event"
	"lian/format/gguf"
	"lian/model"
	"lian/model/checkpoint"
	"lian/quant"
)

// BudgetOptions let a mix be chosen instead of named: each tensor's type by how much the model's predictions suffer from it.
type BudgetOptions struct {
	TargetSize string  `yaml:"target_size" help:"choose types instead of --type, for the least loss in a file of so many bytes, such as 80MB, or so many bits a weight, such as 4.5bpw"`
	MaxKL      float64 `yaml:"max_kl" help:"choose types instead of --type, for the smallest file whose divergence from the original is no more than so many nats a token" default:"0" range:"0..100"`
}

// BudgetReport says how a chosen mix came out.
type BudgetReport struct {
	Tokens      int     `json:"tokens"` // on which sensitivity was measured
	PredictedKL float64 `json:"predicted_kl"`
	MeasuredKL  float64 `json:"measured_kl"` // on the same tokens, of all types together
}

// Tokens on which a tensor's sensitivity is measured, and on which a whole mix is.
const (
	sensitivityTokens = 128
	mixTokens         = 1024
)

// budgeting measures what each tensor's types would do to the predictions.
type budgeting struct {
	*quantization
	source   *tensorSource
	original *Opened // its weights as they are stored
	changed  *Opened // float32 weights that are written over
	stream   compute.Stream
	few, all *engine.Foretold
	groups   []weightGroup
}

// weightGroup is a tensor of the file with the parameters that lie in it and the types it may get.
type weightGroup struct {
	name       string
	shape      []int
	parameters []int
	types      []dtype.Type
}

// chooseTypes sets the types of an automatic mix.
func (q *quantization) chooseTypes(in string, source *tensorSource) (err error) {
	b, err := Backend()
	if err != nil {
		return err
	}
	g := &budgeting{quantization: q, source: source, stream: b.NewStream()}
	if g.original, err = OpenModel(in, b, checkpoint.Options{}); err != nil {
		return err
	}
	defer g.original.Close()
	if g.changed, err = OpenModel(in, b, checkpoint.Options{Float32: true}); err != nil {
		return err
	}
	defer g.changed.Close()
	chunks, _, err := g.original.calibrationChunks(q.CalibrationOptions)
	if err != nil {
		return err
	}
	texts := piecesOf(chunks, mixTokens)
	compared := engine.Compared{Model: g.original.Model, Precision: model.Exact}
	if g.few, err = engine.Foretell(q.ctx, b, compared, piecesOf(chunks, sensitivityTokens)); err != nil {
		return err
	}
	if g.all, err = engine.Foretell(q.ctx, b, compared, texts); err != nil {
		return err
	}
	g.group()
	candidates, err := g.candidates()
	if err != nil {
		return err
	}
	return g.spend(candidates)
}

// piecesOf are the first so many tokens of some chunks, none longer than 512.
func piecesOf(chunks [][]int32, tokens int) (texts [][]int32) {
	for _, c := range chunks {
		n := min(len(c), tokens, 512)
		if n < 2 {
			break
		}
		texts, tokens = append(texts, c[:n]), tokens-n
	}
	return texts
}

// group finds the parameters of each tensor and the types it may get; what was asked for by name stays so.
func (g *budgeting) group() {
	at := map[string]int{}
	for _, c := range g.mix.Plan(g.source.infos(), g.source.model, g.settings) {
		if c.Reason == quant.Kept || len(c.Shape) < 2 {
			continue
		}
		w := weightGroup{name: c.Name, shape: c.Shape, types: []dtype.Type{c.To}}
		if c.Reason != quant.Asked {
			w.types = quant.Ladder(c.Shape[len(c.Shape)-1])
		}
		at[c.Name] = len(g.groups)
		g.groups = append(g.groups, w)
	}
	for i, b := range g.original.Bindings {
		if k, ok := at[b.GGUF.Name]; ok {
			g.groups[k].parameters = append(g.groups[k].parameters, i)
		}
	}
}

// put brings the values that types give into the model that is changed; Invalid restores a tensor. It returns the damage.
func (g *budgeting) put(w *weightGroup, t dtype.Type) (damage float64, err error) {
	for _, i := range w.parameters {
		values, err := model.Floats(g.stream, g.original.Model.Parameters().All()[i].Tensor)
		if err != nil {
			return 0, err
		}
		x := g.changed.Model.Parameters().All()[i].Tensor
		if t != dtype.Invalid {
			d, back, err := quant.Damage(t, x.Shape, values, g.weights(w, x.Shape))
			if err != nil {
				return 0, fmt.Errorf("tensor %s as %v: %w", w.name, t, err)
			}
			damage, values = damage+d, back
		}
		g.stream.Write(x, compute.HostBytes(values))
	}
	return damage, nil
}

// weights are the importance of a tensor's columns, nil where a parameter has others.
func (g *budgeting) weights(w *weightGroup, shape []int) []float32 {
	if weights, err := g.importance.Of(w.name, shape); err == nil {
		return weights
	}
	return nil
}

// bands is into how many runs of layers a model is parted: the tensors of one kind in a run are measured together.
const bands = 6

// band names what is measured together: tensors of one kind in neighbouring layers.
func (g *budgeting) band(name string) string {
	layer, kind := quant.LayerOf(name)
	if layer < 0 {
		return name
	}
	return fmt.Sprint(layer*bands/max(g.source.model.Layers, layer+1), kind)
}

// candidates measures what each tensor's types would cost. The divergence that one type brings, for all tensors of a band together,
// is what any damage in them is worth: both grow with the square of small errors.
func (g *budgeting) candidates() (list []quant.Candidates, err error) {
	members, names := map[string][]int{}, []string{}
	for n, w := range g.groups {
		b := g.band(w.name)
		if members[b] == nil {
			names = append(names, b)
		}
		members[b] = append(members[b], n)
	}
	list = make([]quant.Candidates, len(g.groups))
	for at, name := range names {
		g.events.Emit(event.KindProgress, event.Progress{Stage: "sensitivity", Done: int64(at), Total: int64(len(names)), Unit: "groups"})
		if err := g.ctx.Err(); err != nil {
			return nil, err
		}
		worth, err := g.worth(members[name])
		if err != nil {
			return nil, err
		}
		for _, n := range members[name] {
			w := &g.groups[n]
			c := quant.Candidates{Name: w.name}
			for _, t := range w.types {
				damage, err := g.sampled(w, t)
				if err != nil {
					return nil, err
				}
				c.List = append(c.List, quant.Candidate{Type: t, Bytes: quant.Choice{To: t, Shape: w.shape}.Bytes(), Loss: worth * damage})
			}
			list[n] = c
		}
	}
	return list, nil
}

// worth is the divergence for each unit of damage in some tensors.
func (g *budgeting) worth(members []int) (float64, error) {
	damage := 0.0
	for _, n := range members {
		w := &g.groups[n]
		d, err := g.put(w, w.types[min(1, len(w.types)-1)])
		if err != nil {
			return 0, err
		}
		damage += d
	}
	r, err := g.few.Compare(g.ctx, engine.Compared{Model: g.changed.Model, Precision: model.Exact})
	if err != nil || damage == 0 {
		return 0, err
	}
	for _, n := range members {
		if _, err := g.put(&g.groups[n], dtype.Invalid); err != nil {
			return 0, err
		}
	}
	return r.MeanKL / damage, nil
}

// sampledRows is about how many rows of a parameter tell what a type does to all.
const sampledRows = 128

// sampled is the damage that a type does to a tensor, from some of its rows.
func (g *budgeting) sampled(w *weightGroup, t dtype.Type) (damage float64, err error) {
	for _, i := range w.parameters {
		p := g.original.Model.Parameters().All()[i].Tensor
		cols := p.Shape[len(p.Shape)-1]
		rows := p.Elements() / cols
		every := max(rows/sampledRows, 1)
		values, err := model.Floats(g.stream, p)
		if err != nil {
			return 0, err
		}
		var weights []float32
		if len(p.Shape) == 2 { // experts have weights of their own, and many rows
			weights = g.weights(w, p.Shape)
		}
		some := make([]float32, 0, (rows/every+1)*cols)
		for r := 0; r < rows; r += every {
			some = append(some, values[r*cols:(r+1)*cols]...)
		}
		d, _, err := quant.Damage(t, []int{len(some) / cols, cols}, some, weights)
		if err != nil {
			return 0, fmt.Errorf("tensor %s as %v: %w", w.name, t, err)
		}
		damage += d * float64(rows*cols) / float64(len(some))
	}
	return damage, nil
}

// spend chooses for the budget.
func (g *budgeting) spend(candidates []quant.Candidates) error {
	r := &BudgetReport{}
	g.report.Budget = r
	if g.TargetSize != "" {
		allowed, err := g.allowed(candidates)
		if err != nil {
			return err
		}
		b := quant.NewBudget(candidates)
		if err := b.Spend(allowed); err != nil {
			return fmt.Errorf("--target-size %s: %w", g.TargetSize, err)
		}
		g.settings.Given, r.PredictedKL = b.Types(), b.Loss
		return g.measure(r)
	}
	// What tensors do together is not quite the sum of what they do alone: the sum is put right by what is measured.
	scale := 1.0
	var best map[string]dtype.Type
	var bestReport BudgetReport
	for round := range 6 {
		b := quant.NewBudget(candidates)
		reached := b.Reach(g.MaxKL / scale)
		g.settings.Given, r.PredictedKL = b.Types(), b.Loss
		if err := g.measure(r); err != nil {
			return err
		}
		if r.MeasuredKL <= g.MaxKL && (best == nil || g.bytesOf(b.Types()) < g.bytesOf(best)) {
			best, bestReport = b.Types(), *r
		}
		if best != nil && bestReport.MeasuredKL > 0.95*g.MaxKL || !reached && r.MeasuredKL > g.MaxKL || round == 5 || b.Loss == 0 {
			break
		}
		scale = max(r.MeasuredKL/b.Loss, scale*0.5)
	}
	if best == nil {
		return fmt.Errorf("--max-kl %g: the best types tried diverge by %.3g nats a token on %d tokens", g.MaxKL, r.MeasuredKL, r.Tokens)
	}
	g.settings.Given, *r = best, bestReport
	return nil
}

func (g *budgeting) bytesOf(types map[string]dtype.Type) (bytes int64) {
	for _, w := range g.groups {
		bytes += quant.Choice{To: types[w.name], Shape: w.shape}.Bytes()
	}
	return bytes
}

// allowed is what the tensors that are chosen may take, of what the file may.
func (g *budgeting) allowed(candidates []quant.Candidates) (int64, error) {
	smallest := map[string]dtype.Type{}
	for _, c := range candidates {
		smallest[c.Name] = slices.MinFunc(c.List, func(a, b quant.Candidate) int { return int(a.Bytes - b.Bytes) }).Type
	}
	s := g.settings
	s.Given = smallest
	choices := g.mix.Plan(g.source.infos(), g.source.model, s)
	values, bytes := int64(0), int64(0)
	for _, c := range choices {
		n, err := dtype.Elements(c.Shape)
		if err != nil {
			return 0, err
		}
		values, bytes = values+int64(n), bytes+c.Bytes()
	}
	rest := bytes - g.bytesOf(smallest)
	if text, ok := strings.CutSuffix(strings.ToLower(g.TargetSize), "bpw"); ok {
		bits, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil || !(bits > 0 && bits <= 32) {
			return 0, fmt.Errorf("--target-size %q: expected bits a weight such as 4.5bpw, or a size such as 80MB", g.TargetSize)
		}
		return int64(bits*float64(values)/8) - rest, nil
	}
	var size config.Bytes
	if err := size.UnmarshalText([]byte(g.TargetSize)); err != nil {
		return 0, fmt.Errorf("--target-size: %w, or bits a weight such as 4.5bpw", err)
	}
	tensors := make([]gguf.Tensor, len(choices))
	for i, c := range choices {
		tensors[i] = gguf.Tensor{Name: c.Name, Type: c.To, Shape: c.Shape, Make: func() ([]byte, error) { return nil, nil }}
	}
	whole, err := gguf.Size(g.metadata(g.source), tensors, gguf.Options{})
	// a tensor is padded by less than an alignment, whatever type it gets
	return int64(size) - (whole - bytes) - rest - int64(len(choices))*gguf.DefaultAlignment, err
}

// measure computes the whole mix.
func (g *budgeting) measure(r *BudgetReport) error {
	for n := range g.groups {
		g.events.Emit(event.KindProgress, event.Progress{Stage: "trying", Done: int64(n), Total: int64(len(g.groups)), Unit: "tensors"})
		if err := g.ctx.Err(); err != nil {
			return err
		}
		if _, err := g.put(&g.groups[n], g.settings.Given[g.groups[n].name]); err != nil {
			return err
		}
	}
	c, err := g.all.Compare(g.ctx, engine.Compared{Model: g.changed.Model, Precision: model.Exact})
	r.Tokens, r.MeasuredKL = c.Tokens, c.MeanKL
	return err
}
