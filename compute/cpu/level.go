package cpu

import (
	"fmt"
	"os"
	"strings"
)

// Environment is the variable that forces a kernel level: generic, avx2, avx512 or amx.
const Environment = "LIAN_KERNELS"

// available are the levels that this processor can run, slowest first.
var available = append([]*kernels{generic()}, native()...)

var current, levelError = choose(os.Getenv(Environment))

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
