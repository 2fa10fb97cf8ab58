//go:build !linux

package host

// Huge asks the system for large pages under memory that was not touched yet; here there is nothing to ask.
func Huge([]byte) {}
