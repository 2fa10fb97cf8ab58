package cpu

import (
	"testing"

	"lian/compute/computetest"
)

func TestGradientsAreFiniteDifferences(t *testing.T) { computetest.Gradients(t) }
