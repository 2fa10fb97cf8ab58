package machine

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

func processor() string {
	file, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		switch strings.TrimSpace(name) {
		case "model name", "Hardware": // x86; some ARM boards
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func memory() (total, available int64) {
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
