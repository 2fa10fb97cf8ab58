package step

import (
	"os"
	"strconv"
	"strings"
)

// processorName is what the processor calls itself, empty when it does not say.
func processorName() string {
	return procField("/proc/cpuinfo", "model name")
}

// machineMemory is the installed memory in bytes, 0 when it is not known.
func machineMemory() int64 {
	kilobytes, _, _ := strings.Cut(procField("/proc/meminfo", "MemTotal"), " ")
	n, err := strconv.ParseInt(kilobytes, 10, 64)
	if err != nil {
		return 0
	}
	return n << 10
}

// procField is the first value of a key in a file of "key : value" lines.
func procField(path, key string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == key {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
