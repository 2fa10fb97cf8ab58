package cpu

import (
	"testing"

	"lian/compute/computetest"
)

func TestEveryLevelComplies(t *testing.T) {
	for _, k := range available {
		t.Run(k.level, func(t *testing.T) {
			t.Parallel()
			computetest.RunAll(t, newBackend(k, 2), newBackend(k, 1), newBackend(k, 3), newBackend(k, 8))
		})
	}
}
