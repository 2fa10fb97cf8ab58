package cpu

import (
	"testing"

	"lian/compute/computetest"
	"lian/format/safetensors"
)

func TestEveryLevelComplies(t *testing.T) {
	for _, k := range available {
		t.Run(k.level, func(t *testing.T) {
			t.Parallel()
			computetest.RunAll(t, newBackend(k, 2), newBackend(k, 1), newBackend(k, 3), newBackend(k, 8))
		})
	}
}

// vectors gives safetensors files the form that computetest reads.
type vectors struct{ *safetensors.File }

func (v vectors) Shape(name string) ([]int, bool) {
	info, ok := v.Info(name)
	return info.Shape, ok
}

func TestEveryLevelAgreesWithPyTorch(t *testing.T) {
	for _, k := range available {
		t.Run(k.level, func(t *testing.T) {
			computetest.Golden(t, newBackend(k, 2), func(path string) (computetest.Vectors, error) {
				f, err := safetensors.Open(path)
				return vectors{f}, err
			})
		})
	}
}

func TestEveryLevelStepsAsPyTorchDoes(t *testing.T) {
	for _, k := range available {
		t.Run(k.level, func(t *testing.T) {
			computetest.Optimizers(t, newBackend(k, 2), func(path string) (computetest.Vectors, error) {
				f, err := safetensors.Open(path)
				return vectors{f}, err
			})
		})
	}
}

func TestEveryScalingOfRoPEIsTransformers(t *testing.T) {
	for _, k := range available {
		t.Run(k.level, func(t *testing.T) {
			computetest.RoPEScaling(t, newBackend(k, 2), func(path string) (computetest.Vectors, error) {
				f, err := safetensors.Open(path)
				return vectors{f}, err
			})
		})
	}
}

func TestEveryLevelTreatsSpecialValuesAsTheReferenceDoes(t *testing.T) {
	for _, k := range available {
		t.Run(k.level, func(t *testing.T) {
			t.Parallel()
			computetest.Specials(t, newBackend(k, 2))
		})
	}
}
