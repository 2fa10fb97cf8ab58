package machine

import (
	"bufio"
	"fmt"
	"os"
)

func resident() (r Residence) {
	file, err := os.Open("/proc/self/status")
	if err != nil {
		return r
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var name string
		var kib int64
		if n, _ := fmt.Sscan(lines.Text(), &name, &kib); n == 2 {
			switch name {
			case "VmHWM:":
				r.Peak = kib << 10
			case "VmRSS:":
				r.Now = kib << 10
			case "RssAnon:":
				r.Own = kib << 10
			}
		}
	}
	return r
}
