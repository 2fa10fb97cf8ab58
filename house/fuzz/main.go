// Command fuzz runs every Fuzz target of the repository, each for the same time, and
// prints a line for each: how many inputs were tried and how many of them were new.
//
//	go run ./house/fuzz [-time 60s] [-total 30m] [-match REGEXP] [packages]
//
// It guarantees exit status 0 only when every target ran for its time and found
// nothing. Where the targets one after another would take longer than -total, as
// many run side by side as are needed, each with a part of the processors. It stops
// at a finding and prints what go test printed, with the input's file; that file
// belongs into the commit that mends it. It refuses to run no target.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"
)

func main() {
	each := flag.Duration("time", time.Minute, "how long each target runs")
	total := flag.Duration("total", 30*time.Minute, "how long all of them may take, building aside")
	match := flag.String("match", ".", "run targets whose package.Name matches only")
	flag.Parse()
	packages := flag.Args()
	if len(packages) == 0 {
		packages = []string{"./..."}
	}
	if err := run(packages, *match, *each, *total); err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(1)
	}
}

func run(packages []string, match string, each, total time.Duration) error {
	pattern, err := regexp.Compile(match)
	if err != nil {
		return err
	}
	out, err := exec.Command("go", append([]string{"test", "-list", "^Fuzz"}, packages...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("listing targets: %w\n%s", err, out)
	}
	targets := parseList(string(out))
	chosen := targets[:0]
	for _, t := range targets {
		if pattern.MatchString(t.String()) {
			chosen = append(chosen, t)
		}
	}
	if len(chosen) == 0 {
		return fmt.Errorf("no Fuzz target in %s matches %q", strings.Join(packages, " "), match)
	}
	beside := sideBySide(len(chosen), each, total)
	fmt.Printf("%d targets, %v each, %d at a time\n", len(chosen), each, beside)
	return runAll(chosen, each, beside)
}

// target is one Fuzz function.
type target struct{ pkg, name string }

func (t target) String() string { return t.pkg + "." + t.name }

// parseList reads what go test -list prints: names, then the package they are of.
func parseList(out string) (targets []target) {
	var names []string
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 1 && strings.HasPrefix(fields[0], "Fuzz"):
			names = append(names, fields[0])
		case len(fields) >= 2 && fields[0] == "ok":
			for _, name := range names {
				targets = append(targets, target{fields[1], name})
			}
			names = nil
		}
	}
	return targets
}

// sideBySide is how many targets must run at once to end in time, at most one for
// each processor.
func sideBySide(targets int, each, total time.Duration) int {
	n := 1
	for n < runtime.NumCPU() && time.Duration((targets+n-1)/n)*each > total {
		n++
	}
	return n
}

// runAll runs targets and stops all of them at the first finding.
func runAll(targets []target, each time.Duration, beside int) error {
	ctx, stop := context.WithCancelCause(context.Background())
	defer stop(nil)
	queue := make(chan target)
	var wg sync.WaitGroup
	var print sync.Mutex
	for range beside {
		wg.Go(func() {
			for t := range queue {
				line, err := runOne(ctx, t, each, max(1, runtime.NumCPU()/beside))
				if ctx.Err() != nil {
					return
				}
				print.Lock()
				fmt.Println(line)
				print.Unlock()
				if err != nil {
					stop(err)
				}
			}
		})
	}
	for _, t := range targets {
		select {
		case queue <- t:
		case <-ctx.Done():
		}
	}
	close(queue)
	wg.Wait()
	return context.Cause(ctx)
}

// runOne runs a target and returns the line to print.
func runOne(ctx context.Context, t target, each time.Duration, workers int) (string, error) {
	// Making a new input small would by itself take up to a minute.
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-fuzz", "^"+t.name+"$", "-fuzztime", each.String(), "-fuzzminimizetime", "1s", "-parallel", fmt.Sprint(workers), t.pkg)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	r := parseRun(string(out))
	if err != nil {
		return fmt.Sprintf("FAIL  %s after %d inputs", t, r.inputs), fmt.Errorf("%s: %w\n%s", t, err, out)
	}
	return fmt.Sprintf("ok    %-44s %12d inputs  %7d new  %s", t, r.inputs, r.fresh, r.elapsed), nil
}

// progress is what the last progress line of go test -fuzz said.
type progress struct {
	elapsed string
	inputs  int
	fresh   int
}

var progressLine = regexp.MustCompile(`fuzz: elapsed: (\S+), execs: (\d+) .*new interesting: (\d+)`)

func parseRun(out string) (p progress) {
	for _, m := range progressLine.FindAllStringSubmatch(out, -1) {
		p.elapsed = m[1]
		fmt.Sscan(m[2], &p.inputs)
		fmt.Sscan(m[3], &p.fresh)
	}
	return p
}
