package step

import (
	"fmt"
	"math"
	"slices"

	"lian/dtype"
	"lian/event"
	"lian/format"
)

// TensorFacts are a tensor's type, shape and, with --verify, its values' statistics.
type TensorFacts struct {
	Name  string       `json:"name"`
	Type  string       `json:"type"`
	Shape []int        `json:"shape"`
	Bytes int64        `json:"bytes"`
	Stats *TensorStats `json:"stats,omitempty"`
}

// TensorStats are of a tensor's finite values. NaN and infinite ones are counted beside them.
type TensorStats struct {
	Mean     float64 `json:"mean"`
	Std      float64 `json:"std"`
	Min      float64 `json:"min"`
	Max      float64 `json:"max"`
	Zeros    int64   `json:"zeros"`
	NaN      int64   `json:"nan"`
	Infinite int64   `json:"infinite"`
}

// VerifiedTensors is the sum of --verify.
type VerifiedTensors struct {
	Tensors int   `json:"tensors"`
	Values  int64 `json:"values"`
	Broken  int   `json:"broken"`   // tensors with NaN or infinite values
	NotRead int   `json:"not_read"` // tensors of whole numbers, or of a type that is not decoded yet
}

// eachTensor lists the tensors and, if asked to, reads their values.
func (i *inspector) eachTensor(src format.Reader) error {
	names := src.Names()
	for n, name := range names {
		info, _ := src.Info(name)
		facts := TensorFacts{Name: name, Type: info.Type.String(), Shape: slices.Clone(info.Shape), Bytes: info.Bytes}
		if i.o.Verify {
			if i.Verified == nil {
				i.Verified = &VerifiedTensors{}
			}
			if err := i.ctx.Err(); err != nil {
				return err
			}
			if err := i.verify(src, info, &facts); err != nil {
				return err
			}
			i.sink.Emit(event.KindProgress, event.Progress{Stage: "verify", Done: int64(n + 1), Total: int64(len(names)), Unit: "tensors"})
		}
		i.Tensors = append(i.Tensors, facts)
	}
	if i.Verified != nil && i.Verified.Broken > 0 {
		return fmt.Errorf("%s: %w: %d of %d tensors hold NaN or infinite values", i.Path, ErrUnsound, i.Verified.Broken, i.Verified.Tensors)
	}
	return nil
}

func (i *inspector) verify(src format.Reader, info format.Info, facts *TensorFacts) error {
	if !info.Type.Float() && !info.Type.Quantized() { // whole numbers: nothing can be broken
		i.Verified.NotRead++
		return nil
	}
	data, err := src.Data(info.Name)
	if err != nil {
		return err
	}
	stats, err := statistics(info.Type, data)
	if err != nil {
		i.Verified.NotRead++
		i.problem("tensor %s: %v", info.Name, err)
		return nil
	}
	facts.Stats = stats
	i.Verified.Tensors++
	i.Verified.Values += int64(info.Elements())
	if stats.NaN+stats.Infinite > 0 {
		i.Verified.Broken++
		i.problem("tensor %s: %d NaN and %d infinite values of %d", info.Name, stats.NaN, stats.Infinite, info.Elements())
	}
	return nil
}

// statistics reads values in pieces of a few blocks, so that a large tensor takes no memory.
func statistics(t dtype.Type, data []byte) (*TensorStats, error) {
	piece := 1 << 14 / t.BlockSize() // blocks
	values := make([]float32, piece*t.BlockSize())
	s := &TensorStats{Min: math.Inf(1), Max: math.Inf(-1)}
	var count, sum, squares float64
	for from := 0; from < len(data); from += piece * t.BlockBytes() {
		part := data[from:min(from+piece*t.BlockBytes(), len(data))]
		v := values[:len(part)/t.BlockBytes()*t.BlockSize()]
		if err := dtype.Dequantize(t, part, v); err != nil {
			return nil, err
		}
		for _, x := range v {
			f := float64(x)
			switch {
			case f != f:
				s.NaN++
				continue
			case math.IsInf(f, 0):
				s.Infinite++
				continue
			case f == 0:
				s.Zeros++
			}
			count++
			sum += f
			squares += f * f
			s.Min, s.Max = min(s.Min, f), max(s.Max, f)
		}
	}
	if count == 0 {
		s.Min, s.Max = 0, 0
		return s, nil
	}
	s.Mean = sum / count
	s.Std = math.Sqrt(max(squares/count-s.Mean*s.Mean, 0))
	return s, nil
}
