package step

import (
	"fmt"
	"time"
)

// Numbers that programs read as they are, and people with their units.
type (
	Amount   int64   // of parameters or tokens: 7.13M
	Quantity float64 // of operations: 4.2T
	ByteSize int64   // 512.0 MiB
	Duration float64 // seconds: 1h5m0s
)

// String implements fmt.Stringer.
func (a Amount) String() string { return count(float64(a)) }

// String implements fmt.Stringer.
func (q Quantity) String() string { return count(float64(q)) }

// String implements fmt.Stringer.
func (b ByteSize) String() string {
	x := float64(b)
	for _, unit := range []string{"B", "KiB", "MiB", "GiB"} {
		if x < 1024 {
			return fmt.Sprintf("%.4g %s", x, unit)
		}
		x /= 1024
	}
	return fmt.Sprintf("%.4g TiB", x)
}

// String implements fmt.Stringer.
func (d Duration) String() string {
	return (time.Duration(float64(d)*10) * time.Second / 10).Round(time.Second / 10).String()
}
