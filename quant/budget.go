package quant

import (
	"cmp"
	"fmt"
	"slices"

	"lian/compute"
	"lian/dtype"
)

// Candidate is a type that a tensor might get: what it takes and what is lost by it, in a measure that adds up over tensors.
type Candidate struct {
	Type  dtype.Type
	Bytes int64
	Loss  float64
}

// Candidates of one tensor, in any order.
type Candidates struct {
	Name string
	List []Candidate
}

// ladder are the types that an automatic mix chooses from; what stands in for them where rows are not whole blocks comes with them.
var ladder = []dtype.Type{dtype.Q2_K, dtype.Q3_K, dtype.IQ4_XS, dtype.Q4_K, dtype.Q5_K, dtype.Q6_K, dtype.Q8_0, dtype.F16}

// Ladder are the types between which a tensor with rows of cols values may choose, smallest first.
func Ladder(cols int) (types []dtype.Type) {
	for _, t := range ladder {
		if fit, _ := Fit(t, cols); !slices.Contains(types, fit) {
			types = append(types, fit)
		}
	}
	slices.SortStableFunc(types, func(a, b dtype.Type) int { return cmp.Compare(bitsOf(a), bitsOf(b)) })
	return types
}

func bitsOf(t dtype.Type) float64 { return float64(t.BlockBytes()) * 8 / float64(t.BlockSize()) }

// step is one tensor's change to the next better type.
type step struct {
	tensor, to int
	bytes      int64
	gain       float64
}

// Budget is a choice of types under way.
type Budget struct {
	tensors []Candidates
	chosen  []int // into the hull of each tensor
	hulls   [][]Candidate
	steps   []step // best gain for a byte first
	Bytes   int64
	Loss    float64
}

// NewBudget begins with the smallest type for each tensor. What a byte buys decides the order in which tensors get better ones; of
// equals the earlier tensor goes first, so the choice depends on nothing else.
func NewBudget(tensors []Candidates) *Budget {
	b := &Budget{tensors: tensors, chosen: make([]int, len(tensors))}
	for i, t := range tensors {
		h := hull(t.List)
		b.hulls = append(b.hulls, h)
		b.Bytes += h[0].Bytes
		b.Loss += h[0].Loss
		for k := 1; k < len(h); k++ {
			b.steps = append(b.steps, step{i, k, h[k].Bytes - h[k-1].Bytes, h[k-1].Loss - h[k].Loss})
		}
	}
	slices.SortStableFunc(b.steps, func(x, y step) int {
		return cmp.Compare(y.gain*float64(x.bytes), x.gain*float64(y.bytes))
	})
	return b
}

// hull are the candidates worth having: each is better than the smaller ones, and a byte buys less with each step.
func hull(list []Candidate) (h []Candidate) {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(a.Bytes, b.Bytes), cmp.Compare(a.Loss, b.Loss))
	})
	for _, c := range list {
		if n := len(h); n > 0 && c.Loss >= h[n-1].Loss {
			continue
		}
		for n := len(h); n > 1 && (h[n-2].Loss-h[n-1].Loss)*float64(c.Bytes-h[n-1].Bytes) <= (h[n-1].Loss-c.Loss)*float64(h[n-1].Bytes-h[n-2].Bytes); n-- {
			h = h[:n-1]
		}
		h = append(h, c)
	}
	return h
}

// Spend gives tensors better types while no more than so many bytes are taken.
func (b *Budget) Spend(bytes int64) error {
	if b.Bytes > bytes {
		return fmt.Errorf("the weights take %d bytes at least, in the smallest types; %d are allowed", b.Bytes, bytes)
	}
	b.climb(func(s step) bool { return b.Bytes+s.bytes <= bytes })
	return nil
}

// Reach gives tensors better types until no more than so much is lost, and says whether that was possible.
func (b *Budget) Reach(loss float64) bool {
	b.climb(func(step) bool { return b.Loss > loss })
	return b.Loss <= loss
}

func (b *Budget) climb(may func(step) bool) {
	for _, s := range b.steps {
		if b.chosen[s.tensor] == s.to-1 && may(s) {
			b.chosen[s.tensor] = s.to
			b.Bytes += s.bytes
			b.Loss -= s.gain
		}
	}
}

// Types are what each tensor has now.
func (b *Budget) Types() map[string]dtype.Type {
	types := map[string]dtype.Type{}
	for i, t := range b.tensors {
		types[t.Name] = b.hulls[i][b.chosen[i]].Type
	}
	return types
}

// Damage is the sum of squared errors that packing brings to values [experts, rows, columns], each weighed by the importance of its
// column (nil: 1), with the values as they come back.
func Damage(t dtype.Type, shape []int, values, importance []float32) (loss float64, back []float32, err error) {
	packed, err := Pack(t, dtype.F32, shape, compute.HostBytes(values), importance)
	if err != nil {
		return 0, nil, err
	}
	back = make([]float32, len(values))
	if err := dtype.Dequantize(t, packed, back); err != nil {
		return 0, nil, err
	}
	cols, each := shape[len(shape)-1], len(values)
	if len(shape) > 2 {
		each = shape[len(shape)-2] * cols
	}
	for i, v := range values {
		d := float64(back[i]) - float64(v)
		if importance != nil {
			d *= d * float64(importance[i/each*cols+i%cols])
		} else {
			d *= d
		}
		loss += d
	}
	return loss, back, nil
}
