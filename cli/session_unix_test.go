//go:build unix

package cli

import "syscall"

// newSession makes a process the leader of its terminal, so that Ctrl-C reaches it.
func newSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true, Setctty: true} }
