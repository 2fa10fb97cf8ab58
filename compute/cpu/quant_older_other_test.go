//go:build !amd64

package cpu

func older() []*kernels { return nil }
