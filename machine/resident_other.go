//go:build !linux

package machine

func resident() Residence { return Residence{} }
