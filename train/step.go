package train

import (
	"context"
	"fmt"
	"slices"
	"time"

	"lian/compute"
	"lian/compute/autograd"
	"lian/model"
)

// attempt is a batch and what forward and backward gave for it; no weight has moved.
type attempt struct {
	batch     int
	sequences []Sequence
	losses    []float64 // Σ weight · nats of each sequence
	labels    int       // targets asked
	total     float64   // Σ of their weights
	rows      int       // computed
	loss      float64   // mean nats a label
	norm      float64   // of the whole gradient
	waited    time.Duration
}

// step is one optimizer step: forward and backward over the micro-batches, clip, move. A batch that the guard refuses moves nothing.
func (t *Trainer) step(ctx context.Context, s int) (p Progress, moved bool, err error) {
	a, err := t.attempt(ctx, t.at.batch())
	if err != nil {
		return p, false, err
	}
	o := t.Options.Guard
	verdict := t.at.Guard.Judge(a.loss, a.norm, o)
	if verdict.Out { // without a guard there is nothing to compare with, so that only what is not finite is out of line
		if accepted, err := t.refuse(a, verdict); !accepted {
			return p, false, err
		}
	}
	p = Progress{Step: s + 1, Steps: t.Options.Steps, Batch: a.batch, Loss: a.loss, GradientNorm: a.norm, LearningRate: t.Rate(s), Labels: a.labels,
		Tokens: t.at.Tokens + int64(a.labels), Rows: a.rows, Domains: a.domains(), Waited: a.waited}
	if p.Groups, err = t.groups(); err != nil {
		return p, false, err
	}
	if err := t.move(s, &p); err != nil {
		return p, false, err
	}
	t.at.Step, t.at.Tokens = s+1, p.Tokens
	if o.Active() {
		t.at.Guard = t.at.Guard.Accept(a.loss, a.norm, verdict, o.Window)
	}
	return p, true, nil
}

// attempt gathers the gradient of a batch.
func (t *Trainer) attempt(ctx context.Context, batch int) (a attempt, err error) {
	a.batch = batch
	began := time.Now()
	if a.sequences, err = t.Source.Step(batch); err != nil {
		return a, err
	}
	a.waited = time.Since(began)
	for _, q := range a.sequences {
		n := q.Labels()
		a.labels, a.total = a.labels+n, a.total+float64(n)*float64(q.weight())
	}
	if a.labels == 0 {
		return a, fmt.Errorf("batch %d: no token to learn in its %d sequences%s; the data masks all of them", batch, len(a.sequences), t.first(a.sequences))
	}
	a.losses = make([]float64, len(a.sequences))
	t.gradients.Reset()
	micros := split(a.sequences, t.Options.MicroTokens)
	t.reserve(micros)
	for _, m := range micros {
		if ctx.Err() != nil {
			return a, ctx.Err()
		}
		if err := t.accumulate(m, float32(1/a.total), a.losses); err != nil {
			return a, err
		}
		a.rows += m.batch.Rows()
	}
	for _, l := range a.losses {
		a.loss += l / a.total
	}
	t.optimizer.Measure(t.stream, t.gradient)
	a.norm, err = t.optimizer.Norm(t.stream)
	return a, err
}

// first names the document that a batch begins with.
func (t *Trainer) first(sequences []Sequence) string {
	if len(sequences) == 0 {
		return ""
	}
	o := sequences[0].Origin
	return fmt.Sprintf(" (the first is of domain %d, document %d, from its token %d on)", o.Domain, o.Document, o.First)
}

