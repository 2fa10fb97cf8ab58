package step

import (
	"runtime"

	"lian/chain/report"
	"lian/compute/cpu"
	"lian/store"
)

// environment is the machine as the report card names it.
func environment(seed uint64) *report.Environment {
	return &report.Environment{
		CPU: processorName(), Cores: runtime.GOMAXPROCS(0), Memory: machineMemory(), System: runtime.GOOS + "/" + runtime.GOARCH,
		Go: runtime.Version(), Lian: store.Version, Kernels: cpu.Level(), Seed: seed,
	}
}
