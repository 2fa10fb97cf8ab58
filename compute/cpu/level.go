package cpu

import (
	"fmt"
	"os"
	"strings"
)

// Environment is the variable that forces a kernel level: generic, avx2, avx512 or amx.
const Environment = "LIAN_KERNELS"

var (
	available  []*kernels // the levels that this processor can run, slowest first
	current    *kernels
	levelError error
)

// The levels are put together when all files have registered their kernels.
func init() {
	available = append([]*kernels{generic()}, native()...)
	current, levelError = choose(os.Getenv(Environment))
}

// parts put kernels into a level, by its name.
var parts = map[string][]func(k *kernels){}

// kernelsOf registers some kernels of a level (generic, avx2 or avx512). Files that hold or describe kernels do it for themselves.
func kernelsOf(level string, put func(k *kernels)) struct{} {
	parts[level] = append(parts[level], put)
	return struct{}{}
}

// complete adds the kernels that were registered for the level.
func (k *kernels) complete() *kernels {
	for _, put := range parts[k.level] {
		put(k)
	}
	return k
}

func choose(name string) (*kernels, error) {
	if name == "" {
		return available[len(available)-1], nil
	}
	for _, k := range available {
		if k.level == name {
			return k, nil
		}
	}
	return nil, fmt.Errorf("%s=%s: this processor can run %s; unset the variable or name one of these", Environment, name, strings.Join(Levels(), ", "))
}

// Level is the kernel level in use: generic, avx2, avx512 or amx; empty when LevelError is not nil.
func Level() string {
	if current == nil {
		return ""
	}
	return current.level
}

// Levels are the levels that this processor can run, slowest first.
func Levels() []string {
	var names []string
	for _, k := range available {
		names = append(names, k.level)
	}
	return names
}

// LevelError says why the level that LIAN_KERNELS asks for cannot be had.
func LevelError() error { return levelError }
