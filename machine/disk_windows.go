package machine

import "golang.org/x/sys/windows"

func freeDisk(dir string) int64 {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0
	}
	var mine, total, free uint64
	if windows.GetDiskFreeSpaceEx(name, &mine, &total, &free) != nil {
		return 0
	}
	return int64(mine)
}
