// Command testsummary runs go test and says what happened in few lines: a line for
// each package, all output of what failed, each skipped test with its reason, and
// at the end how many passed, failed and were skipped.
//
//	go run ./house/testsummary [flags and packages of go test]
//
// It guarantees exit status 0 only when go test ended with it and at least one
// test ran. It refuses to hide a skip.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// line is one event of go test -json (cmd/test2json, "go doc test2json"); build
// failures carry ImportPath.
type line struct {
	Action      string
	Package     string
	ImportPath  string
	Test        string
	Output      string
	Elapsed     float64
	FailedBuild string
}

func main() {
	args := append([]string{"test", "-json"}, os.Args[1:]...)
	cmd := exec.Command("go", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsummary:", err)
		os.Exit(1)
	}
	s := summary{outputs: map[string][]string{}}
	readErr := s.read(out, os.Stdout)
	testErr := cmd.Wait()
	s.print(os.Stdout)
	if readErr != nil {
		fmt.Fprintln(os.Stderr, "testsummary:", readErr)
	}
	var exit *exec.ExitError
	if testErr != nil && !errors.As(testErr, &exit) {
		fmt.Fprintln(os.Stderr, "testsummary:", testErr)
	}
	if testErr != nil || readErr != nil || s.failed > 0 || s.passed == 0 {
		os.Exit(1)
	}
}

// summary is what has been seen so far.
type summary struct {
	passed, failed, skipped int
	outputs                 map[string][]string // by package and test, until it ends
	skips                   []string
	failures                []string
}

// read follows the events and prints a line when a package ends.
func (s *summary) read(from io.Reader, to io.Writer) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 1<<20), 64<<20)
	for lines.Scan() {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			fmt.Fprintln(to, lines.Text()) // go itself speaks, such as about a package that is not there
			continue
		}
		s.take(l, to)
	}
	return lines.Err()
}

func (s *summary) take(l line, to io.Writer) {
	id := l.Package + " " + l.Test
	switch l.Action {
	case "output":
		s.outputs[id] = append(s.outputs[id], l.Output)
	case "build-output":
		fmt.Fprint(to, l.Output)
	case "pass", "fail", "skip":
		if l.Test == "" {
			s.packageEnded(l, to)
			return
		}
		s.testEnded(l, id)
	}
}

func (s *summary) testEnded(l line, id string) {
	switch l.Action {
	case "pass":
		s.passed++
	case "skip":
		s.skipped++
		s.skips = append(s.skips, fmt.Sprintf("skipped %s %s: %s", l.Package, l.Test, reason(s.outputs[id])))
	case "fail":
		s.failed++
		s.failures = append(s.failures, fmt.Sprintf("--- %s %s\n%s", l.Package, l.Test, strings.Join(s.outputs[id], "")))
	}
	delete(s.outputs, id)
}

func (s *summary) packageEnded(l line, to io.Writer) {
	id := l.Package + " "
	output := strings.Join(s.outputs[id], "")
	switch {
	case l.Action == "fail":
		fmt.Fprintf(to, "FAIL  %-32s %6.1fs\n", l.Package, l.Elapsed)
		if l.FailedBuild != "" {
			s.failed++
			s.failures = append(s.failures, fmt.Sprintf("--- %s does not build\n", l.Package))
			break
		}
		s.failures = append(s.failures, fmt.Sprintf("--- %s\n%s", l.Package, output))
		// tests that never ended: a panic or a timeout took them along
		for other, unfinished := range s.outputs {
			if strings.HasPrefix(other, id) && other != id {
				s.failed++
				s.failures = append(s.failures, fmt.Sprintf("--- %s (did not end)\n%s", other, strings.Join(unfinished, "")))
				delete(s.outputs, other)
			}
		}
	case l.Action == "skip": // no test files
	default:
		cached := ""
		if strings.Contains(output, "(cached)") {
			cached = "  (cached)"
		}
		fmt.Fprintf(to, "ok    %-32s %6.1fs%s\n", l.Package, l.Elapsed, cached)
	}
	delete(s.outputs, id)
}

// reason is what a test said when it skipped: the text after "file.go:12: ".
func reason(output []string) string {
	for _, text := range slices.Backward(output) {
		text = strings.TrimSpace(text)
		if text == "" || strings.HasPrefix(text, "---") || strings.HasPrefix(text, "===") {
			continue
		}
		if _, after, found := strings.Cut(text, ": "); found && strings.Contains(text[:len(text)-len(after)], ".go:") {
			return after
		}
		return text
	}
	return "no reason given"
}

func (s *summary) print(to io.Writer) {
	for _, f := range s.failures {
		fmt.Fprintf(to, "\n%s", f)
	}
	if len(s.skips) > 0 {
		fmt.Fprintln(to)
		slices.Sort(s.skips)
		for _, text := range s.skips {
			fmt.Fprintln(to, text)
		}
	}
	fmt.Fprintf(to, "\n%d passed, %d failed, %d skipped\n", s.passed, s.failed, s.skipped)
}
