// Package parallel makes whole tensors of the parts that tensor- and pipeline-
// parallel training writes, one file a rank.
//
// It guarantees that parts of one tensor agree in type and in every dimension but
// the one they are joined along, and that what every rank holds whole is equal on
// all of them when it is read. A tensor in one part stays a view of its file; a
// joined one is made when asked for. It refuses to guess along which dimension
// parts belong together: whoever knows the trainer says so by a Rule.
package parallel

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"lian/format"
)

// Rule says how the parts of a tensor make it.
type Rule struct {
	Whole bool // every rank has all of it
	Axis  int  // the dimension along which parts are joined
	// Blocks is how many equal blocks each part has along Axis, each to be joined by
	// itself (q, k and v, packed in one matrix, of a rank's heads); 0 is one.
	Blocks int
}

// RuleOf returns the rule for a tensor, given what its parts are.
type RuleOf func(name string, parts []format.Info) (Rule, error)

// Reader is the tensors of all ranks as one model's. It is safe for concurrent reading.
type Reader struct {
	ranks   []format.Reader
	names   []string
	tensors map[string]joined
}

var _ format.Reader = (*Reader)(nil)

type joined struct {
	info format.Info
	rule Rule
}

// Join opens ranks, in order, as one model; it owns them from then on, also when it
// fails. Of one rank the rules are not asked.
func Join(ranks []format.Reader, rule RuleOf) (*Reader, error) {
	r := &Reader{ranks: ranks, tensors: map[string]joined{}}
	if err := r.join(rule); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Reader) join(rule RuleOf) error {
	for _, name := range r.ranks[0].Names() {
		parts := make([]format.Info, len(r.ranks))
		for i, rank := range r.ranks {
			var ok bool
			if parts[i], ok = rank.Info(name); !ok {
				return fmt.Errorf("tensor %s is in the file of rank 0 and not in that of rank %d", name, i)
			}
		}
		how := Rule{Whole: true}
		if len(parts) > 1 {
			var err error
			if how, err = rule(name, parts); err != nil {
				return fmt.Errorf("tensor %s: %w", name, err)
			}
		}
		info, err := how.join(name, parts)
		if err != nil {
			return fmt.Errorf("tensor %s: %w", name, err)
		}
		r.names = append(r.names, name)
		r.tensors[name] = joined{info, how}
	}
	for i, rank := range r.ranks {
		for _, name := range rank.Names() {
			if _, ok := r.tensors[name]; !ok {
				return fmt.Errorf("tensor %s is in the file of rank %d and not in that of rank 0", name, i)
			}
		}
	}
	return nil
}

// join describes the whole of parts. Trainers that cut 163 rows for two ranks give
// the first 82, so parts may differ along the axis.
func (how Rule) join(name string, parts []format.Info) (format.Info, error) {
	whole := parts[0]
	whole.Name, whole.Shape = name, slices.Clone(whole.Shape)
	if !how.Whole && how.Axis >= len(whole.Shape) {
		return whole, fmt.Errorf("parts of shape %v cannot be joined along dimension %d", whole.Shape, how.Axis)
	}
	for i, p := range parts {
		shape := slices.Clone(p.Shape)
		if !how.Whole && len(shape) == len(whole.Shape) {
			if shape[how.Axis]%max(how.Blocks, 1) != 0 {
				return whole, fmt.Errorf("is %v of rank %d, which is not %d equal blocks along dimension %d", p.Shape, i, how.Blocks, how.Axis)
			}
			shape[how.Axis] = parts[0].Shape[how.Axis]
		}
		if p.Type != whole.Type || !slices.Equal(shape, parts[0].Shape) {
			return whole, fmt.Errorf("is %v %v of rank 0 and %v %v of rank %d", whole.Type, parts[0].Shape, p.Type, p.Shape, i)
		}
		if i > 0 && !how.Whole {
			whole.Shape[how.Axis] += p.Shape[how.Axis]
			whole.Bytes += p.Bytes
		}
	}
	return whole, nil
}

// Names lists the tensors in the order of the first rank's file.
func (r *Reader) Names() []string { return r.names }

// Info describes one whole tensor.
func (r *Reader) Info(name string) (format.Info, bool) {
	t, ok := r.tensors[name]
	return t.info, ok
}

// Data returns a whole tensor's bytes: of one rank a view of its file.
func (r *Reader) Data(name string) ([]byte, error) {
	t, ok := r.tensors[name]
	if !ok {
		return nil, fmt.Errorf("no tensor %s among %d", name, len(r.names))
	}
	parts := make([][]byte, len(r.ranks))
	for i, rank := range r.ranks {
		var err error
		if parts[i], err = rank.Data(name); err != nil {
			return nil, err
		}
		if t.rule.Whole && !bytes.Equal(parts[i], parts[0]) {
			return nil, fmt.Errorf("tensor %s is the same on every rank, but rank %d has other values than rank 0", name, i)
		}
	}
	if t.rule.Whole {
		return parts[0], nil
	}
	// Along the axis: outer copies of (blocks × ranks × a run of bytes).
	outer := max(t.rule.Blocks, 1)
	for _, n := range t.info.Shape[:t.rule.Axis] {
		outer *= n
	}
	out := make([]byte, 0, t.info.Bytes)
	if outer == 0 {
		return out, nil
	}
	for i := range outer {
		for _, p := range parts {
			run := len(p) / outer
			out = append(out, p[i*run:(i+1)*run]...)
		}
	}
	return out, nil
}

// Close closes every rank's file.
func (r *Reader) Close() error {
	var errs []error
	for _, rank := range r.ranks {
		errs = append(errs, rank.Close())
	}
	return errors.Join(errs...)
}
