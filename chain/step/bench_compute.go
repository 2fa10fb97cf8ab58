package step

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"slices"
	"time"

	"lian/compute"
	"lian/compute/cpu"
	"lian/event"
)

// BenchComputeOptions are the settings of lian bench compute.
type BenchComputeOptions struct {
	Threads []int   `yaml:"threads" help:"numbers of threads to measure with, one after the other; 0 is one for each processor" default:"1,0"`
	Only    string  `yaml:"only" help:"measure what this regular expression matches, such as ^gemv/q4 (default: everything)" default:""`
	Runs    int     `yaml:"runs" help:"runs of each measurement" default:"5" range:"1..1000"`
	Seconds float64 `yaml:"seconds" help:"least time of a run in seconds" default:"0.1" range:"0.001..60"`
	List    bool    `yaml:"list" help:"name the measurements and stop" default:"false"`
}

// kernelBench is one measurement: an operation, and the ceiling of the machine that bounds it.
type kernelBench struct {
	name    string
	ceiling cpu.Ceiling
	amount  float64 // billions of operations or bytes that one launch stands for
	also    []Setting
	make    func(w *workshop) ([]compute.Op, error) // launched one after the other
}

// BenchCompute measures the machine's ceilings and every kernel's share of the one that bounds it. Each run measures the
// ceiling and then the kernel, so that a share compares moments, not minutes: clouds change their mind about both.
func BenchCompute(ctx context.Context, o BenchComputeOptions, show func(Benched) error, sink event.Sink) error {
	only, err := regexp.Compile(o.Only)
	if err != nil {
		return fmt.Errorf("--only %s: %w", o.Only, err)
	}
	var chosen []kernelBench
	for _, k := range kernelBenches() {
		if only.MatchString(k.name) {
			chosen = append(chosen, k)
		}
	}
	var ceilings []cpu.Ceiling
	for _, c := range cpu.Ceilings() {
		if only.MatchString(ceilingName(c)) {
			ceilings = append(ceilings, c)
		}
	}
	if len(chosen)+len(ceilings) == 0 {
		return fmt.Errorf("--only %s: nothing has such a name; --list shows the names", o.Only)
	}
	if err := checkThreads(o.Threads); err != nil {
		return err
	}
	if o.List {
		for _, c := range ceilings {
			if err := show(Benched{Bench: "compute", Name: ceilingName(c), Unit: c.Unit()}); err != nil {
				return err
			}
		}
		for _, k := range chosen {
			if err := show(Benched{Bench: "compute", Name: k.name, Unit: k.ceiling.Unit()}); err != nil {
				return err
			}
		}
		return nil
	}
	if err := cpu.LevelError(); err != nil {
		return err
	}
	done, total := int64(0), int64(len(o.Threads)*(len(chosen)+len(ceilings)))
	report := func(line Benched, known bool) error {
		done++
		sink.Emit(event.KindProgress, event.Progress{Stage: "bench", Done: done, Total: total, Unit: "runs"})
		if !known {
			return nil
		}
		return show(line)
	}
	for _, threads := range o.Threads {
		w := newWorkshop(cpu.New(threads))
		common := []Setting{{"kernels", cpu.Level()}, {"threads", cpu.Workers(w.backend)}}
		for _, c := range ceilings {
			var values []float64
			for range o.Runs {
				values = append(values, w.ceiling(c)(ctx, seconds(o.Seconds)))
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			line := summed("compute", ceilingName(c), c.Unit(), values, append(slices.Clone(common), Setting{"per_thread", rounded(slices.Max(values)/float64(cpu.Workers(w.backend)), 1)})...)
			if err := report(line, slices.Max(values) > 0); err != nil {
				return err
			}
		}
		for _, k := range chosen {
			line, err := k.measure(ctx, w, o)
			if err != nil {
				return fmt.Errorf("%s: %w", k.name, err)
			}
			line.Settings = append(slices.Clone(common), line.Settings...)
			if err := report(line, true); err != nil {
				return err
			}
		}
	}
	return nil
}

func ceilingName(c cpu.Ceiling) string {
	if c == cpu.CeilingRead || c == cpu.CeilingCopy {
		return "memory/" + string(c)
	}
	return "peak/" + string(c)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func rounded(v float64, digits int) float64 {
	by := math.Pow10(digits)
	return math.Round(v*by) / by
}

// measure alternates the ceiling and the kernel.
func (k *kernelBench) measure(ctx context.Context, w *workshop, o BenchComputeOptions) (Benched, error) {
	w.reset()
	ops, err := k.make(w)
	if err != nil {
		return Benched{}, err
	}
	launch := func() error {
		for _, op := range ops {
			w.stream.Launch(op)
		}
		return w.stream.Err()
	}
	if err := launch(); err != nil { // the first brings scratch memory
		return Benched{}, err
	}
	ceiling := w.ceiling(k.ceiling)
	var values, shares, limits []float64
	for range o.Runs {
		limit := ceiling(ctx, max(seconds(o.Seconds)/2, 20*time.Millisecond))
		n, begun := 0, time.Now()
		for n == 0 || time.Since(begun).Seconds() < o.Seconds {
			if err := ctx.Err(); err != nil {
				return Benched{}, err
			}
			if err := launch(); err != nil {
				return Benched{}, err
			}
			n++
		}
		value := k.amount * float64(n) / time.Since(begun).Seconds()
		values, limits = append(values, value), append(limits, limit)
		if limit > 0 {
			shares = append(shares, value/limit)
		}
	}
	line := summed("compute", k.name, k.ceiling.Unit(), values)
	if len(shares) > 0 {
		slices.Sort(shares)
		slices.Sort(limits)
		line.Settings = append(line.Settings, Setting{"share", rounded(shares[len(shares)/2], 3)}, Setting{"of", ceilingName(k.ceiling)}, Setting{"ceiling", rounded(limits[len(limits)/2], 1)})
	}
	line.Settings = append(line.Settings, k.also...)
	return line, nil
}
