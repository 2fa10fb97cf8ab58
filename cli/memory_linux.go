package cli

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// systemMemory is the memory of the machine, or of the control group that limits
// this process, and what of it is available; in bytes, 0 where it is not known.
func systemMemory() (total, available int64) {
	file, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0, 0
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var name string
		var kib int64
		if n, _ := fmt.Sscan(lines.Text(), &name, &kib); n == 2 {
			switch name {
			case "MemTotal:":
				total = kib << 10
			case "MemAvailable:":
				available = kib << 10
			}
		}
	}
	for _, path := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && limit > 0 && limit < total {
			total, available = limit, min(available, limit)
		}
	}
	return total, available
}
