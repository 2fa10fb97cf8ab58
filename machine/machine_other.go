//go:build !linux && !darwin && !windows

package machine

func processor() string { return "" }

func memory() (total, available int64) { return 0, 0 }
