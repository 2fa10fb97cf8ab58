package step

import (
	"runtime"

	"lian/chain/report"
	"lian/compute/cpu"
	"lian/machine"
	"lian/store"
)

// environment is the machine as the report card names it.
func environment(seed uint64) *report.Environment {
	memory, _ := machine.Memory()
	return &report.Environment{
		CPU: machine.Processor(), Cores: runtime.GOMAXPROCS(0), Memory: memory, System: runtime.GOOS + "/" + runtime.GOARCH,
		Go: runtime.Version(), Lian: store.Version, Kernels: cpu.Level(), Seed: seed,
	}
}
