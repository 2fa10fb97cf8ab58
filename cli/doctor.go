package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
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
		for _, f := range together(all) {
			t.Rows = append(t.Rows, []string{out.T("doctor." + f.Name), f.Value, f.Note})
		}
		return out.Result(t)
	})
}

// together is the findings as people read them: one line of kernels that say the same of several operations, and lists last, where
// they widen no column.
func together(all []finding) []finding {
	var list []finding
	at := map[string]int{} // note → line
	for _, f := range all {
		if i, ok := at[f.Note]; ok && f.Name == "kernel" {
			list[i].Value += ", " + strings.TrimPrefix(f.Value, "matmul ")
			continue
		}
		if f.Name == "kernel" {
			at[f.Note] = len(list)
		}
		list = append(list, f)
	}
	for i, f := range list {
		if f.Name == "kernel" || f.Name == "features" {
			list[i].Value, list[i].Note = f.Note, f.Value
		}
	}
	return list
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
		found = append(found, finding{Name: "kernel", Value: k.Operation, Note: k.Level + ": " + k.Kernel})
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
	bandwidth := "—"
	if cpu.LevelError() == nil {
		bandwidth = fmt.Sprintf("%.1f GB/s", cpu.CeilingMeter(cpu.New(0), cpu.CeilingRead)(ctx, 250*time.Millisecond))
	}
	return []finding{memory, {Name: "bandwidth", Value: bandwidth}}
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
