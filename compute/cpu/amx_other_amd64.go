//go:build !linux

package cpu

// mayUseTiles: other systems are not asked.
func mayUseTiles() bool { return false }
