package computetest

import (
	"testing"

	"lian/compute"
)

func rowsAlone(t *testing.T, backend compute.Backend) {}
func aliasing(t *testing.T, backend compute.Backend)  {}
func nan(t *testing.T, backend compute.Backend)       {}
func golden(t *testing.T, backend compute.Backend)    {}