// accumulate adds a micro-batch's gradient of scale · Σ weight · loss, and to each sequence its Σ weight · loss.
func (t *Trainer) accumulate(m micro, scale float32, losses []float64) error {
	if len(m.rows) == 0 {
		return nil
	}
	t.arena.Reset()
	tape := autograd.NewTape(t.stream, t.arena, t.gradients)
	pass := &model.Pass{Stream: t.stream, Arena: t.arena, Tape: tape, Adapter: t.Adapter, Precision: model.Exact, BF16: t.Options.BF16(), Recompute: t.Options.Recompute}
	if t.Taps != nil {
		pass.Taps = t.Taps(t.at.Step, t.stream)
	}
	hidden, err := t.Model.Forward(pass, m.batch)
	if err != nil {
		return err
	}
	if len(m.rows) < m.batch.Rows() { // the head is a large part of a small model: only rows with a target need it
		chosen := pass.Tensor(len(m.rows), hidden.Columns())
		model.Launch(pass, compute.Gather{Table: hidden, Index: pass.Ints(m.rows), Out: chosen})
		hidden = chosen
	}
	terms := model.LossTerms{LabelSmoothing: float32(t.Options.LabelSmoothing), ZLoss: float32(t.Options.ZLoss)}
	if terms.ZLoss > 0 {
		terms.LogSumExp = pass.Tensor(len(m.targets))
	}
	loss, err := model.CrossEntropyWith(pass, t.Model, hidden, m.targets, m.weights, scale, nil, terms)
	if err != nil {
		return err
	}
	if err := tape.Backward(); err != nil {
		return err
	}
	values := make([]float32, len(m.targets))
	if err := t.stream.Read(loss, compute.HostBytes(values)); err != nil {
		return err
	}
	if terms.ZLoss > 0 { // what is told can be compared with runs without it
		sums := make([]float32, len(values))
		if err := t.stream.Read(terms.LogSumExp, compute.HostBytes(sums)); err != nil {
			return err
		}
		for i, lse := range sums {
			values[i] -= terms.ZLoss * lse * lse
		}
	}
	for i, v := range values {
		losses[m.sequence[i]] += float64(v) * float64(m.weights[i])
	}
	return nil
}

// groups are the norms of the named groups, in the order of their first parameter.
func (t *Trainer) groups() ([]GroupNorm, error) {
	if t.Group == nil {
		return nil, nil
	}
	var names []string
	for _, w := range t.Weights.All() {
		if n := t.Group(w); n != "" && !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	out := make([]GroupNorm, 0, len(names))
	for _, n := range names {
		norm, err := t.optimizer.NormOf(t.stream, t.gradient, func(w model.Parameter) bool { return t.Group(w) == n })
		if err != nil {
			return out, err
		}
		if norm > 0 {
			out = append(out, GroupNorm{Group: n, Norm: norm})
		}
	}
	return out, nil
}

// domains are the losses by domain, if there is more than one.
func (a attempt) domains() []DomainLoss {
	var out []DomainLoss
	var weights []float64
	for i, q := range a.sequences {
		at := slices.IndexFunc(out, func(d DomainLoss) bool { return d.Domain == q.Origin.Domain })
		if at < 0 {
			at = len(out)
			out, weights = append(out, DomainLoss{Domain: q.Origin.Domain}), append(weights, 0)
		}
		n := q.Labels()
		out[at].Labels += n
		out[at].Loss += a.losses[i]
		weights[at] += float64(n) * float64(q.weight())
	}
	if len(out) < 2 {
		return nil
	}
	for i := range out {
		if weights[i] > 0 {
			out[i].Loss /= weights[i]
		}
	}
	slices.SortFunc(out, func(a, b DomainLoss) int { return a.Domain - b.Domain })
	return out
}

// gradient is a weight's gradient in this step, nil if the step did not reach it.
func (t *Trainer) gradient(x *compute.Tensor) *compute.Tensor {
	if !t.gradients.Written(x) {
		return nil
	}
	return t.gradients.Of(x)
}

// move clips the gradient and takes the optimizer's step.
func (t *Trainer) move(s int, p *Progress) error {
	v := View{Step: s, Stream: t.stream, Weights: t.Weights, Gradient: t.gradient, Rate: t.Rate(s)}
	for _, o := range t.Observers {
		if err := o.Before(v); err != nil {
			return err
		}
	}
	t.optimizer.Step(t.stream, s+1, t.gradient)
	for _, o := range t.Observers {
		if err := o.After(v, p); err != nil {
			return err
		}
	}
	return t.stream.Err()
}
