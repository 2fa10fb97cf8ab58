package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	feature "golang.org/x/sys/cpu"

	"lian/cli/ui"
	"lian/compute/cpu"
	"lian/machine"
	"lian/store"
)

func init() { register(doctorCommand) }

// finding is one line of lian doctor.
type finding struct {
	Name  string `json:"name"`           // message key "doctor.NAME"
	Value string `json:"value"`          // as text
	Note  string `json:"note,omitempty"` // what to do about it
}

// examinations are asked in order.
var examinations = []func(ctx context.Context, out *ui.Out) []finding{examineProgram, examineProcessor, examineKernels, examineMemory, examinePlaces}

// doctorCommand is lian doctor.
func doctorCommand() *cobra.Command {
	return verb("doctor", "verb.doctor", nil, func(ctx context.Context, args []string, out *ui.Out) error {
		var all []finding
		for _, f := range examinations {
			all = append(all, f(ctx, out)...)
		}
		if out.JSON {
			return out.Result(all)
		}
		var t ui.Table
		for _, f := range all {
			t.Rows = append(t.Rows, []string{out.T("doctor." + f.Name), f.Value, f.Note})
		}
		return out.Result(t)
	})
}

func examineProgram(_ context.Context, out *ui.Out) []finding {
	found := []finding{
		{Name: "lian", Value: Version()},
		{Name: "go", Value: runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH},
	}
	toolchain := finding{Name: "toolchain", Value: "—", Note: out.T("doctor.no_toolchain")}
	if path, err := exec.LookPath("go"); err == nil {
		toolchain.Value, toolchain.Note = path, ""
	}
	return append(found, toolchain)
}

func examineProcessor(context.Context, *ui.Out) []finding {
	return []finding{
		{Name: "cpus", Value: fmt.Sprintf("%s, %d (GOMAXPROCS %d)", machine.Processor(), runtime.NumCPU(), runtime.GOMAXPROCS(0))},
		{Name: "features", Value: or(strings.Join(features(), " "), "—")},
	}
}

// examineKernels says which level of compute/cpu is in use, how to choose another, and which kernel serves what.
func examineKernels(_ context.Context, out *ui.Out) []finding {
	level := finding{Name: "kernels", Value: or(cpu.Level(), "—"), Note: out.T("doctor.levels", strings.Join(cpu.Levels(), ", "), cpu.Environment)}
	if err := cpu.LevelError(); err != nil {
		level.Note = err.Error()
	}
	found := []finding{level}
	for _, k := range cpu.Kernels() {
		found = append(found, finding{Name: "kernel", Value: k.Name, Note: k.Level + ": " + k.About})
	}
	return found
}

// features are those of the processor that kernels can use.
func features() []string {
	var out []string
	for _, f := range []struct {
		name string
		has  bool
	}{
		{"AVX2", feature.X86.HasAVX2}, {"FMA", feature.X86.HasFMA}, {"AVX512F", feature.X86.HasAVX512F},
		{"AVX512BW", feature.X86.HasAVX512BW}, {"AVX512DQ", feature.X86.HasAVX512DQ}, {"AVX512VL", feature.X86.HasAVX512VL},
		{"AVX512VNNI", feature.X86.HasAVX512VNNI}, {"AVX512BF16", feature.X86.HasAVX512BF16},
		{"AMX", feature.X86.HasAMXTile}, {"NEON", feature.ARM64.HasASIMD}, {"DOTPROD", feature.ARM64.HasASIMDDP}, {"SVE", feature.ARM64.HasSVE},
	} {
		if f.has {
			out = append(out, f.name)
		}
	}
	return out
}

func examineMemory(ctx context.Context, out *ui.Out) []finding {
	memory := finding{Name: "memory", Value: "—"}
	if total, available := machine.Memory(); total > 0 {
		memory.Value = ui.Bytes(total)
		if available > 0 {
			memory.Value += " " + out.T("doctor.available", ui.Bytes(available))
		}
		if available > 0 && available < 2<<30 {
			memory.Note = out.T("doctor.little_memory")
		}
	}
	return []finding{memory, {Name: "bandwidth", Value: fmt.Sprintf("%.1f GB/s", readBandwidth(ctx)/1e9)}}
}

// readBandwidth reads more memory than caches hold with all processors for a
// quarter of a second, and returns bytes per second.
func readBandwidth(ctx context.Context) float64 {
	workers := runtime.GOMAXPROCS(0)
	const words = 16 << 20 // 128 MiB in all
	data := make([]uint64, words)
	for i := range data { // touch each page
		data[i] = uint64(i)
	}
	part := words / workers
	var group sync.WaitGroup
	read := make([]int64, workers)
	sums := make([]uint64, workers)
	start := time.Now()
	end := start.Add(250 * time.Millisecond)
	for w := range workers {
		group.Go(func() {
			mine := data[w*part : (w+1)*part]
			for time.Now().Before(end) && ctx.Err() == nil {
				var a, b, c, d uint64
				for i := 0; i+4 <= len(mine); i += 4 {
					a, b, c, d = a+mine[i], b+mine[i+1], c+mine[i+2], d+mine[i+3]
				}
				sums[w] += a + b + c + d
				read[w] += int64(len(mine)) * 8
			}
		})
	}
	group.Wait()
	elapsed := time.Since(start).Seconds()
	var total int64
	for w := range workers {
		total += read[w]
	}
	runtime.KeepAlive(sums)
	return float64(total) / elapsed
}

func examinePlaces(_ context.Context, out *ui.Out) []finding {
	home := finding{Name: "home", Value: store.Home()}
	if err := writable(store.Home()); err != nil {
		home.Note = out.T("doctor.home_unwritable", err, store.HomeEnvironment)
	}
	here := finding{Name: "here", Value: "."}
	if dir, err := os.Getwd(); err == nil {
		here.Value = dir
	}
	if err := writable("."); err != nil {
		here.Note = out.T("doctor.here_unwritable", err)
	}
	return []finding{home, here}
}

// writable tries to write below a folder, or below the nearest that exists.
func writable(dir string) error {
	for {
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			return fmt.Errorf("%s is not a folder", dir)
		}
		if err == nil {
			break
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return err
		}
		dir = parent
	}
	probe, err := os.CreateTemp(dir, ".lian-doctor-*")
	if err != nil {
		return err
	}
	name := probe.Name()
	if err := probe.Close(); err != nil {
		return err
	}
	return os.Remove(name)
}
