package ref

import (
	"fmt"
	"math"

	"lian/compute"
	"lian/compute/host"
	"lian/dtype"
)

var _ = provides(linearCrossEntropy)

func linearCrossEntropy(o *compute.LinearCrossEntropy) error {
	vocab, n := o.Weight.Shape[0], o.Weight.Shape[1]
	targets, loss, best := host.I32(o.Targets), host.F32(o.Loss), host.I32(o.Best)
	dh, dw, weights := host.F32(o.DHidden), host.F32(o.DWeight), host.F32(o.Weights)
	h, _ := values(o.Hidden)
	w, err := values(o.Weight)
	if err != nil {
		return err
	}
	if o.Fast && compute.RoundsActivations(o.Weight.Type) {
		roundToInt8(h, n, o.Weight.Type.BlockSize(), true)
	}
	if o.BF16 && o.Weight.Type == dtype.F32 {
		roundToBF16(h)
		roundToBF16(w)
	}
	sumW := make([]float64, len(dw))
	if o.AccumulateWeight {
		for i, v := range dw {
			sumW[i] = float64(v)
		}
	}
	bias, dbias := host.F32(o.Bias), host.F32(o.DBias)
	sumBias := make([]float64, len(dbias))
	if o.AccumulateBias {
		for i, v := range dbias {
			sumBias[i] = float64(v)
		}
	}
	logits, factor := make([]float64, vocab), float64(o.LogitFactor())
	smoothing, zloss := float64(o.LabelSmoothing), float64(o.ZLoss)
	for i, target := range targets {
		if int(target) >= vocab {
			return fmt.Errorf("target %d at row %d is outside the vocabulary of %d", target, i, vocab)
		}
		most, at := math.Inf(-1), 0
		for v := range logits {
			logits[v] = 0
			for j := range n {
				logits[v] += factor * h[i*n+j] * w[v*n+j]
			}
			if bias != nil {
				logits[v] += float64(bias[v])
			}
			if logits[v] > most {
				most, at = logits[v], v
			}
		}
		if best != nil {
			best[i] = int32(at)
		}
		if c := float64(o.Softcap); c > 0 {
			for v := range logits {
				logits[v] = c * math.Tanh(logits[v]/c)
			}
			most = c * math.Tanh(most/c)
		}
		sum, mean := 0.0, 0.0
		for _, l := range logits {
			sum += math.Exp(l - most)
			mean += l / float64(vocab)
		}
		lse := most + math.Log(sum)
		if o.LogSumExp != nil {
			host.F32(o.LogSumExp)[i] = float32(lse)
		}
		loss[i] = 0
		if target >= 0 {
			value := lse - logits[target] + zloss*lse*lse
			if smoothing > 0 {
				value += smoothing * (logits[target] - mean)
			}
			loss[i] = float32(value)
		}
		row := make([]float64, n)
		for v := range logits {
			d := 0.0
			if target >= 0 {
				d = math.Exp(logits[v]-lse)*(1+2*zloss*lse) - smoothing/float64(vocab)
				if v == int(target) {
					d -= 1 - smoothing
				}
				if c := float64(o.Softcap); c > 0 {
					d *= 1 - logits[v]/c*logits[v]/c
				}
			}
			d *= float64(o.Scale) * factor
			if weights != nil && target >= 0 {
				d *= float64(weights[i])
			}
			if dbias != nil {
				sumBias[v] += d
			}
			for j := range n {
				row[j] += d * w[v*n+j]
				if dw != nil {
					sumW[v*n+j] += d * h[i*n+j]
				}
			}
		}
		for j := range dh[:min(n, len(dh))] {
			dh[i*n+j] = float32(row[j])
		}
	}
	for i := range dw {
		dw[i] = float32(sumW[i])
	}
	for i := range dbias {
		dbias[i] = float32(sumBias[i])
	}
	return nil
}
