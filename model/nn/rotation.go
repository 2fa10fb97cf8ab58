package nn

import (
	"fmt"
	"reflect"
	"slices"

	"lian/compute"
	"lian/model"
)

// rotation is one rotary embedding of a model and its frequencies for short sequences.
type rotation struct {
	RoPE
	frequencies *compute.Tensor // [rotary/2] radians per position
	short       []float32
	scale       float32
}

// mostRotations is how many different ones a model may have; known ones have up to two.
const mostRotations = 4

// rotationOf finds or makes a layer's rotation and returns its place, −1 for none.
func (d *Decoder) rotationOf(b compute.Backend, s compute.Stream, r RoPE) (int, error) {
	if r.Rotary == 0 {
		return -1, nil
	}
	for i, known := range d.rotations {
		if reflect.DeepEqual(known.RoPE, r) {
			return i, nil
		}
	}
	if len(d.rotations) == mostRotations {
		return 0, fmt.Errorf("more than %d different rotary embeddings", mostRotations)
	}
	frequencies, scale, err := r.frequencies(0)
	if err != nil {
		return 0, err
	}
	d.rotations = append(d.rotations, &rotation{r, constant(b, s, frequencies), frequencies, scale})
	return len(d.rotations) - 1, nil
}

// frequencies are the radians per position of each pair in a sequence of so many positions, and what sines are multiplied with.
func (r RoPE) frequencies(length int) ([]float32, float32, error) {
	list, scale, err := r.rule().Frequencies(length)
	for i := range list {
		if r.Backwards {
			list[i] = -list[i]
		}
	}
	return list, scale, err
}

// threshold is the longest sequence that turns with the short frequencies; 0: length does not matter.
func (r RoPE) threshold() int {
	switch r.Scaling.Rule {
	case "dynamic":
		return r.Scaling.Context
	case "longrope":
		if r.Scaling.OriginalContext > 0 {
			return r.Scaling.OriginalContext
		}
		return r.Scaling.Context
	}
	return 0
}

// lengthClass is model.Info's: 0 for prompts that turn with the short frequencies; beyond those, under the dynamic rule each length
// has its own, while under longrope all of a threshold turn alike.
func (s *Spec) lengthClass() func(prompt int) int {
	var dynamic, long []int // thresholds
	for l := range s.Layers {
		r := s.Layer(l).Attention.RoPE
		list := &long
		if r.Scaling.Rule == "dynamic" {
			list = &dynamic
		}
		if limit := r.threshold(); r.Rotary > 0 && limit > 0 && !slices.Contains(*list, limit) {
			*list = append(*list, limit)
		}
	}
	if len(dynamic)+len(long) == 0 {
		return nil
	}
	return func(prompt int) int {
		for _, limit := range dynamic {
			if prompt > limit {
				return prompt
			}
		}
		passed := 0
		for _, limit := range long {
			if prompt > limit {
				passed--
			}
		}
		return passed
	}
}

// extends says whether all layers turn by the dynamic rule, which is for sequences longer than the context.
func (s *Spec) extends() bool {
	for l := range s.Layers {
		if r := s.Layer(l).Attention.RoPE; r.Rotary == 0 || r.Scaling.Rule != "dynamic" {
			return false
		}
	}
	return s.Positions == 0
}

// turning is a rotation for the rows of one batch.
type turning struct {
	frequencies, sets *compute.Tensor // as in compute.RoPE
	scale             float32
	interleaved       bool
}

// turning says how a batch's rows turn: with the short frequencies, or where a row's sequence is longer than those are for, with
// those of its length.
func (r *rotation) turning(p *model.Pass, b *model.Batch) (turning, error) {
	t := turning{frequencies: r.frequencies, scale: r.scale, interleaved: r.Interleaved}
	limit := r.threshold()
	if limit == 0 {
		return t, nil
	}
	beyond := false
	for s := range b.KeyLength {
		beyond = beyond || int(max(b.KeyLength[s], b.PromptLength[s])) > limit
	}
	if !beyond {
		return t, nil
	}
	all, sets, known := append([]float32(nil), r.short...), p.Arena.Int32s(b.Rows()), map[int]int32{}
	for s := range b.KeyLength {
		for row := b.QueryStart[s]; row < b.QueryStart[s+1]; row++ {
			length := int(max(b.PromptLength[s], b.Positions[row]+1))
			if length <= limit {
				continue
			}
			if r.Scaling.Rule == "longrope" {
				length = limit + 1 // all long sequences turn alike
			}
			set, ok := known[length]
			if !ok {
				frequencies, _, err := r.RoPE.frequencies(length)
				if err != nil {
					return t, fmt.Errorf("sequence %d: %w", s, err)
				}
				set = int32(len(all) / len(frequencies))
				known[length], all = set, append(all, frequencies...)
			}
			sets[row] = set
		}
	}
	t.frequencies = p.Tensor(len(all)/len(r.short), len(r.short))
	p.Stream.Write(t.frequencies, compute.HostBytes(all))
	t.sets = p.Ints(sets)
	return t, nil
}

// turn rotates heads in place.
func (f *forward) turn(rotation int, x *compute.Tensor) { f.turnAt(rotation, x, f.positions) }

func (f *forward) turnAt(rotation int, x, positions *compute.Tensor) {
	t := &f.turnings[rotation]
	model.Launch(f.Pass, compute.RoPE{X: x, Positions: positions, Frequencies: t.frequencies, Sets: t.sets, Interleaved: t.interleaved, Scale: t.scale})
}
