//go:build !amd64

package cpu

func native() []*kernels { return nil }
